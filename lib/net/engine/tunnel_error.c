/*
 * Failures of proxies -> np_error. Floor 2; loop thread only.
 *
 * Each says which proxy, what it did, and what it was asked for. Whether another proxy may do
 * better is decided here too: it may where this one was not there, hung up before it said anything,
 * or was not to be trusted; an answer, whatever it says, is an answer.
 */
#include "tunnel_error.h"

#include "tunnel.h"

#include "fail.h"

#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

static const char *cause_of(const np_transfer *transfer, CURLcode code)
{
    return transfer->easy && transfer->easy->error[0] ? transfer->easy->error
                                                      : curl_easy_strerror(code);
}

void np_tunnel_explain_dial(const np_tunnel *tunnel, np_error *err)
{
    if (!tunnel || tunnel->origin_failed || err->status != NP_E_WEB)
        return;
    if (err->web_status == NP_WEB_NAME_RESOLUTION_FAILURE)
        err->web_status = NP_WEB_PROXY_NAME_RESOLUTION_FAILURE;
    (void)np_wrap(err, "proxy %s", tunnel->proxy->text);
}

/* --- TLS to the proxy --- */

static void explain_tls(const np_transfer *transfer, CURLcode code, np_error *err)
{
    const np_tunnel *tunnel = transfer->connection->tunnel;
    const char *text = tunnel->proxy->text;
    const char *cause = cause_of(transfer, code);
    const bool lost = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
                      code == CURLE_GOT_NOTHING || code == CURLE_COULDNT_CONNECT;
    if (tunnel->verify_result != X509_V_OK)
        (void)np_fail_web(err, NP_WEB_TRUST_FAILURE, "curl", (int)code, cause,
                          "proxy %s: its certificate is not trusted: %s", text,
                          X509_verify_cert_error_string(tunnel->verify_result));
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        (void)np_fail_web(err, NP_WEB_TRUST_FAILURE, "curl", (int)code, cause,
                          "proxy %s: its certificate is for another name", text);
    else if (lost)
        (void)np_fail_web(err, NP_WEB_CONNECTION_CLOSED, "curl", (int)code, cause,
                          "proxy %s: connection closed while setting up TLS to it", text);
    else
        (void)np_fail_web(err, NP_WEB_SECURE_CHANNEL_FAILURE, "curl", (int)code, cause,
                          "proxy %s: no TLS connection to it", text);
}

/* --- CONNECT --- */

static const struct answer_meaning {
    int status; /* 0: any other */
    np_web_status web_status;
    const char *text;
} answers[] = {
    {403, NP_WEB_REQUEST_PROHIBITED_BY_PROXY, "it does not allow this destination"    },
    {405, NP_WEB_REQUEST_PROHIBITED_BY_PROXY, "it does not allow CONNECT"             },
    {407, NP_WEB_PROTOCOL_ERROR,              "it asks for a user name and a password"},
    {502, NP_WEB_CONNECT_FAILURE,             "it does not reach the server"          },
    {503, NP_WEB_CONNECT_FAILURE,             "it does not reach the server"          },
    {504, NP_WEB_CONNECT_FAILURE,             "the server did not answer it in time"  },
    {0,   NP_WEB_CONNECT_FAILURE,             "it made no tunnel"                     },
};

static void explain_answer(const np_transfer *transfer, CURLcode code, np_error *err)
{
    const np_tunnel *tunnel = transfer->connection->tunnel;
    const struct answer_meaning *meaning = answers;
    while (meaning->status && meaning->status != tunnel->status)
        meaning++;
    const char *text = meaning->text;
    if (tunnel->status == 407 && tunnel->proxy->user)
        text = tunnel->offered ? "it does not take the user name and password"
                               : "it asks for a kind of authentication that is not known here";
    (void)np_fail_web(err, meaning->web_status, "curl", (int)code, NULL,
                      "proxy %s answered %d to CONNECT %s:%u: %s", tunnel->proxy->text,
                      tunnel->status, transfer->spec.host, (unsigned)transfer->spec.port, text);
}

static void explain_connect(const np_transfer *transfer, CURLcode code, np_error *err,
                            bool *proxy_fault)
{
    const np_tunnel *tunnel = transfer->connection->tunnel;
    const char *cause = cause_of(transfer, code);
    const char *text = tunnel->proxy->text;
    if (tunnel->is_complete) {
        explain_answer(transfer, code, err);
        return;
    }
    const bool lost = code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
                      code == CURLE_SEND_ERROR || code == CURLE_COULDNT_CONNECT;
    if (tunnel->answered) {
        (void)np_fail_web(err, NP_WEB_SERVER_PROTOCOL_VIOLATION, "curl", (int)code, cause,
                          "proxy %s: its answer to CONNECT is not HTTP, or broke off", text);
    } else if (lost) {
        *proxy_fault = true;
        (void)np_fail_web(err, NP_WEB_CONNECTION_CLOSED, "curl", (int)code, cause,
                          "proxy %s closed the connection without an answer to CONNECT", text);
    } else {
        (void)np_fail_web(err, NP_WEB_SERVER_PROTOCOL_VIOLATION, "curl", (int)code, cause,
                          "proxy %s: no tunnel", text);
    }
}

/* --- SOCKS --- */

static const char closed_in_socks[] = "closed the connection in the SOCKS dialogue";

static const struct socks_meaning {
    CURLproxycode code;
    int reply; /* its number in the protocol; 0: it is none, or any other */
    np_web_status web_status;
    bool proxy_fault;
    const char *text;
} refusals[] = {
    {CURLPX_CLOSED,                           0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_RECV_ADDRESS,                     0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_RECV_AUTH,                        0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_RECV_CONNECT,                     0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_RECV_REQACK,                      0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_SEND_AUTH,                        0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_SEND_CONNECT,                     0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_SEND_REQUEST,                     0,  NP_WEB_CONNECTION_CLOSED,           true,  closed_in_socks                          },
    {CURLPX_NO_AUTH,                          0,  NP_WEB_PROTOCOL_ERROR,              false,
     "takes none of our ways to log in: it asks for a user name and a password"                                                       },
    {CURLPX_USER_REJECTED,                    0,  NP_WEB_PROTOCOL_ERROR,              false,
     "does not take the user name and password"                                                                                       },
    {CURLPX_IDENTD,                           92, NP_WEB_PROTOCOL_ERROR,              false, "wants an identd here, and there is none"},
    {CURLPX_IDENTD_DIFFER,                    93, NP_WEB_PROTOCOL_ERROR,              false,
     "hears another user name from identd here"                                                                                       },
    {CURLPX_REQUEST_FAILED,                   91, NP_WEB_CONNECT_FAILURE,             true,  "rejected the request, or failed"        },
    {CURLPX_REPLY_GENERAL_SERVER_FAILURE,     1,  NP_WEB_CONNECT_FAILURE,             true,
     "has failed, it does not say of what"                                                                                            },
    {CURLPX_REPLY_NOT_ALLOWED,                2,  NP_WEB_REQUEST_PROHIBITED_BY_PROXY, false,
     "does not allow this destination"                                                                                                },
    {CURLPX_REPLY_NETWORK_UNREACHABLE,        3,  NP_WEB_CONNECT_FAILURE,             false,
     "finds the server's network unreachable"                                                                                         },
    {CURLPX_REPLY_HOST_UNREACHABLE,           4,  NP_WEB_CONNECT_FAILURE,             false,
     "finds the server unreachable"                                                                                                   },
    {CURLPX_REPLY_CONNECTION_REFUSED,         5,  NP_WEB_CONNECT_FAILURE,             false,
     "was refused by the server"                                                                                                      },
    {CURLPX_REPLY_TTL_EXPIRED,                6,  NP_WEB_CONNECT_FAILURE,             false,
     "got no answer from the server in time"                                                                                          },
    {CURLPX_REPLY_COMMAND_NOT_SUPPORTED,      7,  NP_WEB_CONNECT_FAILURE,             false,
     "does not know the command CONNECT"                                                                                              },
    {CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED, 8,  NP_WEB_CONNECT_FAILURE,             false,
     "does not know this kind of address"                                                                                             },
    {CURLPX_LONG_HOSTNAME,                    0,  NP_WEB_CONNECT_FAILURE,             false, "cannot be told so long a host name"     },
    {CURLPX_LONG_USER,                        0,  NP_WEB_PROTOCOL_ERROR,              false, "cannot be told so long a user name"     },
    {CURLPX_LONG_PASSWD,                      0,  NP_WEB_PROTOCOL_ERROR,              false, "cannot be told so long a password"      },
    {CURLPX_BAD_VERSION,                      0,  NP_WEB_SERVER_PROTOCOL_VIOLATION,   false,
     "does not speak this version of SOCKS"                                                                                           },
    {CURLPX_BAD_ADDRESS_TYPE,                 0,  NP_WEB_SERVER_PROTOCOL_VIOLATION,   false,
     "gave an answer that is not SOCKS"                                                                                               },
    {CURLPX_UNKNOWN_MODE,                     0,  NP_WEB_SERVER_PROTOCOL_VIOLATION,   false,
     "gave an answer that is not SOCKS"                                                                                               },
    {CURLPX_UNKNOWN_FAIL,                     0,  NP_WEB_CONNECT_FAILURE,             false,
     "refused with a code that is not known"                                                                                          },
    {CURLPX_REPLY_UNASSIGNED,                 0,  NP_WEB_CONNECT_FAILURE,             false,
     "refused with a code that is not known"                                                                                          },
};

static void explain_refusal(const np_transfer *transfer, CURLcode code,
                            const struct socks_meaning *meaning, np_error *err)
{
    const char *cause = meaning->code == CURLPX_REPLY_UNASSIGNED ||
                                meaning->code == CURLPX_UNKNOWN_FAIL /* its number is in there */
                            ? cause_of(transfer, code)
                            : NULL;
    char reply[32] = "";
    if (meaning->reply)
        (void)snprintf(reply, sizeof reply, "SOCKS reply %d, ", meaning->reply);
    (void)np_fail_web(err, meaning->web_status, "curl", (int)code, cause,
                      "proxy %s %s (%sasked for %s:%u)", transfer->connection->tunnel->proxy->text,
                      meaning->text, reply, transfer->spec.host, (unsigned)transfer->spec.port);
}

static void explain_socks(const np_transfer *transfer, CURLcode code, np_error *err,
                          bool *proxy_fault)
{
    const np_tunnel *tunnel = transfer->connection->tunnel;
    const char *cause = cause_of(transfer, code);
    long reason = CURLPX_OK;
    if (transfer->easy)
        (void)curl_easy_getinfo(transfer->easy->handle, CURLINFO_PROXY_ERROR, &reason);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct socks_meaning *meaning = &refusals[i];
        if ((long)meaning->code != reason)
            continue;
        *proxy_fault = meaning->proxy_fault;
        explain_refusal(transfer, code, meaning, err);
        return;
    }
    *proxy_fault = code != CURLE_PROXY;
    (void)np_fail_web(err, NP_WEB_CONNECT_FAILURE, "curl", (int)code, cause,
                      "proxy %s: no way through it", tunnel->proxy->text);
}

bool np_tunnel_explain(const np_transfer *transfer, CURLcode code, np_error *err, bool *proxy_fault)
{
    const np_tunnel *tunnel = transfer->connection ? transfer->connection->tunnel : NULL;
    *proxy_fault = false;
    if (!tunnel || transfer->connection->ready || code == CURLE_OUT_OF_MEMORY)
        return false;
    switch (tunnel->stage) {
    case NP_TUNNEL_TCP:
    case NP_TUNNEL_STANDS:
        return false;
    case NP_TUNNEL_PROXY_TLS:
        *proxy_fault = true;
        explain_tls(transfer, code, err);
        return true;
    case NP_TUNNEL_CONNECT:
        explain_connect(transfer, code, err, proxy_fault);
        return true;
    case NP_TUNNEL_SOCKS:
        explain_socks(transfer, code, err, proxy_fault);
        return true;
    }
    return false;
}

const char *np_tunnel_activity(const np_tunnel *tunnel)
{
    if (!tunnel)
        return NULL;
    switch (tunnel->stage) {
    case NP_TUNNEL_TCP:
        return "connecting to the proxy";
    case NP_TUNNEL_PROXY_TLS:
        return "setting up TLS to the proxy";
    case NP_TUNNEL_CONNECT:
        return "waiting for the proxy's answer to CONNECT";
    case NP_TUNNEL_SOCKS:
        return "waiting for the SOCKS proxy";
    case NP_TUNNEL_STANDS:
        return NULL;
    }
    return NULL;
}
