/* What went wrong on the way through a proxy. Floor 2; loop thread only. */
#ifndef NP_NET_TUNNEL_ERROR_H
#define NP_NET_TUNNEL_ERROR_H

#include "engine_types.h"

/* The dialer's failure in words about the proxy. */
void np_tunnel_explain_dial(const np_tunnel *tunnel, np_error *err);
/* libcurl's code, where the way through the proxy failed; false: it was something else.
 * *proxy_fault: another proxy may do better. */
bool np_tunnel_explain(const np_transfer *transfer, CURLcode code, np_error *err,
                       bool *proxy_fault);
/* What it was doing when its time was over; NULL: nothing that has to do with the proxy. */
const char *np_tunnel_activity(const np_tunnel *tunnel);

#endif
