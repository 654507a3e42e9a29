/*
 * Authentication to proxies. Floor 2; loop thread only.
 *
 * libcurl answers the 407; what is decided here is the one scheme it may use. Until a proxy has
 * asked, nothing is sent; from its first 407 on the strongest scheme it offered is remembered with
 * the proxy (and its user), so that later connections send credentials at once: Basic always,
 * Digest where the handle has a challenge, else after one more 407.
 */
#ifndef NP_NET_TUNNEL_AUTH_H
#define NP_NET_TUNNEL_AUTH_H

#include "engine_types.h"

enum { NP_PROXY_AUTH_BASIC = 1, NP_PROXY_AUTH_DIGEST = 2 };

/* The schemes that the value of a Proxy-Authenticate field offers (RFC 9110 section 11.6.1), those
 * we know; others are left out. Pure. */
unsigned np_proxy_auth_offered(const char *value, size_t length);

/* What to tell libcurl (CURLAUTH_…) for this service point. */
long np_proxy_auth_curl(const np_service_point *point);
/* The proxy has asked with these schemes. Without memory it is not remembered. */
void np_proxy_auth_learn(np_service_point *point, unsigned offered);
void np_proxy_auth_free(np_engine *engine);

#endif
