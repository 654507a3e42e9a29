/* What libcurl is told about a proxy: options of easy handles. Floor 2; loop thread only. */
#ifndef NP_NET_TUNNEL_EASY_H
#define NP_NET_TUNNEL_EASY_H

#include "engine_types.h"

/* The options of a new handle that depend on the proxy; false: libcurl did not take one. */
bool np_tunnel_set_options(np_easy *easy);
/* CURLOPT_RESOLVE for the first hop, and for SOCKS4 and SOCKS5 the origin. */
bool np_tunnel_set_address(np_easy *easy, const np_connection *connection);
/* What may differ from the request before. */
CURLcode np_tunnel_prepare(np_easy *easy, const np_connection *connection);

#endif
