/*
 * An origin that asks for Digest authentication and really verifies it (RFC 7616): the response
 * hash is computed here from the password, apart from the library's own code, and a nonce's count
 * must go up by one each time. On 127.0.0.1 and a port of its own, a thread a connection,
 * keep-alive. Every request that gets through is answered with 200 and "welcome".
 */
#ifndef NP_TESTS_DIGEST_SERVER_H
#define NP_TESTS_DIGEST_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct digest_options {
    const char *algorithm; /* "MD5", "SHA-256", "SHA-512-256", with "-sess"; NULL: not said (MD5) */
    bool without_qop;      /* as RFC 2069 */
    bool hashes_user;
    bool offers_basic;   /* a Basic challenge in the same field, before the Digest one */
    unsigned nonce_uses; /* then it is stale; 0: never */
};

struct digest_server;

/* NULL: no memory or no port. The user is "Mufasa", the password "Circle of Life". */
struct digest_server *digest_server_start(const struct digest_options *options);
void digest_server_stop(struct digest_server *server); /* ends every connection */
uint16_t digest_server_port(const struct digest_server *server);

struct digest_counts {
    unsigned requests, connections;
    unsigned challenged; /* without an answer */
    unsigned accepted, stale;
    unsigned body_bytes; /* of all requests with a Content-Length */
    unsigned refused;    /* with an answer that does not hold */
    char why[256];       /* of the last refusal */
};
struct digest_counts digest_server_counts(struct digest_server *server);

#endif
