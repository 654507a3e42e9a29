/* The events of transfers and connections, as the trace wants them. Floor 2; loop thread only.
 * Every function does nothing when nothing is traced. */
#ifndef NP_NET_TRANSFER_TRACE_H
#define NP_NET_TRANSFER_TRACE_H

#include "engine_types.h"

/* Gives the transfer its number and says that it began, at begin_ns. */
void np_trace_request_begin(np_transfer *transfer, uint64_t begin_ns, np_source source);
/* `failure` NULL: complete. The total of a complete one ends where receive ended, whatever now_ns
 * is. */
void np_trace_request_end(np_transfer *transfer, uint64_t now_ns, int outcome,
                          const np_error *failure);
/* Which proxy it goes through, where that was decided at all. */
void np_trace_proxy(const np_transfer *transfer, uint64_t now_ns);
/* queue ends: this connection was granted, or its set-up begins. */
void np_trace_queue_end(np_transfer *transfer, uint64_t now_ns);
void np_trace_connection_use(np_transfer *transfer, uint64_t now_ns);
/* The program gives no data (send) or takes none (receive), and goes on again: spans of kind
 * application. A body that outruns its reader pauses thousands of times: the first
 * NP_APPLICATION_SPANS have a span each, all later ones share the last, which says how many they
 * are and how long they held. */
#define NP_APPLICATION_SPANS 32
void np_trace_pause(np_transfer *transfer, np_phase phase, uint64_t now_ns);
void np_trace_resume(np_transfer *transfer, np_phase phase, uint64_t now_ns);
/* At the end of the phase or of the hop: ends what is open. */
void np_trace_pauses_end(np_transfer *transfer, np_phase phase, uint64_t now_ns);
/* The request fields as sent (Host first), where header fields are kept. */
void np_trace_request_fields(np_transfer *transfer, uint64_t now_ns);
enum {
    NP_FIELD_REQUEST = 0,
    NP_FIELD_RESPONSE = 1,
    NP_FIELD_INFORMATIONAL = 2,
    NP_FIELD_TRAILER = 3,
    NP_FIELD_TO_PROXY = 4, /* of CONNECT, all its rounds */
    NP_FIELD_FROM_PROXY = 5
};
void np_trace_field(np_transfer *transfer, uint64_t now_ns, int direction,
                    const np_header_line *line);
/* The same of a line as it came, "Name: value" and its line end; one that is no field is left out.
 */
void np_trace_field_line(np_transfer *transfer, uint64_t now_ns, int direction, const char *line,
                         size_t length);

/* Gives the connection its number. `unlike` 0: there was no other one. */
void np_trace_connection_open(np_connection *connection, const np_transfer *cause,
                              np_new_because because, uint32_t unlike, uint64_t now_ns);
void np_trace_connection_peer(const np_connection *connection, const np_dial_result *result);
void np_trace_connection_ready(const np_connection *connection, uint64_t now_ns);
void np_trace_connection_close(const np_connection *connection, uint64_t now_ns,
                               const char *reason);

#endif
