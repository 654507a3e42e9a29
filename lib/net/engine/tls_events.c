/*
 * OpenSSL's info callback -> events. Floor 2; loop thread only.
 *
 * libcurl makes one SSL_CTX a connection, so the connection hangs on the SSL_CTX. HANDSHAKE_START
 * comes right before the ClientHello is made, HANDSHAKE_DONE when our Finished is out; under
 * TLS 1.3 both come again for each ticket, hence tls_begun and tls_done.
 */
#include "tls_events.h"

#include "connection_sample.h"
#include "kernel_time.h"
#include "look.h"

#include "textbuf.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Shorter than this, reading the trusted certificates is noise: they came out of libcurl's cache.
 */
#define CA_LOAD_VISIBLE_NS (500 * NP_NS_PER_US)

/* How far a stamp of the kernel, or one right before a write, lies off the packet. */
#define STAMP_NS (16 * NP_NS_PER_US)

static int context_index;
static pthread_once_t context_index_once = PTHREAD_ONCE_INIT;

static void make_context_index(void)
{
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static uint32_t request_of(const np_connection *connection)
{
    return connection->transfer ? connection->transfer->number : 0;
}

/* Does DEBUGFUNCTION tell of each message? */
static bool tells_messages(const np_connection *connection)
{
    const np_transfer *transfer = connection->transfer;
    return transfer && transfer->easy && transfer->easy->verbose;
}

static void begin_handshake(np_connection *connection, uint64_t now_ns)
{
    connection->hello_ns = now_ns;
    connection->handshake_span = np_emit_span_begin(
        connection->engine->producer, now_ns, request_of(connection), connection->number,
        NP_PHASE_TLS, NP_SPAN_HANDSHAKE, 0, connection->point->key.host);
}

static void on_hello(np_connection *connection)
{
    np_producer *producer = connection->engine->producer;
    const uint64_t now_ns = np_now();
    const uint32_t request = request_of(connection);
    connection->tls_begun = true;
    connection->hello_ns = now_ns;
    if (connection->handed_over_ns && now_ns - connection->handed_over_ns >= CA_LOAD_VISIBLE_NS) {
        const uint32_t span =
            np_emit_span_begin(producer, connection->handed_over_ns, request, connection->number,
                               NP_PHASE_TLS, NP_SPAN_CA_LOAD, 0, "trusted certificates");
        np_emit_span_end(producer, now_ns, request, span, NP_SPAN_OK, NULL);
    }
    if (!tells_messages(connection))
        begin_handshake(connection, now_ns);
}

/* A handshake message begins with its type and its length; what is shown of other records does not.
 */
static int message_type(const char *data, size_t length)
{
    const unsigned char *b = (const unsigned char *)data;
    const bool fits = length > 4 && ((size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3]) == length - 4;
    return fits ? b[0] : -1;
}

void np_tls_events_message(np_connection *connection, const char *data, size_t length,
                           bool is_written)
{
    const int type = message_type(data, length);
    if (!connection->engine->producer || !connection->tls_begun)
        return;
    if (is_written && type == SSL3_MT_CLIENT_HELLO && !connection->handshake_span)
        begin_handshake(connection, np_now());
    else if (is_written && type == SSL3_MT_FINISHED)
        connection->flight_ns = np_now();
    else if (!is_written && type == SSL3_MT_NEWSESSION_TICKET && connection->tls_done)
        np_look_again(connection);
}

/* The common name of a certificate's subject or issuer, or the whole name on one line. */
static void add_name(np_textbuf *out, bool *first, const char *key, X509_NAME *name)
{
    char text[256] = "";
    if (X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof text) <= 0)
        (void)X509_NAME_oneline(name, text, sizeof text); /* gives `text` back */
    np_textbuf_json_text(out, first, key, text, strlen(text));
}

static void add_time(np_textbuf *out, bool *first, const char *key, const ASN1_TIME *when)
{
    struct tm tm;
    char text[32];
    if (!when || !ASN1_TIME_to_tm(when, &tm) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return;
    np_textbuf_json_text(out, first, key, text, strlen(text));
}

static np_text_ref certificate_ref(np_producer *producer, SSL *ssl)
{
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    if (!certificate)
        return 0;
    np_textbuf json;
    np_textbuf_init(&json, 2048);
    bool first = true;
    np_textbuf_puts(&json, "{");
    add_name(&json, &first, "subject", X509_get_subject_name(certificate));
    add_name(&json, &first, "issuer", X509_get_issuer_name(certificate));
    add_time(&json, &first, "not_after", X509_get0_notAfter(certificate));
    np_textbuf_puts(&json, "}");
    const np_text_ref ref = np_producer_word(producer, json.text, json.length);
    np_textbuf_done(&json);
    X509_free(certificate);
    return ref;
}

static np_text_ref word(np_producer *producer, const char *text)
{
    return text ? np_producer_word(producer, text, strlen(text)) : 0;
}

/* When the last message of the handshake was out, or came. */
static np_stamp last_message(const np_connection *connection, uint64_t now_ns)
{
    if (!connection->spoke_last || !connection->flight_ns)
        return np_look_peer_finished(connection, now_ns);
    return (np_stamp){.ns = connection->flight_ns,
                      .source = NP_SOURCE_CALLBACK,
                      .uncertainty = np_uncertainty(STAMP_NS)};
}

/* Span and phase end with the message. Until the connection can be used there is still our write(),
   which on a local network runs the peer, or the work on what came: that is nobody's network, lies
   in `gap`, and the span says how long it was. */
static void end_handshake(const np_connection *connection, const SSL *ssl, uint64_t now_ns)
{
    static const char *const sources[] = {[NP_SOURCE_CALLBACK] = "callback",
                                          [NP_SOURCE_SYSCALL] = "syscall",
                                          [NP_SOURCE_KERNEL] = "kernel"};
    np_producer *producer = connection->engine->producer;
    const uint32_t request = request_of(connection);
    const np_stamp last = last_message(connection, now_ns);
    char detail[128];
    (void)snprintf(detail, sizeof detail,
                   "{%s\"last\":\"%s\",\"source\":\"%s\",\"usable_after_ns\":%llu}",
                   SSL_session_reused(ssl) ? "\"resumed\":true," : "",
                   connection->spoke_last ? "ours" : "peer", sources[last.source],
                   (unsigned long long)(now_ns - last.ns));
    np_emit_span_end(producer, last.ns, request, connection->handshake_span, NP_SPAN_OK, detail);
    if (request)
        np_emit_phase_stamp(producer, NP_EVENT_PHASE_END, last, request, NP_PHASE_TLS);
}

static void on_done(np_connection *connection, SSL *ssl)
{
    np_producer *producer = connection->engine->producer;
    const uint64_t now_ns = np_now();
    const uint32_t request = request_of(connection);
    connection->tls_done = true;
    end_handshake(connection, ssl, now_ns);
    np_connection_sample_slow(connection, request, NP_PHASE_TLS, connection->hello_ns, now_ns);
    const unsigned char *alpn = NULL;
    unsigned alpn_length = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
    np_emit(
        producer,
        &(np_event){
            .time_ns = now_ns,
            .request = request,
            .connection = connection->number,
            .type = NP_EVENT_CONNECTION_TLS,
            .source = NP_SOURCE_CALLBACK,
            .word = {word(producer, SSL_get_version(ssl)), word(producer, SSL_get_cipher_name(ssl)),
                     alpn_length ? np_producer_word(producer, (const char *)alpn, alpn_length) : 0,
                     SSL_session_reused(ssl) ? 1 : 0, certificate_ref(producer, ssl)}
    });
}

static void note_protocol(np_connection *connection, const SSL *ssl)
{
    const unsigned char *alpn = NULL;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &length);
    connection->protocol = length == 2 && memcmp(alpn, "h2", 2) == 0 ? 20 : 11;
}

/* Between two messages. Up to our Finished the stamp is one of "before it is made", where nothing
   closer to the write tells. The step behind it says that it is out: what the peer answers may be
   there already, and is read before libcurl returns. */
static void on_step(np_connection *connection, const SSL *ssl)
{
    const OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);
    if (state == TLS_ST_OK)
        return;
    connection->spoke_last = state == TLS_ST_CW_FINISHED;
    if (connection->spoke_last) {
        connection->has_spoken = true;
        np_look_inside(connection, connection->flight_ns, np_now());
    } else if (!connection->has_spoken && !tells_messages(connection)) {
        connection->flight_ns = np_now();
    }
}

static void on_info(const SSL *ssl, int where, int result)
{
    const bool lost = (where & SSL_CB_CONNECT_EXIT) == SSL_CB_CONNECT_EXIT && result <= 0;
    const bool step = (where & SSL_CB_CONNECT_LOOP) == SSL_CB_CONNECT_LOOP;
    if (!lost && !step && !(where & (SSL_CB_HANDSHAKE_START | SSL_CB_HANDSHAKE_DONE)))
        return;
    np_connection *connection = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
    if (!connection)
        return;
    if (where & SSL_CB_HANDSHAKE_DONE)
        note_protocol(connection, ssl);
    if (lost)
        connection->verify_result = SSL_get_verify_result(ssl);
    else if (!connection->engine->producer)
        return;
    else if ((where & SSL_CB_HANDSHAKE_START) && !connection->tls_begun)
        on_hello(connection);
    else if ((where & SSL_CB_HANDSHAKE_DONE) && connection->tls_begun && !connection->tls_done)
        on_done(connection, (SSL *)(uintptr_t)ssl); /* OpenSSL's readers want it without const */
    else if (step && connection->tls_begun && !connection->tls_done)
        on_step(connection, ssl);
}

void np_tls_events_attach(void *ssl_ctx, np_connection *connection)
{
    (void)pthread_once(&context_index_once, make_context_index);
    if (SSL_CTX_set_ex_data(ssl_ctx, context_index, connection) == 1)
        SSL_CTX_set_info_callback(ssl_ctx, on_info);
}

void np_tls_events_give_up(np_connection *connection, uint64_t now_ns, np_span_outcome outcome)
{
    if (connection->tls_begun && !connection->tls_done && connection->handshake_span)
        np_emit_span_end(connection->engine->producer, now_ns, request_of(connection),
                         connection->handshake_span, outcome, NULL);
    connection->handshake_span = 0;
}
