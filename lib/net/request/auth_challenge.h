/*
 * The challenges of a WWW-Authenticate field: reading them (RFC 9110 section 11), and choosing the
 * one to answer. Floor 2; pure, any thread.
 *
 * One field may hold several challenges, and the comma parts both challenges and the parameters of
 * one: `Basic realm="a", Digest realm="b", nonce="c"`. What is no challenge is skipped up to the
 * next comma; what came before it stays.
 */
#ifndef NP_NET_AUTH_CHALLENGE_H
#define NP_NET_AUTH_CHALLENGE_H

#include "transfer.h"

/* In the order of preference. NTLM and Negotiate bind a connection and need rounds of libcurl's:
 * they are told apart and not answered yet. */
typedef enum np_auth_scheme {
    NP_AUTH_NONE, /* another scheme, or a challenge that cannot be answered */
    NP_AUTH_NTLM,
    NP_AUTH_NEGOTIATE,
    NP_AUTH_BASIC,
    NP_AUTH_DIGEST
} np_auth_scheme;

enum { NP_CHALLENGE_PARAMETERS = 16 }; /* more are skipped: RFC 7616 knows eleven */

typedef struct np_challenge_parameter {
    const char *name, *value; /* NUL-terminated; quotes and escapes are gone */
} np_challenge_parameter;

typedef struct np_challenge {
    const char *scheme_name;
    const char *token68; /* what some schemes have in place of parameters; NULL: none */
    np_challenge_parameter parameters[NP_CHALLENGE_PARAMETERS];
    size_t parameter_count;
} np_challenge;

/* Reads the next challenge at *text, which is taken apart in place; the texts of `out` lie in it.
 * false: there is none. */
bool np_challenge_next(char **text, np_challenge *out);

/* The value of a parameter, ignoring case of the name; NULL: not there. The first one counts. */
const char *np_challenge_parameter_of(const np_challenge *challenge, const char *name);

np_auth_scheme np_challenge_scheme(const np_challenge *challenge);

#endif
