/*
 * The engine: makes and frees what the others share, and does once a turn what must not be done
 * while libcurl is on the stack. Floor 2; loop thread only.
 *
 * The turn's end goes round until nothing is left: call libcurl as long as it wants to be called,
 * end what it finished (done() may start new transfers), go on with what was resumed, take out what
 * was aborted, give connections to who waits. So what a callback brings up is on its way before the
 * loop sleeps.
 */
#include "connection.h"
#include "descriptors.h"
#include "dispatch.h"
#include "easy.h"
#include "kernel_time.h"
#include "multi.h"
#include "service_point.h"
#include "transfer_end.h"
#include "transfer_finish.h"
#include "transfer_run.h"
#include "tunnel.h"
#include "tunnel_auth.h"
#include "turn_end.h"

#include "fail.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUNDS_A_TURN = 64, /* then the descriptors get their turn */
    DEFAULT_HEADER_LIMIT = 64 * 1024
};
#define DEFAULT_CONNECT_TIMEOUT_NS (30 * NP_NS_PER_S)
#define DEFAULT_MAX_IDLE_NS        (100 * NP_NS_PER_S)
#define DEFAULT_PROXY_TIMEOUT_NS   (5 * NP_NS_PER_S)

static void on_turn_end(uint64_t now_ns, void *user)
{
    (void)now_ns;
    np_engine *engine = user;
    int round = 0;
    for (bool more = true; more && round < ROUNDS_A_TURN; round++) {
        np_multi_drive(engine);
        more = np_transfers_collect(engine);
        more |= np_transfers_resume(engine);
        more |= np_tunnels_flush(engine);
        more |= np_transfers_retire(engine);
        more |= np_dispatch(engine);
    }
    if (round == ROUNDS_A_TURN)
        np_turn_end_wake(engine);
    np_service_points_trim(engine);
    np_multi_arm(engine);
}

static bool copy_text(const char **text)
{
    if (!*text)
        return true;
    *text = strdup(*text);
    return *text != NULL;
}

static np_status take_options(np_engine *engine, const np_engine_options *options, np_error *err)
{
    np_engine_options *own = &engine->options;
    *own = *options;
    own->connect_timeout_ns =
        options->connect_timeout_ns > 0 ? options->connect_timeout_ns : DEFAULT_CONNECT_TIMEOUT_NS;
    own->max_idle_time_ns =
        options->max_idle_time_ns != 0 ? options->max_idle_time_ns : DEFAULT_MAX_IDLE_NS;
    own->header_limit_bytes =
        options->header_limit_bytes ? options->header_limit_bytes : DEFAULT_HEADER_LIMIT;
    own->proxy_connect_timeout_ns = options->proxy_connect_timeout_ns > 0
                                        ? options->proxy_connect_timeout_ns
                                        : DEFAULT_PROXY_TIMEOUT_NS;
    own->ca_file = options->ca_file && *options->ca_file ? options->ca_file : NULL;
    own->ca_path = options->ca_path && *options->ca_path ? options->ca_path : NULL;
    const bool copied = copy_text(&own->ca_file);
    const bool proxy_copied = copy_text(&own->proxy_ca_file);
    if (!copy_text(&own->ca_path) || !copied || !proxy_copied)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for an engine");
    if (own->ca_file && access(own->ca_file, R_OK) != 0)
        return np_fail_os(err, NP_E_INPUT, errno,
                          "%s: the file of trusted certificates cannot be read", own->ca_file);
    if (own->ca_path && access(own->ca_path, R_OK | X_OK) != 0)
        return np_fail_os(err, NP_E_INPUT, errno,
                          "%s: the folder of trusted certificates cannot be read", own->ca_path);
    return NP_OK;
}

np_status np_engine_create(np_loop *loop, np_dialer *dialer, np_producer *producer,
                           const np_engine_options *options, np_engine **out, np_error *err)
{
    *out = NULL;
    np_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for an engine");
    engine->loop = loop;
    engine->dialer = dialer;
    engine->producer = producer;
    engine->stamping = -1;
    np_list_init(&engine->changed);
    np_list_init(&engine->points_by_use);
    np_list_init(&engine->resumed);
    np_list_init(&engine->starving);
    np_list_init(&engine->retired);
    np_list_init(&engine->proxy_memories);
    np_list_init(&engine->nested);
    np_status status = take_options(engine, options, err);
    if (status)
        goto fail;
    status = np_multi_create(engine, err);
    if (status)
        goto fail;
    if (producer && engine->options.kernel_times != NP_KERNEL_TIMES_NEVER) {
        engine->stamping = np_kernel_time_open();
        np_loop_note_looks(loop);
    }
    np_loop_set_turn_end(loop, on_turn_end, engine);
    *out = engine;
    return NP_OK;

fail:
    np_engine_free(engine);
    return status;
}

static void close_connections(np_service_point *point, uint64_t now_ns)
{
    while (!np_list_empty(&point->connections))
        np_connection_close(np_item(point->connections.next, np_connection, in_point),
                            NP_CLOSE_SHUTDOWN, now_ns);
}

void np_engine_free(np_engine *engine)
{
    if (!engine)
        return;
    assert(engine->transfer_count == 0);
    (void)np_transfers_retire(engine); /* what was aborted in this turn */
    for (size_t i = 0; i < POINT_BUCKETS; i++) {
        while (engine->points[i]) {
            np_service_point *point = engine->points[i];
            engine->points[i] = point->next_in_bucket;
            close_connections(point, np_now());
            np_service_point_free(point);
        }
    }
    if (engine->multi)
        np_loop_set_turn_end(engine->loop, NULL, NULL);
    np_descriptors_stop(engine);
    np_multi_free(engine);
    np_transfers_free_kept(engine);
    np_proxy_auth_free(engine);
    if (engine->stamping >= 0)
        (void)close(engine->stamping);
    free(engine->by_fd);
    free((char *)(uintptr_t)engine->options.ca_file); /* our own copies */
    free((char *)(uintptr_t)engine->options.ca_path);
    free((char *)(uintptr_t)engine->options.proxy_ca_file);
    free(engine);
}
