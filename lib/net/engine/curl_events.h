/* libcurl's callbacks of an easy handle: header, body, boundaries, sockets. Floor 2; loop thread
 * only, always with libcurl on the stack. */
#ifndef NP_NET_CURL_EVENTS_H
#define NP_NET_CURL_EVENTS_H

#include "engine_types.h"

/* Sets every callback of a new handle; false: no memory. */
bool np_curl_events_install(np_easy *easy);

/* The transfer ends, and nothing was answered: what is known of the end of send is told. */
void np_curl_events_give_up(np_transfer *transfer);
/* The last byte of the request was written. */
void np_curl_events_begin_wait(np_transfer *transfer, uint64_t now_ns);
/* Tells the handler of a header that was held back (transfer->route.is_held). */
void np_curl_events_give_header(np_transfer *transfer);

/* From the socket call-back, after the step of libcurl that changed what it waits for
 * (CURL_POLL_*).
 */
void np_curl_events_step(np_transfer *transfer, int wanted);

#endif
