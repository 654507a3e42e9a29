/*
 * See serve_origin.h. A connection is a small state machine; `step` does what the state and the
 * bytes at hand allow and says whether it may be called again. It waits for at most one moment at a
 * time (`delay`), but for "100 Continue", which may be due while the body already arrives.
 *
 *   LOOKING ─► HANDSHAKE ⇄ HELLO_HELD ─► HEAD ─► BODY ─► THINKING ─► SENDING ─► HEAD …
 *   (accept)   (TLS only)                              LINGERING ◄───────┘
 *
 * Only HTTP/1.1 is offered by ALPN; another protocol would take its place where HANDSHAKE ends.
 */
#include "serve_origin.h"

#include "http_request.h"
#include "pacing.h"
#include "response.h"
#include "stream_write.h"
#include "tls_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTION_LIMIT = 10000,
    IN_BYTES = HTTP_HEAD_LIMIT + 16 * 1024, /* plaintext that waits; more is left in the socket */
    SCRATCH_BYTES = 64 * 1024,
    FILLER_BYTES = PACING_LARGEST_PIECE,
    FILLER_LINE = 64,
    QUEUE_LIMIT = 256 * 1024, /* bytes that wait for the client; then the body waits */
    PIECES_A_ROUND = 64,      /* then other connections have their turn */
    FIRST_WRITE = 1300, /* head and begin of a body in one record and segment: nothing has to wait
                           for a second one */
    LINGER_NS = 2000000000
};

enum state { LOOKING, HANDSHAKE, HELLO_HELD, HEAD, BODY, THINKING, SENDING, LINGERING, CLOSED };

struct connection {
    uv_tcp_t stream; /* first member */
    struct origin_server *server;
    struct connection *next, *previous;
    struct tls_session *tls; /* NULL: in the clear */
    enum state state;
    struct delay delay;
    struct delay continue_delay;
    uint64_t arrival_ns; /* of the bytes read last */
    bool has_ended;      /* the client sends no more */
    bool is_blocked;     /* the body waits for the client to read */
    bool is_read;        /* reading is on */
    struct http_request request;
    struct http_body body;
    struct response response;
    struct pacing pacing;
    size_t head_sent;
    uint64_t body_sent;
    uv_shutdown_t shutdown;
    size_t in_length;
    char in[IN_BYTES]; /* in[in_length]: plaintext not looked at yet */
};

struct listener {
    uv_tcp_t stream; /* first member */
    struct origin_server *server;
    bool has_tls;
};

struct origin_server {
    struct listener https;
    struct listener http;
    struct delay_timer *timer;
    struct origin_config config;
    struct connection *connections;
    size_t connection_count;
    unsigned open_listeners;
    bool is_stopped;
    char scratch[SCRATCH_BYTES]; /* ciphertext just read */
    char filler[FILLER_BYTES + FILLER_LINE];
};

static void run(struct connection *connection);

static uv_stream_t *stream_of(struct connection *connection)
{
    return (uv_stream_t *)&connection->stream;
}

static void free_server_when_done(struct origin_server *server)
{
    if (server->is_stopped && server->open_listeners == 0 && server->connection_count == 0)
        free(server);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = (struct connection *)handle;
    struct origin_server *server = connection->server;
    tls_session_close(connection->tls);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    server->connection_count--;
    free(connection);
    free_server_when_done(server);
}

static void leave(struct connection *connection)
{
    connection->state = CLOSED;
    delay_disarm(connection->server->timer, &connection->delay);
    delay_disarm(connection->server->timer, &connection->continue_delay);
}

static void close_connection(struct connection *connection)
{
    leave(connection);
    if (!uv_is_closing((uv_handle_t *)&connection->stream))
        uv_close((uv_handle_t *)&connection->stream, on_closed);
}

static void reset_connection(struct connection *connection)
{
    leave(connection);
    if (uv_tcp_close_reset(&connection->stream, on_closed) != 0)
        close_connection(connection);
}

static void wait_until(struct connection *connection, uint64_t due_ns)
{
    if (!delay_arm(connection->server->timer, &connection->delay, due_ns))
        close_connection(connection);
}

static void on_drained(uv_stream_t *stream, int code)
{
    struct connection *connection = (struct connection *)stream;
    if (code < 0) {
        close_connection(connection);
        return;
    }
    connection->is_blocked = false;
    if (connection->state == SENDING && !connection->delay.place)
        run(connection);
}

/* Sends what TLS has ready. */
static void flush_tls(struct connection *connection)
{
    const void *bytes;
    size_t length = tls_session_pending(connection->tls, &bytes);
    int code = stream_write(stream_of(connection), bytes, length, on_drained);
    tls_session_sent(connection->tls);
    if (code < 0)
        close_connection(connection);
}

static void send_bytes(struct connection *connection, const void *bytes, size_t length)
{
    if (length == 0 || connection->state == CLOSED)
        return;
    if (!connection->tls) {
        if (stream_write(stream_of(connection), bytes, length, on_drained) < 0)
            close_connection(connection);
    } else if (tls_session_write(connection->tls, bytes, length)) {
        flush_tls(connection);
    } else {
        close_connection(connection);
    }
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status; /* the client's end or the linger deadline closes the connection */
}

/* Ends our side and waits for the client's: closing with unread bytes would reset what is on its
 * way. */
static void end_connection(struct connection *connection)
{
    if (connection->tls) {
        tls_session_end(connection->tls);
        flush_tls(connection);
    }
    if (connection->state == CLOSED)
        return;
    if (connection->has_ended && uv_stream_get_write_queue_size(stream_of(connection)) == 0) {
        close_connection(connection);
        return;
    }
    connection->state = LINGERING;
    if (uv_shutdown(&connection->shutdown, stream_of(connection), on_shut_down) != 0)
        close_connection(connection);
    else
        wait_until(connection, delay_clock_ns() + LINGER_NS);
}

/* Moves decrypted bytes to `in` as far as there is room. False: the client ended or broke the
 * session. */
static bool fill_from_tls(struct connection *connection)
{
    while (connection->in_length < IN_BYTES) {
        ssize_t count = tls_session_read(connection->tls, connection->in + connection->in_length,
                                         IN_BYTES - connection->in_length);
        if (count <= 0) {
            flush_tls(connection); /* reading may have made an answer: a key update, an alert */
            return count == 0;
        }
        connection->in_length += (size_t)count;
    }
    return true;
}

static void fill(struct connection *connection)
{
    if (connection->tls && !fill_from_tls(connection))
        connection->has_ended = true;
}

static void consume(struct connection *connection, size_t length)
{
    connection->in_length -= length;
    memmove(connection->in, connection->in + length, connection->in_length);
}

/* More bytes are needed: go on waiting, unless none can come. */
static bool need_more(struct connection *connection)
{
    if (connection->has_ended)
        close_connection(connection);
    return false;
}

static bool step_handshake(struct connection *connection)
{
    enum tls_progress progress = tls_session_handshake(connection->tls);
    flush_tls(connection);
    if (connection->state == CLOSED)
        return false;
    switch (progress) {
    case TLS_MORE:
        return need_more(connection);
    case TLS_HELLO:
        if (connection->server->config.tls_delay_ns == 0)
            return true;
        connection->state = HELLO_HELD;
        wait_until(connection,
                   connection->arrival_ns + (uint64_t)connection->server->config.tls_delay_ns);
        return false;
    case TLS_READY:
        connection->state = HEAD;
        return true;
    case TLS_BROKEN:
        break;
    }
    end_connection(connection); /* behind the alert */
    return false;
}

static bool think(struct connection *connection)
{
    static const char early[] =
        "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    connection->state = THINKING;
    if (connection->response.is_early)
        send_bytes(connection, early, sizeof early - 1);
    if (connection->state == CLOSED)
        return false;
    if (connection->server->config.ttfb_ns == 0)
        return true;
    wait_until(connection, connection->arrival_ns + (uint64_t)connection->server->config.ttfb_ns);
    return false;
}

static void send_continue(struct connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    send_bytes(connection, line, sizeof line - 1);
}

static void expect_body(struct connection *connection)
{
    int64_t delay_ns = connection->server->config.continue_delay_ns;
    http_body_init(&connection->body, &connection->request);
    connection->state = BODY;
    /* A client that sends its body without waiting needs no answer to that. */
    if (!connection->request.expects_continue || connection->in_length > 0 || delay_ns < 0)
        return;
    if (delay_ns == 0)
        send_continue(connection);
    else if (!delay_arm(connection->server->timer, &connection->continue_delay,
                        connection->arrival_ns + (uint64_t)delay_ns))
        close_connection(connection);
}

static bool step_head(struct connection *connection)
{
    size_t used;
    int status;
    fill(connection);
    if (connection->state == CLOSED)
        return false;
    switch (http_request_parse(connection->in, connection->in_length, &connection->request, &used,
                               &status)) {
    case HTTP_MORE:
        return need_more(connection);
    case HTTP_BAD:
        response_refuse(status, &connection->response);
        connection->in_length = 0;
        return think(connection);
    case HTTP_DONE:
        break;
    }
    consume(connection, used);
    response_plan(&connection->request, &connection->response);
    expect_body(connection);
    return connection->state == BODY;
}

static bool step_body(struct connection *connection)
{
    size_t used;
    fill(connection);
    if (connection->state == CLOSED)
        return false;
    if (connection->in_length > 0)
        delay_disarm(connection->server->timer, &connection->continue_delay);
    enum http_result result =
        http_body_consume(&connection->body, connection->in, connection->in_length, &used);
    bool may_hold_more = connection->in_length == IN_BYTES;
    consume(connection, used);
    if (result == HTTP_MORE)
        return may_hold_more || need_more(connection);
    delay_disarm(connection->server->timer, &connection->continue_delay);
    if (result == HTTP_BAD)
        response_refuse(400, &connection->response);
    return think(connection);
}

/* The first bytes of the answer: the head, and as much of a body that is not paced as one segment
 * takes. */
static void send_first(struct connection *connection)
{
    const struct response *response = &connection->response;
    char bytes[FIRST_WRITE];
    size_t length = response->head_first;
    memcpy(bytes, response->head, length);
    connection->head_sent = length;
    connection->body_sent = 0;
    connection->pacing = (struct pacing){.start_ns = delay_clock_ns(),
                                         .total_bytes = response->body_bytes,
                                         .rate = connection->server->config.rate,
                                         .part_bytes = response->part_bytes,
                                         .part_gap_ns = response->part_gap_ns};
    if (length == response->head_bytes && connection->pacing.rate == 0) {
        uint64_t end = response->part_bytes > 0 && response->part_bytes < response->body_bytes
                           ? response->part_bytes
                           : response->body_bytes;
        if (end > FIRST_WRITE - length)
            end = FIRST_WRITE - length;
        memcpy(bytes + length, response->text ? response->text : connection->server->filler, end);
        length += end;
        connection->body_sent = end;
    }
    send_bytes(connection, bytes, length);
}

static bool step_thinking(struct connection *connection)
{
    if (connection->delay.place)
        return false;
    if (connection->response.is_reset) {
        reset_connection(connection);
        return false;
    }
    connection->state = SENDING;
    send_first(connection);
    if (connection->state == CLOSED)
        return false;
    if (connection->head_sent == connection->response.head_bytes)
        return true;
    connection->pacing.start_ns += connection->response.head_gap_ns;
    wait_until(connection, connection->pacing.start_ns);
    return false;
}

static const char *body_at(const struct connection *connection, uint64_t offset)
{
    if (connection->response.text)
        return connection->response.text + offset;
    return connection->server->filler + offset % FILLER_LINE;
}

/* Sends pieces that are due. True when the body is through. */
static bool send_body(struct connection *connection)
{
    uint64_t now_ns = delay_clock_ns();
    for (int piece = 0; connection->body_sent < connection->response.body_bytes; piece++) {
        uint64_t due_ns;
        uint64_t end = pacing_next(&connection->pacing, connection->body_sent, &due_ns);
        if (due_ns > now_ns)
            now_ns = delay_clock_ns();
        if (due_ns > now_ns || piece == PIECES_A_ROUND) {
            wait_until(connection, due_ns > now_ns ? due_ns : now_ns);
            return false;
        }
        if (uv_stream_get_write_queue_size(stream_of(connection)) > QUEUE_LIMIT) {
            connection->is_blocked = true; /* on_drained goes on */
            return false;
        }
        send_bytes(connection, body_at(connection, connection->body_sent),
                   (size_t)(end - connection->body_sent));
        if (connection->state == CLOSED)
            return false;
        connection->body_sent = end;
    }
    return true;
}

static bool step_sending(struct connection *connection)
{
    const struct response *response = &connection->response;
    if (connection->delay.place || connection->is_blocked)
        return false;
    if (connection->head_sent < response->head_bytes) {
        send_bytes(connection, response->head + connection->head_sent,
                   response->head_bytes - connection->head_sent);
        connection->head_sent = response->head_bytes;
    }
    if (connection->state == CLOSED || !send_body(connection))
        return false;
    if (response->closes) {
        end_connection(connection);
        return false;
    }
    connection->state = HEAD;
    connection->arrival_ns =
        delay_clock_ns(); /* a request that waits behind this one is taken up now */
    return true;
}

/* Does one step. False: nothing can be done until bytes arrive or a moment comes. */
static bool step(struct connection *connection)
{
    switch (connection->state) {
    case HANDSHAKE:
        return step_handshake(connection);
    case HEAD:
        return step_head(connection);
    case BODY:
        return step_body(connection);
    case THINKING:
        return step_thinking(connection);
    case SENDING:
        return step_sending(connection);
    case LINGERING:
        connection->in_length = 0;
        if (connection->has_ended)
            close_connection(connection);
        return false;
    case LOOKING:
    case HELLO_HELD:
    case CLOSED:
        break;
    }
    return false;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)suggested;
    struct connection *connection = (struct connection *)handle;
    if (connection->tls)
        *room = uv_buf_init(connection->server->scratch, SCRATCH_BYTES);
    else
        *room = uv_buf_init(connection->in + connection->in_length,
                            (unsigned)(IN_BYTES - connection->in_length));
}

static void on_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct connection *connection = (struct connection *)stream;
    if (count == 0)
        return;
    if (count == UV_EOF) {
        connection->has_ended = true;
        uv_read_stop(stream);
        run(connection);
        return;
    }
    if (count < 0) {
        close_connection(connection);
        return;
    }
    connection->arrival_ns = delay_clock_ns();
    if (connection->state == LINGERING)
        return; /* only read so that the end is seen */
    if (!connection->tls)
        connection->in_length += (size_t)count;
    else if (!tls_session_receive(connection->tls, room->base, (size_t)count))
        close_connection(connection);
    run(connection);
}

/* Reads while there is room for what would come, so that a client which floods us is held by TCP.
 */
static void set_reading(struct connection *connection)
{
    bool wanted = connection->state != CLOSED && connection->state != LOOKING &&
                  !connection->has_ended &&
                  (connection->in_length < IN_BYTES || connection->state == LINGERING);
    if (wanted == connection->is_read)
        return;
    connection->is_read = wanted;
    if (!wanted)
        uv_read_stop(stream_of(connection));
    else if (uv_read_start(stream_of(connection), give_room, on_bytes) != 0)
        close_connection(connection);
}

static void run(struct connection *connection)
{
    while (step(connection))
        ;
    /* While an answer is on its way, what the client sends next is only taken in. */
    if (connection->tls && (connection->state == THINKING || connection->state == SENDING))
        fill(connection);
    if (connection->state != CLOSED)
        set_reading(connection);
}

static void on_due(struct delay *delay)
{
    struct connection *connection = delay->user;
    if (connection->state == LINGERING) {
        close_connection(connection);
        return;
    }
    if (connection->state == LOOKING || connection->state == HELLO_HELD)
        connection->state = connection->tls ? HANDSHAKE : HEAD;
    run(connection);
}

static void on_continue_due(struct delay *delay)
{
    struct connection *connection = delay->user;
    if (connection->state == BODY)
        send_continue(connection);
}

static struct connection *make_connection(struct listener *listener)
{
    struct origin_server *server = listener->server;
    struct connection *connection = malloc(sizeof *connection);
    if (!connection)
        return NULL;
    memset(connection, 0, offsetof(struct connection, in));
    connection->server = server;
    connection->tls = listener->has_tls ? tls_session_open(server->config.tls) : NULL;
    if (listener->has_tls && !connection->tls) {
        free(connection);
        return NULL;
    }
    connection->state = LOOKING;
    connection->delay = (struct delay){.fire = on_due, .user = connection};
    connection->continue_delay = (struct delay){.fire = on_continue_due, .user = connection};
    connection->next = server->connections;
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    uv_tcp_init(listener->stream.loop, &connection->stream);
    return connection;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = (struct listener *)stream;
    struct connection *connection = status == 0 ? make_connection(listener) : NULL;
    if (!connection)
        return;
    struct origin_server *server = listener->server;
    if (uv_accept(stream, stream_of(connection)) != 0 ||
        server->connection_count > CONNECTION_LIMIT) {
        close_connection(connection);
        return;
    }
    uv_tcp_nodelay(&connection->stream, 1);
    connection->arrival_ns = delay_clock_ns();
    if (server->config.accept_delay_ns > 0)
        wait_until(connection, connection->arrival_ns + (uint64_t)server->config.accept_delay_ns);
    else
        on_due(&connection->delay);
}

static int start_listener(uv_loop_t *loop, struct origin_server *server, struct listener *listener,
                          int fd, bool has_tls)
{
    listener->server = server;
    listener->has_tls = has_tls;
    uv_tcp_init(loop, &listener->stream);
    server->open_listeners++;
    int code = uv_tcp_open(&listener->stream, fd);
    if (code != 0) {
        close(fd);
        return code;
    }
    return uv_listen((uv_stream_t *)&listener->stream, 1024, on_connection);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct origin_server *server = ((struct listener *)handle)->server;
    server->open_listeners--;
    free_server_when_done(server);
}

int origin_server_start(uv_loop_t *loop, struct delay_timer *timer,
                        const struct origin_config *config, struct origin_server **out)
{
    *out = NULL;
    struct origin_server *server = calloc(1, sizeof *server);
    if (!server) {
        close(config->https_fd);
        close(config->http_fd);
        return UV_ENOMEM;
    }
    server->config = *config;
    server->timer = timer;
    for (size_t i = 0; i < sizeof server->filler; i++)
        server->filler[i] =
            i % FILLER_LINE == FILLER_LINE - 1 ? '\n' : (char)('a' + i % FILLER_LINE % 26);
    int https_code = start_listener(loop, server, &server->https, config->https_fd, true);
    int http_code = start_listener(loop, server, &server->http, config->http_fd, false);
    int code = https_code ? https_code : http_code;
    if (code != 0)
        origin_server_stop(server);
    else
        *out = server;
    return code;
}

void origin_server_stop(struct origin_server *server)
{
    if (!server)
        return;
    server->is_stopped = true;
    for (struct connection *connection = server->connections; connection;
         connection = connection->next)
        close_connection(connection);
    uv_close((uv_handle_t *)&server->https.stream, on_listener_closed);
    uv_close((uv_handle_t *)&server->http.stream, on_listener_closed);
}
