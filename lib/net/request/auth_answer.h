/*
 * What answers a challenge: the value of an Authorization field, for Basic (RFC 7617) and Digest
 * (RFC 7616, and RFC 2069 where a server names no quality of protection). Floor 2; any thread.
 *
 * Digest is computed here and not by libcurl. libcurl keeps the challenge in the easy handle that
 * saw the 401, takes the first Digest of several and ignores later ones on the same handle, and
 * starts a round of its own where a nonce is stale; the request layer makes such a round a hop, and
 * its handles go from one request to the next. So the handles stay without a memory of
 * credentials, and a nonce can be used on any connection.
 */
#ifndef NP_NET_AUTH_ANSWER_H
#define NP_NET_AUTH_ANSWER_H

#include "auth_challenge.h"
#include "textbuf.h"

typedef struct np_digest_algorithm np_digest_algorithm;

/* A challenge that was chosen, and what has to be kept to answer it again. */
typedef struct np_auth {
    np_auth_scheme scheme;
    /* Digest: */
    const np_digest_algorithm *algorithm;
    char *texts; /* what the next ones lie in, owned */
    const char *realm, *nonce, *opaque /* NULL: none */;
    const char *algorithm_name; /* as the server wrote it; NULL: it did not */
    bool has_qop, session, hashes_user, stale;
    uint32_t count; /* how often the nonce was used */
} np_auth;

/* Takes the best challenge that can be answered out of every field of that name; NP_AUTH_NONE: none
 * can. `out` is owned: np_auth_done. NP_E_NO_MEMORY. */
np_status np_auth_choose(const np_header_line *fields, size_t count, const char *field_name,
                         np_auth *out, np_error *err);
void np_auth_done(np_auth *auth); /* also of a zeroed one */

typedef struct np_auth_question {
    const char *user, *password;
    const char *method, *target; /* of the request line */
    const char *cnonce;          /* NULL: a random one; tests give their own */
} np_auth_question;

/* Adds the field's value. NP_E_NO_MEMORY; NP_E_NOT_SUPPORTED where the cryptographic library has no
 * such hash. */
np_status np_auth_answer(np_auth *auth, const np_auth_question *question, np_textbuf *out,
                         np_error *err);

#endif
