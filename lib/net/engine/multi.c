/*
 * libcurl's multi handle on our loop. Floor 2; loop thread only.
 *
 * - Zero timers: TIMERFUNCTION only notes the time. libcurl asks for "now" after nearly every step;
 * a timer of the loop for that would be half of a request's cost. So after each batch it is called
 * as long as its time is due, within reason, and a timer is started for real waits only.
 * - Sticky registration: see connection.c. What libcurl wants beyond input is followed; REMOVE
 * means nothing but "not for output" unless the transfer is paused: then input stays unread, and
 * watching for it would spin.
 */
#include "multi.h"

#include "boundary.h"
#include "connection.h"

#include "fail.h"

#define AT_ONCE 1 /* a time that is always due */

/* A body that comes as fast as it is read makes libcurl ask for "now" for ever. What is still due
 * after this time is a timer of the loop, so that deadlines, aborts and the others get their turn.
 */
#define LONGEST_DRIVE_NS NP_NS_PER_MS

static int on_timer(CURLM *multi, long wait_ms, void *user)
{
    (void)multi;
    np_engine *engine = user;
    if (wait_ms < 0)
        engine->curl_deadline_ns = 0;
    else if (wait_ms == 0)
        engine->curl_deadline_ns = AT_ONCE;
    else
        engine->curl_deadline_ns = np_now() + (uint64_t)wait_ms * NP_NS_PER_MS;
    return 0;
}

static int on_socket(CURL *handle, curl_socket_t fd, int what, void *user, void *socket_user)
{
    (void)socket_user;
    const np_engine *engine = user;
    np_connection *connection = (size_t)fd < engine->fd_count ? engine->by_fd[fd] : NULL;
    if (!connection || !connection->watch)
        return 0;
    np_transfer *transfer = connection->transfer;
    /* Of several streams nobody knows whose step it was. */
    if (transfer && connection->protocol != 20 && transfer->easy &&
        transfer->easy->handle == handle)
        np_boundary_step(transfer, what);
    unsigned interest = 0;
    switch (what) {
    case CURL_POLL_IN:
        interest = NP_LOOP_READ;
        break;
    case CURL_POLL_OUT:
        interest = NP_LOOP_WRITE;
        break;
    case CURL_POLL_INOUT:
        interest = NP_LOOP_READ | NP_LOOP_WRITE;
        break;
    default:
        interest = np_connection_is_paused(connection) ? 0 : NP_LOOP_READ;
        break;
    }
    np_loop_watch_change(connection->watch, interest);
    return 0;
}

np_status np_multi_create(np_engine *engine, np_error *err)
{
    engine->multi = curl_multi_init();
    if (!engine->multi)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for libcurl's multi handle");
    CURLMcode rc = curl_multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine);
    rc = rc ? rc : curl_multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    rc = rc ? rc : curl_multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine);
    if (rc)
        return np_fail_layer(err, NP_E_NO_MEMORY, "curl", rc, curl_multi_strerror(rc),
                             "cannot set up libcurl");
    return NP_OK;
}

void np_multi_free(np_engine *engine)
{
    np_loop_timer_cancel(engine->curl_timer);
    engine->curl_timer = NULL;
    if (!engine->multi)
        return;
    engine->inside_curl++;
    (void)curl_multi_cleanup(engine->multi); /* fails only for handles that are none */
    engine->inside_curl--;
}

static bool is_due(const np_engine *engine)
{
    return engine->curl_deadline_ns == AT_ONCE ||
           (engine->curl_deadline_ns != 0 && engine->curl_deadline_ns <= np_now());
}

void np_multi_drive(np_engine *engine)
{
    int running;
    uint64_t end_ns = 0; /* the clock is read for the second call only */
    engine->inside_curl++;
    while (is_due(engine)) {
        engine->curl_deadline_ns = 0;
        (void)curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0,
                                       &running); /* failures are messages */
        if (engine->curl_deadline_ns == 0)
            break;
        const uint64_t now_ns = np_now();
        if (end_ns == 0)
            end_ns = now_ns + LONGEST_DRIVE_NS;
        else if (now_ns > end_ns)
            break;
    }
    engine->inside_curl--;
}

CURLMcode np_multi_add(np_engine *engine, np_easy *easy)
{
    engine->inside_curl++;
    const CURLMcode rc = curl_multi_add_handle(engine->multi, easy->handle);
    engine->inside_curl--;
    easy->in_multi = rc == CURLM_OK;
    if (rc == CURLM_OK)
        np_multi_drive(engine);
    return rc;
}

void np_multi_remove(np_engine *engine, np_easy *easy)
{
    if (!easy->in_multi)
        return;
    engine->inside_curl++;
    (void)curl_multi_remove_handle(engine->multi, easy->handle); /* it is in there */
    engine->inside_curl--;
    easy->in_multi = false;
}

static void on_curl_timer(uint64_t now_ns, void *user)
{
    (void)now_ns;
    np_engine *engine = user;
    np_loop_timer_cancel(engine->curl_timer);
    engine->curl_timer = NULL;
    engine->curl_timer_ns = 0;
    np_multi_drive(engine); /* the turn's end arms it again */
}

void np_multi_arm(np_engine *engine)
{
    if (engine->curl_deadline_ns == engine->curl_timer_ns)
        return;
    np_loop_timer_cancel(engine->curl_timer);
    engine->curl_timer = NULL;
    engine->curl_timer_ns = engine->curl_deadline_ns;
    if (engine->curl_deadline_ns == 0)
        return;
    engine->curl_timer =
        np_loop_timer_start(engine->loop, engine->curl_deadline_ns, on_curl_timer, engine);
    if (!engine->curl_timer)
        engine->curl_timer_ns = 0; /* tried again at the next turn's end */
}
