/*
 * CURLE_* -> np_error. Floor 2; loop thread only.
 *
 * libcurl's codes say what call failed; people want to know what the request was doing then. So the
 * text is put together from two tables: what a code means (with its web status), and what the stage
 * of the transfer is called.
 */
#include "transfer_error.h"

#include "tunnel_error.h"
#include "upload.h"

#include "fail.h"

#include <openssl/x509_vfy.h>
#include <string.h>

static const struct code_meaning {
    CURLcode code;
    np_web_status web_status;
    const char *text; /* %s: what it was doing; NULL: libcurl's own words */
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST,              NP_WEB_NAME_RESOLUTION_FAILURE,       "the name was not resolved%.0s"            },
    {CURLE_COULDNT_RESOLVE_PROXY,             NP_WEB_PROXY_NAME_RESOLUTION_FAILURE,
     "the name of the proxy was not resolved%.0s"                                                                              },
    {CURLE_COULDNT_CONNECT,                   NP_WEB_CONNECT_FAILURE,               "connection lost while %s"                 },
    {CURLE_INTERFACE_FAILED,                  NP_WEB_CONNECT_FAILURE,               "connection lost while %s"                 },
    {CURLE_RECV_ERROR,                        NP_WEB_RECEIVE_FAILURE,               "connection reset while %s"                },
    {CURLE_SEND_ERROR,                        NP_WEB_SEND_FAILURE,                  "connection reset while %s"                },
    {CURLE_SEND_FAIL_REWIND,                  NP_WEB_SEND_FAILURE,                  "the body cannot be sent again%.0s"        },
    {CURLE_GOT_NOTHING,                       NP_WEB_CONNECTION_CLOSED,             "connection closed by the server while %s" },
    {CURLE_PARTIAL_FILE,                      NP_WEB_CONNECTION_CLOSED,             "connection closed by the server while %s" },
    {CURLE_SSL_CONNECT_ERROR,                 NP_WEB_SECURE_CHANNEL_FAILURE,        NULL                                       },
    {CURLE_SSL_CIPHER,                        NP_WEB_SECURE_CHANNEL_FAILURE,        NULL                                       },
    {CURLE_SSL_CERTPROBLEM,                   NP_WEB_SECURE_CHANNEL_FAILURE,        NULL                                       },
    {CURLE_USE_SSL_FAILED,                    NP_WEB_SECURE_CHANNEL_FAILURE,        NULL                                       },
    {CURLE_SSL_CACERT_BADFILE,                NP_WEB_SECURE_CHANNEL_FAILURE,
     "the file of trusted certificates cannot be read%.0s"                                                                     },
    {CURLE_SSL_ISSUER_ERROR,                  NP_WEB_TRUST_FAILURE,                 NULL                                       },
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH,          NP_WEB_TRUST_FAILURE,                 NULL                                       },
    {CURLE_WEIRD_SERVER_REPLY,                NP_WEB_SERVER_PROTOCOL_VIOLATION,     "the answer is not HTTP%.0s"               },
    {CURLE_UNSUPPORTED_PROTOCOL,              NP_WEB_SERVER_PROTOCOL_VIOLATION,     "the answer is not HTTP/1%.0s"             },
    {CURLE_HTTP2,                             NP_WEB_SERVER_PROTOCOL_VIOLATION,     "the answer breaks the rules of HTTP/2%.0s"},
    {CURLE_BAD_CONTENT_ENCODING,              NP_WEB_SERVER_PROTOCOL_VIOLATION,
     "the coding of the answer's body is broken or not known%.0s"                                                              },
    {CURLE_HTTP2_STREAM,                      NP_WEB_PIPELINE_FAILURE,              "stream reset by the server while %s"      },
    {(CURLcode)100 /* TOO_LARGE, from 8.6 */, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED,
     "the header of the answer is too long%.0s"                                                                                },
    {CURLE_OPERATION_TIMEDOUT,                NP_WEB_TIMEOUT,                       "timed out while %s"                       },
    {CURLE_URL_MALFORMAT,                     NP_WEB_UNKNOWN_ERROR,                 "libcurl does not take the URL%.0s"        },
    {CURLE_OUT_OF_MEMORY,                     NP_WEB_UNKNOWN_ERROR,                 "no memory%.0s"                            },
};

const char *np_transfer_activity(const np_transfer *transfer)
{
    const np_connection *connection = transfer->connection;
    const char *body = np_upload_activity(transfer);
    if (body)
        return body;
    switch (transfer->stage) {
    case NP_STAGE_QUEUE:
        return "waiting for a connection";
    case NP_STAGE_SETUP:
        if (connection && connection->dial && np_dial_is_looking_up(connection->dial))
            return "looking up the name";
        if (!connection || connection->state == NP_CONNECTION_CONNECTING)
            return "connecting";
        if (np_tunnel_activity(connection->tunnel))
            return np_tunnel_activity(connection->tunnel);
        return transfer->point->tls ? "setting up TLS" : "connecting";
    case NP_STAGE_SEND:
        return "sending the request";
    case NP_STAGE_WAIT:
        return "waiting for the response";
    case NP_STAGE_RECEIVE:
        return "receiving the response";
    case NP_STAGE_PROXY:
        return "finding out which proxy to use";
    }
    return "?";
}

/* Was it the certificate? libcurl says so for most reasons, and calls the rest a failed handshake.
 */
static bool is_trust_failure(const np_transfer *transfer, CURLcode code)
{
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return true;
    return code == CURLE_SSL_CONNECT_ERROR && transfer->connection &&
           transfer->connection->verify_result != X509_V_OK;
}

static void explain_trust(const np_transfer *transfer, CURLcode code, const char *cause,
                          np_error *err)
{
    const long verify = transfer->connection ? transfer->connection->verify_result : X509_V_OK;
    if (verify == X509_V_OK) /* the chain was fine: libcurl compares the name afterwards */
        (void)np_fail_web(err, NP_WEB_TRUST_FAILURE, "curl", code, cause,
                          "certificate of %s is for another name", transfer->spec.host);
    else
        (void)np_fail_web(err, NP_WEB_TRUST_FAILURE, "curl", code, cause,
                          "certificate of %s is not trusted: %s", transfer->spec.host,
                          X509_verify_cert_error_string(verify));
}

/* What libcurl says of a header it cannot take tells of libcurl, not of the header: a line over its
 * own limit is "out of memory", one that cannot be a field is a "bad argument" or our callback's.
 */
static bool explain_header(const np_transfer *transfer, CURLcode code, np_error *err)
{
    const bool in_header = transfer->answered && !transfer->header_done;
    const bool is_too_long = in_header && code == CURLE_OUT_OF_MEMORY;
    if (transfer->header_too_long)
        (void)np_fail_web(err, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED, "curl", code, NULL,
                          "the header of the answer is longer than %llu bytes",
                          (unsigned long long)np_transfer_header_limit(transfer));
    else if (is_too_long)
        (void)np_fail_web(err, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED, "curl", code, NULL,
                          "a line of the answer's header is too long");
    else if (in_header && (code == CURLE_BAD_FUNCTION_ARGUMENT || code == CURLE_WRITE_ERROR))
        (void)np_fail_web(err, NP_WEB_SERVER_PROTOCOL_VIOLATION, "curl", code, NULL,
                          "the header of the answer is malformed");
    else
        return false;
    return true;
}

/* libcurl's word for a connection that ends in the handshake is OpenSSL's: SSL_ERROR_SYSCALL. */
static bool explain_cut_handshake(const np_transfer *transfer, CURLcode code, const char *cause,
                                  np_error *err)
{
    if (code != CURLE_SSL_CONNECT_ERROR || !strstr(cause, "SSL_ERROR_SYSCALL"))
        return false;
    (void)np_fail_web(err, NP_WEB_SECURE_CHANNEL_FAILURE, "curl", code, NULL,
                      "connection closed by the server in the TLS handshake with %s",
                      transfer->spec.host);
    return true;
}

/* What one request made of a shared connection, the others on it lose. */
static bool explain_broken(const np_transfer *transfer, CURLcode code, const char *cause,
                           np_error *err)
{
    if (!transfer->connection || !transfer->connection->broken)
        return false;
    (void)np_fail_web(err, NP_WEB_PIPELINE_FAILURE, "curl", code, cause,
                      "another request broke the shared connection while %s",
                      np_transfer_activity(transfer));
    return true;
}

/* A body that is shorter than announced. */
static bool explain_truncation(const np_transfer *transfer, CURLcode code, np_error *err)
{
    if (code != CURLE_PARTIAL_FILE || transfer->expected_bytes < 0)
        return false;
    (void)np_fail_web(err, NP_WEB_CONNECTION_CLOSED, "curl", code, NULL,
                      "connection closed by the server after %llu of %lld bytes of the body",
                      (unsigned long long)transfer->received_bytes,
                      (long long)transfer->expected_bytes);
    return true;
}

/* Whose turn it was just then, the program's or the connection's, is no matter of a connection that
   is lost. */
static bool was_sending(const np_transfer *transfer)
{
    return transfer->stage == NP_STAGE_SEND && transfer->upload.asked &&
           !np_upload_is_out(transfer);
}

void np_transfer_explain(const np_transfer *transfer, CURLcode code, np_error *err)
{
    const char *cause = transfer->easy && transfer->easy->error[0] ? transfer->easy->error
                                                                   : curl_easy_strerror(code);
    if (explain_broken(transfer, code, cause, err) || explain_header(transfer, code, err) ||
        explain_truncation(transfer, code, err) ||
        explain_cut_handshake(transfer, code, cause, err))
        return;
    if (is_trust_failure(transfer, code)) {
        explain_trust(transfer, code, cause, err);
        return;
    }
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        const struct code_meaning *meaning = &meanings[i];
        if (meaning->code != code)
            continue;
        if (!meaning->text) {
            (void)np_fail_web(err, meaning->web_status, "curl", code, cause,
                              "no TLS connection to %s: %s", transfer->spec.host, cause);
            return;
        }
        np_web_status web_status = meaning->web_status;
        /* A reused connection that is lost before anything was answered and cannot be tried again
         * (RS-5). */
        const bool is_lost = code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
                             code == CURLE_SEND_ERROR || code == CURLE_SEND_FAIL_REWIND ||
                             (code == CURLE_COULDNT_CONNECT && transfer->no_socket);
        const char *activity =
            is_lost && was_sending(transfer) ? "sending the body" : np_transfer_activity(transfer);
        if (transfer->reused && !transfer->answered && is_lost)
            web_status = NP_WEB_KEEP_ALIVE_FAILURE;
        else if (!transfer->answered && !np_upload_is_out(transfer) && is_lost)
            web_status = NP_WEB_SEND_FAILURE; /* WS-9 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)np_fail_web(err, web_status, "curl", code, cause, meaning->text, activity);
#pragma GCC diagnostic pop
        return;
    }
    (void)np_fail_web(err, NP_WEB_UNKNOWN_ERROR, "curl", code, cause, "%s while %s",
                      curl_easy_strerror(code), np_transfer_activity(transfer));
}
