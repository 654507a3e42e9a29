/*
 * Every way in which a proxy can fail once it is connected, and what that is called. For tests: of
 * the engine, and of the programs that show it.
 */
#ifndef NP_TESTS_PROXY_FAILURES_H
#define NP_TESTS_PROXY_FAILURES_H

#include "proxy.h"

#include <netphase/status.h>
#include <stdbool.h>

#define ORIGIN "https://origin.test:4443/"
#define PLAIN  "http://origin.test:8080/"
#define ASKED                                                                                      \
    "head; send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Basic "                                 \
    "realm=\\\"x\\\"\\r\\nContent-Length: 0\\r\\n\\r\\n\""
/* after the greeting and the request of SOCKS5 for origin.test */
#define SOCKS(CODE)                                                                                \
    "body 3; send \"\\x05\\x00\"; body 18; send \"\\x05" CODE "\\x00\\x01\\0\\0\\0\\0\\0\\0\"; "   \
    "hang"

/* A proxy that fails, by a script. */
struct proxy_failure {
    const char *name;
    np_proxy_kind kind;
    bool user;
    const char *url;
    const char *script;
    np_web_status web_status;
    const char *words;
    bool next; /* the next entry is tried */
    int rounds;
};

/* clang-format off: a failure, a paragraph */
static const struct proxy_failure proxy_failures[] = {
    {"407 without credentials", NP_PROXY_HTTP, false, ORIGIN,
     ASKED "; hang",
     NP_WEB_PROTOCOL_ERROR, "answered 407 to CONNECT origin.test:4443: it asks for a user name", false, 1},
    {"407 for ever", NP_PROXY_HTTP, true, ORIGIN,
     ASKED "; again",
     NP_WEB_PROTOCOL_ERROR, "it does not take the user name and password", false, 2},
    {"407 for ever, closing", NP_PROXY_HTTP, true, ORIGIN,
     "head; send \"HTTP/1.0 407 No\\r\\nProxy-Authenticate: Basic realm=x\\r\\n\\r\\n\"",
     NP_WEB_PROTOCOL_ERROR, "it does not take the user name and password", false, 3},
    {"407 for ever, closing as it says", NP_PROXY_HTTP, true, ORIGIN,
     "head; send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Basic realm=x\\r\\nConnection: close\\r\\n\\r\\n\"",
     NP_WEB_PROTOCOL_ERROR, "it does not take the user name and password", false, 2},
    {"407 of an unknown kind", NP_PROXY_HTTP, true, ORIGIN,
     "head; send \"HTTP/1.1 407 No\\r\\nProxy-Authenticate: Riddle a=b\\r\\nContent-Length: 0\\r\\n\\r\\n\"; hang",
     NP_WEB_PROTOCOL_ERROR, "authentication that is not known", false, 1},
    {"403", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 403 No\\r\\nContent-Length: 2\\r\\n\\r\\nno\"; hang",
     NP_WEB_REQUEST_PROHIBITED_BY_PROXY, "answered 403 to CONNECT origin.test:4443: it does not allow this destination", false, 1},
    {"502", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 502 No\\r\\n\\r\\n\"",
     NP_WEB_CONNECT_FAILURE, "answered 502", false, 1},
    {"504", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 504 No\\r\\n\\r\\n\"",
     NP_WEB_CONNECT_FAILURE, "did not answer it in time", false, 1},
    {"500", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 500 No\\r\\n\\r\\n\"",
     NP_WEB_CONNECT_FAILURE, "answered 500", false, 1},
    {"closed", NP_PROXY_HTTP, false, ORIGIN,
     "head",
     NP_WEB_CONNECTION_CLOSED, "without an answer to CONNECT", true, 1},
    {"reset", NP_PROXY_HTTP, false, ORIGIN,
     "head; reset",
     NP_WEB_CONNECTION_CLOSED, "without an answer to CONNECT", true, 1},
    {"broken off", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 200 OK\\r\\nVia: \"",
     NP_WEB_SERVER_PROTOCOL_VIOLATION, "broke off", false, 1},
    {"garbage", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"\\x16\\x03\\x01 what?\\r\\n\\r\\n\"",
     NP_WEB_SERVER_PROTOCOL_VIOLATION, "not HTTP", false, 1},
    {"closed in the tunnel", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 200 OK\\r\\n\\r\\n\"; first",
     NP_WEB_SECURE_CHANNEL_FAILURE, "no TLS connection to origin.test", false, 1},
    {"no TLS", NP_PROXY_HTTPS, false, ORIGIN,
     "first; send \"HTTP/1.1 400 No\\r\\n\\r\\n\"; hang",
     NP_WEB_SECURE_CHANNEL_FAILURE, "no TLS connection to it", true, 0},
    {"TLS closed", NP_PROXY_HTTPS, false, ORIGIN,
     "first",
     NP_WEB_SECURE_CHANNEL_FAILURE, "no TLS connection to it", true, 0},
    {"plain 407 without credentials", NP_PROXY_HTTP, false, PLAIN,
     ASKED "; hang",
     NP_WEB_SUCCESS, NULL, false, 0},
    {"plain 407 for ever", NP_PROXY_HTTP, true, PLAIN,
     ASKED "; again",
     NP_WEB_SUCCESS, NULL, false, 0},
    {"plain closed", NP_PROXY_HTTP, false, PLAIN,
     "head",
     NP_WEB_CONNECTION_CLOSED, "closed by the server", false, 0},
    {"socks closed", NP_PROXY_SOCKS5H, false, PLAIN,
     "body 3",
     NP_WEB_CONNECTION_CLOSED, "in the SOCKS dialogue", true, 0},
    {"socks general failure", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x01"),
     NP_WEB_CONNECT_FAILURE, "has failed", true, 0},
    {"socks not allowed", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x02"),
     NP_WEB_REQUEST_PROHIBITED_BY_PROXY, "does not allow", false, 0},
    {"socks network unreachable", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x03"),
     NP_WEB_CONNECT_FAILURE, "network unreachable", false, 0},
    {"socks host unreachable", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x04"),
     NP_WEB_CONNECT_FAILURE, "server unreachable", false, 0},
    {"socks refused", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x05"),
     NP_WEB_CONNECT_FAILURE, "was refused by the server", false, 0},
    {"socks ttl", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x06"),
     NP_WEB_CONNECT_FAILURE, "no answer from the server", false, 0},
    {"socks command", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x07"),
     NP_WEB_CONNECT_FAILURE, "command CONNECT", false, 0},
    {"socks address type", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x08"),
     NP_WEB_CONNECT_FAILURE, "kind of address", false, 0},
    {"socks unknown code", NP_PROXY_SOCKS5H, false, PLAIN,
     SOCKS("\\x42"),
     NP_WEB_CONNECT_FAILURE, "not known", false, 0},
    {"socks wants a password", NP_PROXY_SOCKS5H, false, PLAIN,
     "body 3; send \"\\x05\\xff\"; hang",
     NP_WEB_PROTOCOL_ERROR, "takes none of our ways", false, 0},
    {"socks password refused", NP_PROXY_SOCKS5H, true, PLAIN,
     "body 4; send \"\\x05\\x02\"; body 12; send \"\\x01\\x01\"; hang",
     NP_WEB_PROTOCOL_ERROR, "does not take the user name", false, 0},
    {"socks garbage", NP_PROXY_SOCKS5H, false, PLAIN,
     "body 3; send \"HT\"; hang",
     NP_WEB_SERVER_PROTOCOL_VIOLATION, "SOCKS", false, 0},
    {"socks4 rejected", NP_PROXY_SOCKS4A, false, PLAIN,
     "body 21; send \"\\0\\x5b\\0\\0\\0\\0\\0\\0\"; hang",
     NP_WEB_CONNECT_FAILURE, "rejected the request", true, 0},
    {"503", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 503 No\\r\\n\\r\\n\"",
     NP_WEB_CONNECT_FAILURE, "answered 503 to CONNECT origin.test:4443: it does not reach the server", false, 1},
    {"405", NP_PROXY_HTTP, false, ORIGIN,
     "head; send \"HTTP/1.1 405 No\\r\\n\\r\\n\"",
     NP_WEB_REQUEST_PROHIBITED_BY_PROXY, "it does not allow CONNECT", false, 1},
    {"plain 407 by an open proxy that closes", NP_PROXY_HTTP, false, PLAIN,
     "head; send \"HTTP/1.1 407 No\\r\\nConnection: close\\r\\n\\r\\n\"",
     NP_WEB_SUCCESS, NULL, false, 0},
    {"socks4a closed", NP_PROXY_SOCKS4A, false, PLAIN,
     "body 21",
     NP_WEB_CONNECTION_CLOSED, "in the SOCKS dialogue", true, 0},
    {"socks4a wants identd", NP_PROXY_SOCKS4A, false, PLAIN,
     "body 21; send \"\\0\\x5c\\0\\0\\0\\0\\0\\0\"; hang",
     NP_WEB_PROTOCOL_ERROR, "identd here, and there is none (SOCKS reply 92, asked for origin.test:8080)", false, 0},
    {"socks4a hears another user", NP_PROXY_SOCKS4A, false, PLAIN,
     "body 21; send \"\\0\\x5d\\0\\0\\0\\0\\0\\0\"; hang",
     NP_WEB_PROTOCOL_ERROR, "another user name", false, 0},
    {"socks reset", NP_PROXY_SOCKS5H, false, PLAIN,
     "body 3; reset",
     NP_WEB_CONNECTION_CLOSED, "in the SOCKS dialogue", true, 0},
};
/* clang-format on */

#endif
