/* What OpenSSL tells about the handshake of a connection: phase tls, its spans, CONNECTION_TLS.
 * Floor 2; loop thread only. */
#ifndef NP_NET_TLS_EVENTS_H
#define NP_NET_TLS_EVENTS_H

#include "engine_types.h"

/* From SSL_CTX_FUNCTION: `ssl_ctx` is the SSL_CTX that libcurl made for this connection. */
void np_tls_events_attach(void *ssl_ctx, np_connection *connection);
/* From DEBUGFUNCTION, where that is set: a message as it is written, or as it has been read. What
 * is no handshake message is none of ours. */
void np_tls_events_message(np_connection *connection, const char *data, size_t length,
                           bool is_written);
/* The set-up was given up before the handshake was done: ends the open span. */
void np_tls_events_give_up(np_connection *connection, uint64_t now_ns, np_span_outcome outcome);

#endif
