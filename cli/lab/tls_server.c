/* See tls_server.h. */
#include "tls_server.h"

#include "fail.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

struct tls_session {
    SSL *ssl;
    BIO *received; /* ciphertext from the client; owned by ssl */
    BIO *to_send;  /* ciphertext for the client; owned by ssl */
    bool hello_seen;
};

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *offered, unsigned int offered_length, void *user)
{
    (void)ssl;
    (void)user;
    static const unsigned char spoken[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_length, spoken, sizeof spoken - 1, offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* The first time the handshake is suspended; it goes on with the next SSL_do_handshake. */
static int on_client_hello(SSL *ssl, int *alert, void *user)
{
    (void)alert;
    (void)user;
    struct tls_session *session = SSL_get_app_data(ssl);
    if (session->hello_seen)
        return SSL_CLIENT_HELLO_SUCCESS;
    session->hello_seen = true;
    return SSL_CLIENT_HELLO_RETRY;
}

SSL_CTX *tls_context_create(const struct certificates *certificates, int largest_version,
                            np_error *err)
{
    static const unsigned char id_context[] = "netphase lab";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || !SSL_CTX_use_certificate(context, certificates->origin) ||
        !SSL_CTX_use_PrivateKey(context, certificates->key) ||
        !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        !SSL_CTX_set_max_proto_version(context, largest_version) ||
        !SSL_CTX_set_session_id_context(context, id_context, sizeof id_context - 1)) {
        SSL_CTX_free(context);
        (void)lab_fail_tls(err, "the origin's TLS cannot be set up");
        return NULL;
    }
    SSL_CTX_set_alpn_select_cb(context, choose_alpn, NULL);
    SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
    /* A client that hangs up without close_notify is an ordinary end here. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    return context;
}

struct tls_session *tls_session_open(SSL_CTX *context)
{
    struct tls_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->ssl = SSL_new(context);
    session->received = BIO_new(BIO_s_mem());
    session->to_send = BIO_new(BIO_s_mem());
    if (!session->ssl || !session->received || !session->to_send) {
        SSL_free(session->ssl);
        BIO_free(session->received);
        BIO_free(session->to_send);
        free(session);
        return NULL;
    }
    SSL_set_bio(session->ssl, session->received, session->to_send);
    SSL_set_app_data(session->ssl, session);
    SSL_set_accept_state(session->ssl);
    return session;
}

void tls_session_close(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    free(session);
}

bool tls_session_receive(struct tls_session *session, const void *bytes, size_t length)
{
    size_t written = 0;
    return length == 0 ||
           (BIO_write_ex(session->received, bytes, length, &written) && written == length);
}

enum tls_progress tls_session_handshake(struct tls_session *session)
{
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    if (result == 1)
        return TLS_READY;
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_MORE;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
        return TLS_HELLO;
    default:
        return TLS_BROKEN;
    }
}

ssize_t tls_session_read(struct tls_session *session, void *bytes, size_t size)
{
    size_t count = 0;
    ERR_clear_error();
    int result = SSL_read_ex(session->ssl, bytes, size, &count);
    if (result == 1)
        return (ssize_t)count;
    return SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ ? 0 : -1;
}

bool tls_session_write(struct tls_session *session, const void *bytes, size_t length)
{
    size_t written = 0;
    ERR_clear_error();
    return SSL_write_ex(session->ssl, bytes, length, &written) == 1 && written == length;
}

void tls_session_end(struct tls_session *session)
{
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl); /* the client's own close_notify is not waited for */
}

size_t tls_session_pending(struct tls_session *session, const void **bytes)
{
    char *data = NULL;
    long length = BIO_get_mem_data(session->to_send, &data);
    *bytes = data;
    return length > 0 ? (size_t)length : 0;
}

void tls_session_sent(struct tls_session *session)
{
    (void)BIO_reset(session->to_send);
}
