/*
 * What a request remembers of following its answers: its settings, where it is, what was decided
 * for the next hop. Floor 2; the loop's, where nothing else is said.
 */
#ifndef NP_NET_FOLLOW_STATE_H
#define NP_NET_FOLLOW_STATE_H

#include "auth_answer.h"
#include "header_list.h"
#include "url.h"

/* A URL that a redirect led to. All of them stay until the request goes: the address was given out
 * as a pointer. */
typedef struct np_follow_address {
    struct np_follow_address *next;
    np_url url;
} np_follow_address;

typedef enum np_follow_kind {
    NP_FOLLOW_NONE, /* the answer is the final one */
    NP_FOLLOW_REDIRECT,
    NP_FOLLOW_AUTH,
    NP_FOLLOW_EXPECT /* 417: once more, without Expect */
} np_follow_kind;

typedef struct np_follow {
    /* configuration: changes in CREATED only */
    bool auto_redirect, allow_downgrade, pre_authenticate;
    uint32_t redirects_maximum;
    uint32_t decompression; /* NP_DECOMPRESS_* */
    char *user, *password;  /* NULL: no credentials */

    /* guarded by the request's lock; written by the loop */
    const np_url *url; /* of the hop under way */

    /* the loop's */
    np_header_list fields; /* of later hops, and of a first one that says who asks; a copy */
    bool has_fields;       /* it was made: until then those of the request are sent */
    const char *method;    /* of the hop under way; static, or the request's own */
    np_follow_address *addresses;
    uint32_t first_number; /* the request number of hop 0 in the trace */
    uint32_t redirect_count;
    np_auth auth;         /* the challenge that was answered; scheme NP_AUTH_NONE: none was */
    uint32_t auth_count;  /* challenges answered at this URL */
    bool auth_sent_early; /* pre_authenticate: what was sent came from the context's store */
    np_follow_kind plan;
    np_follow_address *plan_address; /* REDIRECT: where to; owned until it is taken */
    const char *plan_method;
    bool plan_waits;   /* the next hop has no body, and the caller is still to write it (RS-1) */
    np_auth plan_auth; /* AUTH: owned until it is taken */
} np_follow;

/* `url` and `method`: of the first hop; borrowed, as long as the state is used. */
void np_follow_state_init(np_follow *follow, const np_url *url, const char *method);
void np_follow_state_done(np_follow *follow); /* wipes the credentials */
/* The answer is the final one: nothing is planned. */
void np_follow_state_drop_plan(np_follow *follow);

/* Removes Authorization from the fields of a request, and wipes what may be a password. */
void np_follow_drop_authorization(np_header_list *fields);

#endif
