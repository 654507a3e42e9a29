/*
 * File descriptors that are short. Floor 2; loop thread only.
 *
 * How many there are is asked of the system, since the rest of the program uses them too: a new
 * descriptor gets the lowest free number, so all below it are taken. Some are kept back for what
 * must not fail: the sockets of lookups, the file of trusted certificates, the race's second
 * attempt, and the program's own. Every connect under way counts twice, because its sockets may not
 * be there yet.
 *
 * Somebody else may give one back and tell nobody, hence the timer.
 */
#include "descriptors.h"

#include "clock.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { KEPT_BACK_MIN = 4, KEPT_BACK_MAX = 32, KEPT_BACK_PART = 8, A_CONNECT = 2 };
#define LOOK_AGAIN_NS (50 * NP_NS_PER_MS)
#define REFUSED_NS    (5 * NP_NS_PER_MS)

/* The lowest free number; -1: there is none. */
static int lowest_free(void)
{
    const int fd = eventfd(0, EFD_CLOEXEC);
    if (fd >= 0)
        (void)close(fd);
    return fd;
}

static uint64_t kept_back(uint64_t limit)
{
    const uint64_t part = limit / KEPT_BACK_PART;
    return part < KEPT_BACK_MIN ? KEPT_BACK_MIN : part > KEPT_BACK_MAX ? KEPT_BACK_MAX : part;
}

bool np_descriptors_suffice(np_engine *engine)
{
    if (engine->refused_until_ns > np_loop_now(engine->loop))
        return false;
    struct rlimit limit;
    const int fd = lowest_free();
    if (fd < 0)
        return false;
    if (engine->connection_count == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    const uint64_t wanted = (uint64_t)fd + A_CONNECT * (uint64_t)engine->connecting_count;
    return wanted + kept_back(limit.rlim_cur) < limit.rlim_cur;
}

np_connection *np_descriptors_idle(const np_engine *engine)
{
    np_connection *oldest = NULL;
    const np_link *all = &engine->points_by_use;
    for (np_link *link = all->next; link != all; link = link->next) {
        const np_service_point *point = np_item(link, np_service_point, in_engine);
        if (np_list_empty(&point->idle))
            continue;
        np_connection *last = np_item(point->idle.previous, np_connection, in_idle);
        if (!oldest || last->idle_since_ns < oldest->idle_since_ns)
            oldest = last;
    }
    return oldest;
}

static void on_timer(uint64_t now_ns, void *user)
{
    (void)now_ns;
    np_engine *engine = user;
    np_loop_timer_cancel(engine->starving_timer);
    engine->starving_timer = NULL;
    np_descriptors_freed(engine);
}

void np_descriptors_await(np_service_point *point)
{
    np_engine *engine = point->engine;
    if (!np_link_used(&point->in_starving))
        np_list_push_back(&engine->starving, &point->in_starving);
    if (!engine->starving_timer)
        engine->starving_timer = np_loop_timer_start(
            engine->loop, np_loop_now(engine->loop) + LOOK_AGAIN_NS, on_timer, engine);
}

void np_descriptors_refused(np_engine *engine)
{
    engine->refused_until_ns = np_now() + REFUSED_NS;
}

void np_descriptors_freed(np_engine *engine)
{
    np_link *link;
    while ((link = np_list_pop_front(&engine->starving)))
        np_service_point_changed(np_item(link, np_service_point, in_starving));
}

bool np_descriptors_give_up(np_transfer *transfer, uint32_t own_count)
{
    const np_engine *engine = transfer->engine;
    const uint64_t now_ns = np_loop_now(engine->loop);
    if (transfer->starving_since_ns == 0)
        transfer->starving_since_ns = now_ns;
    return engine->connection_count == own_count &&
           now_ns >= transfer->starving_since_ns + (uint64_t)engine->options.connect_timeout_ns;
}

void np_descriptors_stop(np_engine *engine)
{
    np_loop_timer_cancel(engine->starving_timer);
    engine->starving_timer = NULL;
}
