/*
 * See follow.h. Floor 2; the loop's thread.
 *
 * What is decided at the header and what is done at the end are apart: an abort, a time limit or a
 * failure of the body may come in between, and the fields a transfer was given are borrowed until
 * it is gone.
 */
#include "follow.h"

#include "auth_cache.h"
#include "clock.h"
#include "fail.h"
#include "hop_rules.h"
#include "message.h"
#include "sending.h"
#include "url_resolve.h"

#include <stdlib.h>
#include <string.h>

#define AUTHORIZATION_MAX (128u * 1024)

enum { AUTH_ANSWERS_MAXIMUM = 2 }; /* the second for a nonce that is stale */

/* --- credentials --- */

/* Those of np_request_set_credentials are for the origin of the request's own URL. */
static bool has_credentials(const np_request *request)
{
    const np_follow *follow = &request->follow;
    return follow->user && np_url_same_origin(&request->url, follow->url);
}

static np_auth_place place_of(const np_request *request)
{
    const np_follow *follow = &request->follow;
    return (np_auth_place){follow->url, follow->user, follow->password};
}

/* The fields of the next hop, to be changed; NULL: no memory. Those of the request stay as the
 * caller has set them, and may be looked at. */
static np_header_list *own_fields(np_request *request, np_error *err)
{
    np_follow *follow = &request->follow;
    if (!follow->has_fields && np_header_list_copy(&request->fields, &follow->fields, err))
        return NULL;
    follow->has_fields = true;
    return &follow->fields;
}

/* Puts the answer to `auth` among the fields. */
static np_status authorize(np_request *request, np_auth *auth, np_error *err)
{
    const np_follow *follow = &request->follow;
    const np_auth_question question = {.user = follow->user,
                                       .password = follow->password,
                                       .method = follow->method,
                                       .target = follow->url->target};
    np_header_list *fields = own_fields(request, err);
    if (!fields)
        return NP_E_NO_MEMORY;
    np_textbuf text;
    np_textbuf_init(&text, AUTHORIZATION_MAX);
    np_follow_drop_authorization(fields);
    np_status status = np_auth_answer(auth, &question, &text, err);
    if (!status)
        status = np_header_list_set(fields, "Authorization", text.text, text.length, err);
    if (text.length > 0)
        explicit_bzero(text.text, text.length);
    np_textbuf_done(&text);
    return status;
}

static void authorize_early(np_request *request)
{
    np_follow *follow = &request->follow;
    follow->auth_sent_early = false;
    if (!follow->pre_authenticate || !has_credentials(request))
        return;
    const np_auth_place place = place_of(request);
    np_auth *known = np_auth_cache_find(&request->context->auth_cache, &place);
    /* Where it cannot be made the request is challenged, as without pre_authenticate. */
    if (known)
        follow->auth_sent_early = authorize(request, known, NULL) == NP_OK;
}

/* An answer that is not 401: what was said of ourselves was good. */
static void remember_auth(np_request *request)
{
    np_follow *follow = &request->follow;
    if (!follow->pre_authenticate || follow->auth.scheme == NP_AUTH_NONE)
        return;
    const np_auth_place place = place_of(request);
    np_auth_cache_put(&request->context->auth_cache, &place, &follow->auth);
}

/* Is another answer worth a hop, after what was sent already? */
static bool may_answer(const np_follow *follow, const np_auth *challenge)
{
    switch (challenge->scheme) {
    case NP_AUTH_BASIC: /* the same words again would be refused again */
        return follow->auth_count == 0 && !follow->auth_sent_early;
    case NP_AUTH_DIGEST:
        return follow->auth_count == 0 ||
               (challenge->stale && follow->auth_count < AUTH_ANSWERS_MAXIMUM);
    default:
        return false;
    }
}

static bool plan_auth(np_request *request, np_transfer *transfer, np_error *refusal)
{
    np_follow *follow = &request->follow;
    if (!has_credentials(request))
        return false;
    size_t count;
    const np_header_line *fields = np_transfer_headers(transfer, &count);
    np_error failure;
    if (np_auth_choose(fields, count, "WWW-Authenticate", &follow->plan_auth, &failure)) {
        *refusal = failure;
        return false;
    }
    if (may_answer(follow, &follow->plan_auth)) {
        follow->plan = NP_FOLLOW_AUTH;
        return true;
    }
    const bool refused = follow->auth_count > 0 || follow->auth_sent_early;
    (void)np_fail_web(refusal, NP_WEB_PROTOCOL_ERROR, NULL, 401, NULL,
                      refused ? "the server refused the credentials with status 401"
                              : "the server asks for authentication of a kind that is not known "
                                "here: expected Basic or Digest");
    if (follow->auth_sent_early) {
        const np_auth_place place = place_of(request);
        np_auth_cache_remove(&request->context->auth_cache, &place);
    }
    np_auth_done(&follow->plan_auth);
    return false;
}

/* --- redirects --- */

static np_status refuse(np_error *err, int status, const char *text)
{
    return np_fail_web(err, NP_WEB_PROTOCOL_ERROR, NULL, status, NULL,
                       "the redirect with status %d is not followed: %s", status, text);
}

/* RS-2. */
static np_status check_redirect(const np_request *request, int status, const np_url *to,
                                np_error *refusal)
{
    const np_follow *follow = &request->follow;
    if (follow->redirect_count >= follow->redirects_maximum)
        return np_fail_web(refusal, NP_WEB_PROTOCOL_ERROR, NULL, status, NULL,
                           "more than %u redirects: the last answer has status %d",
                           follow->redirects_maximum, status);
    if (!follow->allow_downgrade && strcmp(follow->url->scheme, "https") == 0 &&
        strcmp(to->scheme, "http") == 0)
        return refuse(refusal, status, "it leads from https to http");
    return NP_OK;
}

static bool plan_redirect(np_request *request, np_transfer *transfer, np_error *refusal)
{
    np_follow *follow = &request->follow;
    const int status = np_transfer_status(transfer);
    size_t count;
    const np_header_line *fields = np_transfer_headers(transfer, &count);
    const np_header_line *location = np_header_find(fields, count, "Location");
    if (!location) {
        (void)refuse(refusal, status, "it has no Location");
        return false;
    }
    np_follow_address *to = calloc(1, sizeof *to);
    if (!to) {
        (void)np_fail(refusal, NP_E_NO_MEMORY, "no memory for a URL");
        return false;
    }
    np_error malformed;
    if (np_url_resolve(follow->url, location->value, location->value_length, &to->url, &malformed))
        (void)refuse(refusal, status, malformed.text);
    else if (!check_redirect(request, status, &to->url, refusal)) {
        follow->plan = NP_FOLLOW_REDIRECT;
        follow->plan_address = to;
        follow->plan_method = np_hop_method(status, follow->method);
        return true;
    }
    np_url_done(&to->url);
    free(to);
    return false;
}

/* RS-1. */
static np_status refuse_replay(np_error *err, int status)
{
    return np_fail_web(err, NP_WEB_PROTOCOL_ERROR, NULL, status, NULL,
                       "status %d asks for the body again, and it was not buffered", status);
}

/* Is the body sent with the next hop? */
static bool needs_body(const np_request *request)
{
    const np_follow *follow = &request->follow;
    return follow->plan != NP_FOLLOW_REDIRECT || strcmp(follow->plan_method, follow->method) == 0;
}

/* An empty body goes without it. */
static bool has_sent_expect(np_request *request)
{
    const np_transfer_spec *spec = &request->spec;
    if (!spec->expect_continue || spec->body_form == NP_BODY_FORM_NONE)
        return false;
    if (spec->body_form == NP_BODY_FORM_CHUNKED || !spec->hold)
        return spec->body_form == NP_BODY_FORM_CHUNKED || spec->body_length > 0;
    pthread_mutex_lock(&request->lock);
    const bool has_bytes = request->outgoing.written > 0;
    pthread_mutex_unlock(&request->lock);
    return has_bytes;
}

/* The server does not know Expect: once more without it. The next 417 is an answer like any other.
 */
static bool plan_without_expect(np_request *request, np_error *refusal)
{
    if (request->spec.hop_reason == NP_HOP_EXPECT_FAILED)
        (void)np_fail_web(refusal, NP_WEB_PROTOCOL_ERROR, NULL, 417, NULL,
                          "the server answers with status 417 without Expect too");
    if (!has_sent_expect(request))
        return false;
    request->follow.plan = NP_FOLLOW_EXPECT;
    return true;
}

bool np_follow_header(np_request *request, np_transfer *transfer, np_error *refusal)
{
    const np_follow *follow = &request->follow;
    const int status = np_transfer_status(transfer);
    *refusal = (np_error){0};
    bool follows = false;
    if (status != 401)
        remember_auth(request);
    if (status == 401)
        follows = plan_auth(request, transfer, refusal);
    else if (status == 417)
        follows = plan_without_expect(request, refusal);
    else if (follow->auto_redirect && np_hop_is_redirect(status))
        follows = plan_redirect(request, transfer, refusal);
    else if (np_transfer_may_answer_proxy(transfer) && !np_sending_can_replay(request))
        (void)refuse_replay(refusal, status); /* RS-1: the engine answers it where it can */
    if (follows && needs_body(request) && !np_sending_can_replay(request)) { /* RS-1 */
        (void)refuse_replay(refusal, status);
        np_follow_state_drop_plan(&request->follow);
        follows = false;
    }
    if (follows) {
        request->follow.plan_waits = !needs_body(request) && np_sending_must_wait(request);
        np_transfer_settle(transfer); /* its header is all that was wanted */
        np_message_drain(request, transfer);
    }
    return follows;
}

/* --- the next hop --- */

/* RS-3. */
static np_status drop_fields(np_request *request, unsigned why, np_error *err)
{
    np_header_list *fields = own_fields(request, err);
    if (!fields)
        return NP_E_NO_MEMORY;
    np_follow_drop_authorization(fields);
    for (size_t i = fields->count; i > 0; i--)
        if (np_hop_drops_field(&fields->lines[i - 1], why))
            np_header_list_remove(fields, fields->lines[i - 1].name);
    if (why & NP_HOP_BODY_DROPPED)
        request->spec.expect = NULL;
    return NP_OK;
}

static np_status apply_redirect(np_request *request, np_error *err)
{
    np_follow *follow = &request->follow;
    const np_url *from = follow->url;
    np_follow_address *address = follow->plan_address;
    const np_url *to = &address->url;
    const bool body_dropped = strcmp(follow->plan_method, follow->method) != 0;
    const bool host_differs = strcmp(from->host, to->host) != 0 || from->port != to->port;
    const np_status status = drop_fields(
        request,
        NP_HOP_ANY | (np_url_same_origin(from, to) ? 0u : (unsigned)NP_HOP_OTHER_ORIGIN) |
            (strcmp(from->scheme, "https") == 0 ? NP_HOP_LEFT_HTTPS : 0u) |
            (body_dropped ? NP_HOP_BODY_DROPPED : 0u),
        err);
    if (status)
        return status;
    if (host_differs)
        request->spec.host_header = NULL;

    follow->plan_address = NULL;
    address->next = follow->addresses;
    follow->addresses = address;
    follow->method = follow->plan_method;
    follow->redirect_count++;
    follow->auth_count = 0;
    np_auth_done(&follow->auth);
    pthread_mutex_lock(&request->lock);
    follow->url = to;
    pthread_mutex_unlock(&request->lock);
    authorize_early(request);
    return NP_OK;
}

static np_status apply_auth(np_request *request, np_error *err)
{
    np_follow *follow = &request->follow;
    np_auth_done(&follow->auth);
    follow->auth = follow->plan_auth;
    follow->plan_auth = (np_auth){0};
    follow->auth_count++;
    return authorize(request, &follow->auth, err);
}

static void use_fields(np_request *request)
{
    const np_header_list *fields =
        request->follow.has_fields ? &request->follow.fields : &request->fields;
    request->spec.headers = fields->lines;
    request->spec.header_count = fields->count;
}

static void fill_spec(np_request *request, const np_transfer *before, uint8_t reason)
{
    const np_follow *follow = &request->follow;
    np_transfer_spec *spec = &request->spec;
    spec->method = follow->method;
    spec->url = follow->url->text;
    spec->scheme = follow->url->scheme;
    spec->host = follow->url->host;
    spec->port = follow->url->port;
    spec->target = follow->url->target;
    use_fields(request);
    spec->begin_ns = np_transfer_end_ns(before);
    spec->hop = np_transfer_hop(before) + 1;
    spec->hop_of = follow->first_number;
    spec->hop_reason = reason;
}

void np_follow_prepare(np_request *request)
{
    request->follow.method = request->method;
    authorize_early(request);
    use_fields(request);
}

static bool is_aborted(np_request *request)
{
    pthread_mutex_lock(&request->lock);
    const bool aborted = request->state == NP_REQUEST_ABORTED;
    pthread_mutex_unlock(&request->lock);
    return aborted;
}

static const uint8_t reason_of[] = {[NP_FOLLOW_REDIRECT] = NP_HOP_REDIRECT,
                                    [NP_FOLLOW_AUTH] = NP_HOP_AUTH,
                                    [NP_FOLLOW_EXPECT] = NP_HOP_EXPECT_FAILED};

np_follow_step np_follow_done(np_request *request, const np_transfer *transfer,
                              const np_error *failure, np_error *err)
{
    np_follow *follow = &request->follow;
    const np_follow_kind plan = follow->plan;
    if (plan == NP_FOLLOW_NONE)
        return NP_FOLLOW_END;
    /* The header was whole: what became of a body that nobody reads does not matter, but for the
     * time limit of the whole. */
    if (is_aborted(request) || (failure && failure->web_status == NP_WEB_TIMEOUT)) {
        np_follow_state_drop_plan(follow);
        return NP_FOLLOW_END;
    }
    np_status status = NP_OK;
    const bool drops_body = !needs_body(request);
    if (!drops_body && !np_sending_can_replay(request)) /* taken since the header came */
        status = refuse_replay(err, np_transfer_status(transfer));
    else if (plan == NP_FOLLOW_REDIRECT)
        status = apply_redirect(request, err);
    else if (plan == NP_FOLLOW_AUTH)
        status = apply_auth(request, err);
    else
        request->expect_continue = false; /* before np_sending_next_hop says how the body comes */
    np_follow_state_drop_plan(follow);
    if (status)
        return NP_FOLLOW_FAIL;
    fill_spec(request, transfer, reason_of[plan]);
    np_sending_next_hop(request, drops_body);
    return follow->plan_waits ? NP_FOLLOW_WAIT : NP_FOLLOW_NEXT;
}
