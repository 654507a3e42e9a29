/*
 * TLS for a server whose bytes come and go elsewhere: ciphertext in, plaintext out, and back. No
 * I/O, no clock.
 *
 * The handshake stops once when the ClientHello is complete, so that its answer can be held back.
 * OpenSSL works on memory; whoever owns a session sends what `tls_session_pending` shows after
 * every call, alerts included. Program netphase-lab; one thread a session.
 */
#ifndef LAB_TLS_SERVER_H
#define LAB_TLS_SERVER_H

#include "certificate.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Makes the context of all sessions: TLS 1.2 and 1.3, session tickets, ALPN http/1.1.
 *
 * largest_version  TLS1_2_VERSION or TLS1_3_VERSION
 * returns NULL with `err` filled when OpenSSL refuses; owned: SSL_CTX_free
 */
SSL_CTX *tls_context_create(const struct certificates *certificates, int largest_version,
                            np_error *err);

enum tls_progress {
    TLS_MORE,  /* more ciphertext is needed */
    TLS_HELLO, /* the ClientHello is here: call again to answer it; told once a session */
    TLS_READY, /* the handshake is done */
    TLS_BROKEN /* it failed; an alert may be pending */
};

struct tls_session;

/* Returns NULL without memory. The context must outlive the session. */
struct tls_session *tls_session_open(SSL_CTX *context);
void tls_session_close(struct tls_session *session); /* NULL is allowed */

/* Takes ciphertext bytes[length] that arrived. False: no memory. */
bool tls_session_receive(struct tls_session *session, const void *bytes, size_t length);

/* Carries the handshake on as far as the received bytes allow. */
enum tls_progress tls_session_handshake(struct tls_session *session);

/* Reads plaintext. Returns bytes read, 0: no more for now, -1: the client closed or broke the
 * session. */
ssize_t tls_session_read(struct tls_session *session, void *bytes, size_t size);

/* Encrypts bytes[length], length > 0; one record up to 16 KiB. False: the session is broken. */
bool tls_session_write(struct tls_session *session, const void *bytes, size_t length);

/* Says that nothing more will be written (close_notify). */
void tls_session_end(struct tls_session *session);

/* Ciphertext that waits to be sent: *bytes[returned], borrowed until the next call. */
size_t tls_session_pending(struct tls_session *session, const void **bytes);

/* Forgets what tls_session_pending showed, once it was sent. */
void tls_session_sent(struct tls_session *session);

#endif
