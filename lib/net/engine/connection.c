/*
 * Connections. Floor 2; loop thread only, libcurl not on the stack.
 *
 *   CONNECTING ──dialer──► RESERVED or IDLE ──added to the multi──► HANDSHAKING ──PREREQ──► BUSY
 * ──► IDLE ──► closed
 *
 * The descriptor is watched for input from the moment TCP stands until it is closed ("sticky"):
 * libcurl's wish to forget it between two requests is ignored, so a warm request costs no
 * epoll_ctl, and the death of an idle connection is seen at once.
 */
#include "connection.h"

#include "descriptors.h"
#include "kernel_time.h"
#include "look.h"
#include "tls_events.h"
#include "transfer_trace.h"
#include "tunnel.h"
#include "upload_facts.h"

#include "fail.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAW_IDLE_MAX_NS                                                                            \
    (10 * NP_NS_PER_S) /* TCP stands and nothing was ever sent: servers drop these soon */

static const struct close_meaning {
    const char *text;         /* connection.close_reason */
    np_new_because successor; /* why the next one has to be opened */
} closings[] = {
    [NP_CLOSE_CONNECT] = {"not connected",                           NP_NEW_UNKNOWN      },
    [NP_CLOSE_IDLE_PEER] = {"closed by peer",                          NP_NEW_PEER_CLOSED  },
    [NP_CLOSE_STRAY_DATA] = {"data nobody asked for",                   NP_NEW_PEER_CLOSED  },
    [NP_CLOSE_SERVER] = {"closed by peer after the response",       NP_NEW_PEER_CLOSED  },
    [NP_CLOSE_TOO_OLD] = {"idle for too long",                       NP_NEW_TOO_OLD      },
    [NP_CLOSE_EVICTED] = {"made room for another one",               NP_NEW_EVICTED      },
    [NP_CLOSE_FORCED] = {"not to be kept",                          NP_NEW_UNKNOWN      },
    [NP_CLOSE_ABORTED] = {"request aborted",                         NP_NEW_EVICTED      },
    [NP_CLOSE_FAILED] = {"request failed",                          NP_NEW_PEER_CLOSED  },
    [NP_CLOSE_DEAD_ON_REUSE] = {"found dead by the next request",          NP_NEW_DEAD_ON_REUSE},
    [NP_CLOSE_TIMEOUT] = {"timed out",                               NP_NEW_EVICTED      },
    [NP_CLOSE_SHUTDOWN] = {"context closed",                          NP_NEW_UNKNOWN      },
    [NP_CLOSE_LEASE_OVER] = {"lease over",                              NP_NEW_LEASE_OVER   },
    [NP_CLOSE_NO_DESCRIPTOR] = {"no file descriptor free",                 NP_NEW_UNKNOWN      },
    [NP_CLOSE_GOING_AWAY] = {"the server takes no more requests on it", NP_NEW_PEER_CLOSED  },
};

/* --- opening --- */

static CURLSH *share_create(void)
{
    CURLSH *share = curl_share_init();
    if (share && curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK) {
        (void)curl_share_cleanup(share); /* nobody uses it */
        return NULL;
    }
    return share;
}

static bool bind_fd(np_connection *connection, int fd)
{
    np_engine *engine = connection->engine;
    if ((size_t)fd >= engine->fd_count) {
        size_t count = engine->fd_count ? engine->fd_count : 64;
        while (count <= (size_t)fd)
            count *= 2;
        np_connection **table = realloc(engine->by_fd, count * sizeof(np_connection *));
        if (!table)
            return false;
        memset(table + engine->fd_count, 0, (count - engine->fd_count) * sizeof(np_connection *));
        engine->by_fd = table;
        engine->fd_count = count;
    }
    engine->by_fd[fd] = connection;
    return true;
}

static void release_fd(np_connection *connection)
{
    if (connection->fd < 0)
        return;
    np_loop_watch_stop(connection->watch);
    connection->watch = NULL;
    if ((size_t)connection->fd < connection->engine->fd_count)
        connection->engine->by_fd[connection->fd] = NULL;
    (void)close(connection->fd);
    connection->fd = -1;
}

static void on_ready(int fd, unsigned ready, uint64_t now_ns, void *user);

static uint16_t local_port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&address)->sin6_port
                                               : ((const struct sockaddr_in *)&address)->sin_port);
}

/* The phase that begins when TCP stands; otherwise what comes then lies behind `connect`, in
   nobody's phase. */
static np_phase phase_behind_connect(const np_service_point *point)
{
    if (np_tunnel_has_phase(point))
        return NP_PHASE_TUNNEL;
    return point->tls ? NP_PHASE_TLS : NP_PHASE_CONNECT;
}

/* The connection stood and our loop had not looked. */
static void trace_late_connect(const np_connection *connection, const np_dial_result *told)
{
    np_producer *producer = connection->engine->producer;
    const uint32_t request = connection->transfer ? connection->transfer->number : 0;
    if (!producer || !request || told->looked_ns < told->connected_ns + NP_LATE_VISIBLE_NS)
        return;
    const uint32_t span = np_emit_span_begin(
        producer, told->connected_ns, request, connection->number,
        phase_behind_connect(connection->point), NP_SPAN_LATENESS, 0, "loop busy");
    np_emit_span_end(producer, told->looked_ns, request, span, NP_SPAN_OK, NULL);
}

static void on_dialed(const np_dial_result *result, void *user)
{
    np_connection *connection = user;
    np_dial_result told = *result;
    connection->dial = NULL;
    if (told.error.status == NP_OK) {
        connection->fd = told.fd;
        connection->peer = told.peer;
        connection->connected_ns = told.connected_ns;
        connection->connected_source = told.connected_source;
        connection->connected_uncertainty = told.connected_uncertainty;
        connection->sampled_ns = told.looked_ns;
        if (connection->engine->stamping >= 0)
            connection->stamped = np_kernel_time_enable(told.fd);
        trace_late_connect(connection, &told);
        connection->second_connect = told.second_connect;
        connection->local_port = local_port_of(told.fd);
        connection->state = NP_CONNECTION_RESERVED;
        connection->engine->connecting_count--;
        np_descriptors_freed(connection->engine);
        np_trace_connection_peer(connection, &told);
        connection->watch = np_loop_watch_start(connection->engine->loop, told.fd, NP_LOOP_READ,
                                                on_ready, connection);
        if (!connection->watch || !bind_fd(connection, told.fd)) {
            (void)np_fail(&told.error, NP_E_NO_MEMORY, "no memory for a connection");
            release_fd(connection);
        }
    }
    connection->handler->connected(connection, &told, np_loop_now(connection->engine->loop));
}

static void on_setup_timeout(uint64_t now_ns, void *user)
{
    np_connection *connection = user;
    np_loop_timer_cancel(connection->setup_timer);
    connection->setup_timer = NULL;
    connection->handler->timed_out(connection, now_ns);
}

static void start_setup_timer(np_connection *connection, uint64_t now_ns)
{
    np_engine *engine = connection->engine;
    connection->setup_timer =
        np_loop_timer_start(engine->loop, now_ns + (uint64_t)engine->options.connect_timeout_ns,
                            on_setup_timeout, connection);
}

static np_connection *connection_create(np_service_point *point)
{
    np_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->engine = point->engine;
    connection->point = point;
    connection->fd = -1;
    connection->stream_limit =
        point->stream_limit < point->careful_limit ? point->stream_limit : point->careful_limit;
    np_list_init(&connection->easies);
    np_list_init(&connection->transfers);
    connection->share = share_create();
    if (!connection->share) {
        free(connection);
        return NULL;
    }
    return connection;
}

static bool begin_dial(np_connection *connection, const np_transfer *transfer, uint64_t now_ns)
{
    const np_service_point *point = connection->point;
    if (point->proxy)
        return np_tunnel_open(connection, transfer, now_ns, on_dialed);
    const np_dial_target target = {.host = point->key.host,
                                   .port = point->key.port,
                                   .request = transfer->number,
                                   .connection = connection->number,
                                   .cold = transfer->spec.reuse == NP_REUSE_COLD};
    connection->dial = np_dial_start(point->engine->dialer, &target, now_ns, on_dialed, connection);
    return connection->dial != NULL;
}

/* --- who uses it --- */

static bool has_room(const np_connection *connection)
{
    return connection->ready && connection->protocol == 20 && !connection->doomed &&
           !connection->single_use && connection->fd >= 0 && connection->stream_count > 0 &&
           connection->stream_count < connection->stream_limit;
}

static void note_room(np_connection *connection)
{
    const bool room = has_room(connection);
    if (room && !np_link_used(&connection->in_shared)) {
        np_list_push_back(&connection->point->shared, &connection->in_shared);
        np_service_point_changed(connection->point);
    } else if (!room) {
        np_list_remove(&connection->in_shared);
    }
}

static void attach(np_connection *connection, np_transfer *transfer)
{
    np_list_push_back(&connection->transfers, &transfer->in_connection);
    connection->transfer = np_item(connection->transfers.next, np_transfer, in_connection);
    connection->stream_count++;
    if (connection->stream_count > connection->stream_peak)
        connection->stream_peak = connection->stream_count;
    note_room(connection);
}

void np_connection_detach(np_connection *connection, np_transfer *transfer)
{
    np_list_remove(&transfer->in_connection);
    connection->transfer = np_list_empty(&connection->transfers)
                               ? NULL
                               : np_item(connection->transfers.next, np_transfer, in_connection);
    connection->sent_bytes += np_upload_sent_bytes(transfer);
    connection->received_bytes += transfer->received_bytes;
}

/* Is nobody on it in libcurl's hands, but somebody waits for the program's body? */
static bool is_held(const np_connection *connection)
{
    const np_link *all = &connection->transfers;
    for (np_link *link = all->next; link != all; link = link->next) {
        if (!np_item(link, np_transfer, in_connection)->upload.held)
            return false;
    }
    return connection->transfer != NULL;
}

bool np_connection_is_paused(const np_connection *connection)
{
    const np_link *all = &connection->transfers;
    for (np_link *link = all->next; link != all; link = link->next) {
        if (!np_item(link, np_transfer, in_connection)->paused)
            return false;
    }
    return connection->transfer != NULL;
}

void np_connection_offer(np_connection *connection, bool offers_h2, bool expected)
{
    connection->offers_h2 = offers_h2;
    expected = expected && !connection->single_use;
    if (expected == connection->expected)
        return;
    connection->expected = expected;
    connection->point->setup_count += expected ? 1 : UINT32_MAX;
    if (!expected)
        connection->point->setup_changed = true;
    np_service_point_changed(connection->point);
}

void np_connection_ready(np_connection *connection, uint64_t now_ns)
{
    np_service_point *point = connection->point;
    connection->ready = true;
    if (connection->protocol == 0)
        connection->protocol = 11;
    if (connection->offers_h2)
        point->protocol = connection->protocol;
    point->setup_lost = false;
    np_tunnel_ready(connection->tunnel, now_ns);
    np_loop_timer_cancel(connection->setup_timer);
    connection->setup_timer = NULL;
    np_connection_offer(connection, connection->offers_h2, false);
    note_room(connection);
    np_trace_connection_ready(connection, now_ns);
}

void np_connection_limit_streams(np_connection *connection, uint32_t limit)
{
    connection->stream_limit = limit > 0 ? limit : 1;
    note_room(connection);
}

bool np_connection_is_over(const np_connection *connection, uint64_t now_ns)
{
    const int64_t lease_ns = connection->engine->options.connection_lease_ns;
    return lease_ns > 0 && now_ns >= connection->connected_ns + (uint64_t)lease_ns;
}

void np_connection_doom(np_connection *connection, np_close_reason reason)
{
    if (connection->doomed)
        return;
    connection->doomed = true;
    connection->doom = reason;
    note_room(connection);
}

void np_connection_left(np_connection *connection, uint64_t now_ns)
{
    connection->stream_count--;
    if (connection->fd < 0)
        np_connection_doom(connection, NP_CLOSE_SERVER);
    else if (connection->single_use)
        np_connection_doom(connection, NP_CLOSE_FORCED);
    else if (np_connection_is_over(connection, now_ns))
        np_connection_doom(connection, NP_CLOSE_LEASE_OVER);
    if (connection->stream_count > 0)
        note_room(connection);
    else if (connection->doomed)
        np_connection_close(connection, connection->doom, now_ns);
    else
        np_connection_rest(connection, now_ns);
}

void np_connection_leave(np_connection *connection, np_transfer *transfer, uint64_t now_ns)
{
    np_connection_detach(connection, transfer);
    np_connection_left(connection, now_ns);
}

/* --- opening, continued --- */

np_connection *np_connection_open(np_transfer *transfer, np_new_because because, uint32_t unlike,
                                  uint64_t now_ns, const np_connection_handler *handler,
                                  np_error *err)
{
    np_service_point *point = transfer->point;
    np_connection *connection = connection_create(point);
    if (!connection) {
        (void)np_fail(err, NP_E_NO_MEMORY, "no memory for a connection");
        return NULL;
    }
    attach(connection, transfer);
    connection->handler = handler;
    connection->single_use =
        transfer->spec.reuse != NP_REUSE_ANY || point->engine->options.connection_lease_ns < 0;
    np_connection_offer(connection, transfer->wants_h2, transfer->wants_h2);
    np_list_push_back(&point->connections, &connection->in_point);
    point->connection_count++;
    point->engine->connection_count++;
    point->engine->connecting_count++;
    np_trace_connection_open(connection, transfer, because, unlike, now_ns);
    start_setup_timer(connection, now_ns);
    if (!begin_dial(connection, transfer, now_ns) || !connection->setup_timer) {
        (void)np_fail(err, NP_E_NO_MEMORY, "no memory for a connection");
        np_connection_close(connection, NP_CLOSE_CONNECT, now_ns);
        return NULL;
    }
    return connection;
}

/* --- watching --- */

/* Level-triggered input on an idle connection means that the peer has gone, that it said something
   nobody asked for, or a TLS record: a ticket is no death, but then the descriptor stays readable,
   so from then on only the end of the connection is watched for. */
static bool is_lost(np_connection *connection, unsigned ready, np_close_reason *reason)
{
    char first = 0;
    const ssize_t got = recv(connection->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR) && !(ready & NP_LOOP_ERROR))
        return false;
    *reason = NP_CLOSE_IDLE_PEER;
    const np_proxy_entry *proxy = connection->point->proxy;
    const bool tls = connection->point->tls || (proxy && proxy->kind == NP_PROXY_HTTPS);
    if (got > 0 && connection->handed_over && tls) {
        enum { TLS_APPLICATION_DATA = 23, TLS_HANDSHAKE = 22 };
        struct tcp_info info = {0};
        socklen_t size = sizeof info;
        const bool open = getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
                          info.tcpi_state == TCP_ESTABLISHED;
        if (open && (first == TLS_APPLICATION_DATA || first == TLS_HANDSHAKE) &&
            !(ready & NP_LOOP_ERROR)) {
            np_loop_watch_change(connection->watch, 0);
            return false;
        }
    } else if (got > 0) {
        *reason = NP_CLOSE_STRAY_DATA;
    }
    return true;
}

/* Somebody holds it until the program has given a body: it may have been lost. */
static void look_at_held(np_connection *connection, unsigned ready, uint64_t now_ns)
{
    np_transfer *transfer;
    np_close_reason reason;
    if (!is_lost(connection, ready, &reason))
        return;
    /* Nothing was sent: another one does as well, once the body is complete. */
    while ((transfer = connection->transfer)) {
        transfer->connection = NULL;
        transfer->new_because = NP_NEW_PEER_CLOSED;
        np_connection_detach(connection, transfer);
    }
    np_connection_close(connection, reason, now_ns);
}

static void on_ready(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    np_connection *connection = user;
    np_engine *engine = connection->engine;
    np_close_reason reason;
    if (connection->state == NP_CONNECTION_IDLE) {
        if (is_lost(connection, ready, &reason))
            np_connection_close(connection, reason, now_ns);
        return;
    }
    if (is_held(connection)) {
        look_at_held(connection, ready, now_ns);
        return;
    }
    /* Whoever takes it next will see; a request whose answer is not taken may go on sending. */
    if (!connection->handed_over ||
        (np_connection_is_paused(connection) && !(ready & NP_LOOP_WRITE)))
        return;
    int events = 0;
    if (ready & NP_LOOP_READ)
        events |= CURL_CSELECT_IN;
    if (ready & NP_LOOP_WRITE)
        events |= CURL_CSELECT_OUT;
    if (ready & NP_LOOP_ERROR)
        events |= CURL_CSELECT_ERR;
    if (connection->tunnel)
        connection->tunnel->buffered_bytes = 0; /* whatever is left now is news */
    int running;
    connection->look.looked_ns = 0;
    if ((ready & NP_LOOP_READ) &&
        !(ready & NP_LOOP_ERROR)) /* what went wrong is libcurl's to find */
        np_look_begin(connection, now_ns);
    engine->inside_curl++;
    (void)curl_multi_socket_action(engine->multi, fd, events,
                                   &running); /* what went wrong comes as a message */
    engine->inside_curl--;
    np_look_end(connection);
}

/* --- idle and back --- */

/* When an idle connection is closed for its age: the earlier of two limits, and which one. */
static uint64_t end_of_rest(const np_connection *connection, np_close_reason *reason)
{
    const np_engine_options *options = &connection->engine->options;
    uint64_t end_ns = UINT64_MAX;
    *reason = NP_CLOSE_TOO_OLD;
    if (options->max_idle_time_ns > 0)
        end_ns = connection->idle_since_ns + (uint64_t)options->max_idle_time_ns;
    if (!connection->handed_over && end_ns > connection->idle_since_ns + RAW_IDLE_MAX_NS)
        end_ns = connection->idle_since_ns + RAW_IDLE_MAX_NS;
    if (options->connection_lease_ns > 0 &&
        connection->connected_ns + (uint64_t)options->connection_lease_ns < end_ns) {
        end_ns = connection->connected_ns + (uint64_t)options->connection_lease_ns;
        *reason = NP_CLOSE_LEASE_OVER;
    }
    return end_ns;
}

static void on_idle_timer(uint64_t now_ns, void *user);

static void start_idle_timer(np_connection *connection)
{
    np_close_reason reason;
    const uint64_t end_ns = end_of_rest(connection, &reason);
    if (end_ns != UINT64_MAX)
        connection->idle_timer =
            np_loop_timer_start(connection->engine->loop, end_ns, on_idle_timer, connection);
}

/* One timer a connection, not one a pause: it looks whether the time is really over, and if not,
 * sets itself anew. */
static void on_idle_timer(uint64_t now_ns, void *user)
{
    np_connection *connection = user;
    np_loop_timer_cancel(connection->idle_timer);
    connection->idle_timer = NULL;
    if (connection->state != NP_CONNECTION_IDLE)
        return; /* np_connection_rest sets it again */
    np_close_reason reason;
    if (end_of_rest(connection, &reason) <= now_ns)
        np_connection_close(connection, reason, now_ns);
    else
        start_idle_timer(connection);
}

void np_connection_reserve(np_connection *connection, np_transfer *transfer)
{
    np_list_remove(&connection->in_idle);
    connection->state = NP_CONNECTION_RESERVED;
    attach(connection, transfer);
    np_connection_renew(connection);
}

void np_connection_renew(np_connection *connection)
{
    np_loop_watch_change(connection->watch, NP_LOOP_READ);
    /* Set up for another request, which left it: what is still to be done has its own time limit.
     */
    if (!connection->ready && !connection->setup_timer)
        start_setup_timer(connection, np_loop_now(connection->engine->loop)); /* NULL: no limit */
}

void np_connection_share(np_connection *connection, np_transfer *transfer)
{
    attach(connection, transfer);
}

void np_connection_rest(np_connection *connection, uint64_t now_ns)
{
    np_service_point *point = connection->point;
    connection->state = NP_CONNECTION_IDLE;
    note_room(connection);
    np_connection_offer(connection, connection->offers_h2, false);
    connection->idle_since_ns = now_ns;
    np_loop_timer_cancel(connection->setup_timer); /* nobody waits for it */
    connection->setup_timer = NULL;
    np_tunnel_rest(connection->tunnel);
    np_list_push_front(&point->idle, &connection->in_idle);
    np_loop_watch_change(connection->watch, NP_LOOP_READ);
    if (!connection->idle_timer)
        start_idle_timer(connection);
    np_service_point_changed(point);
}

void np_connection_disown(np_connection *connection, uint64_t now_ns)
{
    np_connection_detach(connection, connection->transfer);
    connection->stream_count--;
    /* Whoever takes it finds TCP set up: over TLS it still causes a part of the set-up, otherwise
     * it only uses it. */
    connection->uses = connection->point->tls || np_tunnel_has_phase(connection->point) ? 0 : 1;
    np_tunnel_disown(connection->tunnel, now_ns);
    if (connection->dial)
        np_dial_disown(connection->dial, now_ns);
}

/* --- the handles on its share --- */

void np_connection_drop_easy(np_easy *easy)
{
    if (!easy->connection)
        return;
    (void)curl_easy_setopt(easy->handle, CURLOPT_SHARE, NULL); /* cannot fail */
    np_list_remove(&easy->in_connection);
    easy->connection = NULL;
}

CURLcode np_connection_take_easy(np_connection *connection, np_easy *easy)
{
    if (easy->connection == connection)
        return CURLE_OK;
    np_connection_drop_easy(easy);
    const CURLcode rc = curl_easy_setopt(easy->handle, CURLOPT_SHARE, connection->share);
    if (rc == CURLE_OK) {
        easy->connection = connection;
        np_list_push_back(&connection->easies, &easy->in_connection);
    }
    return rc;
}

/* --- closing --- */

static void free_share(np_connection *connection)
{
    np_link *link;
    while ((link = connection->easies.next) != &connection->easies)
        np_connection_drop_easy(np_item(link, np_easy, in_connection));
    connection->engine->inside_curl++;
    (void)curl_share_cleanup(
        connection->share); /* no handle points at it; closes the socket by CLOSESOCKET */
    connection->engine->inside_curl--;
    connection->share = NULL;
}

static np_span_outcome tunnel_outcome(np_close_reason reason)
{
    return reason == NP_CLOSE_TIMEOUT   ? NP_SPAN_TIMEOUT
           : reason == NP_CLOSE_ABORTED ? NP_SPAN_ABANDONED
                                        : NP_SPAN_FAILED;
}

void np_connection_close(np_connection *connection, np_close_reason reason, uint64_t now_ns)
{
    np_service_point *point = connection->point;
    if (connection->dial) {
        np_dial_cancel(connection->dial, now_ns);
        connection->dial = NULL;
    }
    np_tls_events_give_up(connection, now_ns,
                          reason == NP_CLOSE_TIMEOUT ? NP_SPAN_TIMEOUT : NP_SPAN_FAILED);
    free_share(connection); /* OpenSSL may still say something to the tunnel */
    np_tunnel_free(connection->tunnel, now_ns, tunnel_outcome(reason));
    release_fd(connection); /* where libcurl never had it */
    np_loop_timer_cancel(connection->setup_timer);
    np_loop_timer_cancel(connection->idle_timer);
    np_trace_connection_close(connection, now_ns, closings[reason].text);
    np_list_remove(&connection->in_idle);
    np_list_remove(&connection->in_shared);
    np_list_remove(&connection->in_point);
    point->connection_count--;
    point->engine->connection_count--;
    if (connection->state == NP_CONNECTION_CONNECTING)
        point->engine->connecting_count--;
    np_descriptors_freed(point->engine);
    if (connection->expected && reason != NP_CLOSE_ABORTED)
        point->setup_lost = true;
    np_connection_offer(connection, false, false);
    if (connection->ready && !connection->single_use)
        point->last_loss = closings[reason].successor ? closings[reason].successor : NP_NEW_EVICTED;
    np_service_point_changed(point);
    free(connection);
}
