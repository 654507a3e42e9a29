/* libcurl's callbacks of an easy handle: header, body, boundaries, sockets. Floor 2; loop thread
 * only, always with libcurl on the stack. */
#ifndef NP_NET_CURL_EVENTS_H
#define NP_NET_CURL_EVENTS_H

#include "engine_types.h"

/* Sets every callback of a new handle; false: no memory. */
bool np_curl_events_install(np_easy *easy);

/* Tells the handler of a header that was held back (transfer->route.is_held). */
void np_curl_events_give_header(np_transfer *transfer);

#endif
