/*
 * See serve_dns.h. A query becomes a `struct pending` that waits in the delay timer and is answered
 * when due. What is dropped is decided on arrival, the answer is made when it is sent.
 */
#include "serve_dns.h"

#include "dns_message.h"
#include "stream_write.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PENDING_LIMIT = 20000, /* queries that wait; more are dropped, as a busy server does */
    TCP_LIMIT = 512,
    TCP_BUFFER = 2 + 65535,
    DATAGRAMS_A_ROUND = 64,
    SEEN_LIMIT = 4096, /* names remembered for drop-first */
    OLDEST_STAMP_NS = 1000000000
};

struct tcp_client {
    uv_tcp_t stream; /* first member */
    struct dns_server *server;
    struct tcp_client *next, *previous;
    unsigned pending_count; /* answers that still point here */
    bool is_closed;         /* the handle is; freed with the last pending answer */
    bool has_ended;         /* the client sends no more; closed with the last pending answer */
    size_t length;
    uint8_t buffer[TCP_BUFFER];
};

struct pending {
    struct delay delay; /* first member */
    struct dns_server *server;
    struct pending *next, *previous;
    struct tcp_client *client; /* NULL: over UDP */
    struct sockaddr_storage from;
    socklen_t from_length;
    struct dns_query query;
    enum dns_verdict verdict;
};

/* How often a question was asked, for drop-first. */
struct seen {
    uint64_t hash; /* of name and type; 0: free */
    unsigned count;
};

struct dns_server {
    uv_poll_t udp; /* first member */
    uv_tcp_t listener;
    struct delay_timer *timer;
    struct dns_config config;
    struct pending *pendings;
    size_t pending_count;
    struct tcp_client *clients;
    size_t client_count;
    unsigned open_handles; /* of udp and listener */
    bool is_stopped;
    struct seen seen[SEEN_LIMIT];
};

static const struct dns_name *find_name(const struct dns_config *config, const char *name)
{
    for (size_t i = 0; i < config->name_count; i++)
        if (strcmp(config->names[i].name, name) == 0)
            return &config->names[i];
    return NULL;
}

static void answer_known(const struct dns_config *config, const struct dns_query *query,
                         const struct dns_name *name, struct dns_reply *reply)
{
    reply->type = query->type == DNS_ANY ? DNS_A : query->type;
    if (reply->type == DNS_A)
        reply->addresses = name->ipv4;
    else if (reply->type == DNS_AAAA)
        reply->addresses = name->ipv6;
    reply->address_count = reply->addresses != NULL;
    reply->has_authority = reply->address_count == 0;
    if (config->fault == DNS_FAULT_CNAME && reply->address_count > 0)
        reply->cname_count =
            config->fault_count < DNS_CNAME_LIMIT ? config->fault_count : DNS_CNAME_LIMIT;
}

/* What the server's state says to a query that is to be answered. */
static void decide(const struct dns_config *config, const struct pending *pending,
                   struct dns_reply *reply)
{
    const struct dns_query *query = &pending->query;
    *reply = (struct dns_reply){.ttl_s = config->ttl_s};
    if (pending->verdict == DNS_BROKEN) {
        reply->rcode = DNS_FORMERR;
    } else if (query->opcode != 0) {
        reply->rcode = DNS_NOTIMP;
    } else if (query->has_edns && query->edns_version != 0) {
        reply->rcode = DNS_BADVERS;
    } else if (query->class_ != 1 && query->class_ != 255) {
        reply->rcode = DNS_REFUSED;
    } else if (config->fault == DNS_FAULT_SERVFAIL) {
        reply->rcode = DNS_SERVFAIL;
    } else if (config->fault == DNS_FAULT_REFUSED) {
        reply->rcode = DNS_REFUSED;
    } else if (config->fault == DNS_FAULT_FORMERR_EDNS && query->has_edns) {
        reply->rcode = DNS_FORMERR;
        reply->knows_no_edns = true; /* as servers older than EDNS answer: clients go by that */
    } else if (config->fault == DNS_FAULT_TRUNCATED && !pending->client) {
        reply->truncated = true;
    } else {
        const struct dns_name *name = find_name(config, query->name);
        if (!name || config->fault == DNS_FAULT_NXDOMAIN) {
            reply->rcode = DNS_NXDOMAIN;
            reply->has_authority = true;
        } else {
            answer_known(config, query, name, reply);
        }
    }
}

/* FNV-1a over name and type; 0 means a free place, so it is never returned. */
static uint64_t question_hash(const struct dns_query *query)
{
    uint64_t hash = 14695981039346656037U ^ query->type;
    for (const char *c = query->name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211U;
    return hash ? hash : 1;
}

/* Counts the query; true while it is one of the first N. When the table is full nothing more is
 * dropped. */
static bool is_among_first(struct dns_server *server, const struct dns_query *query)
{
    uint64_t hash = question_hash(query);
    for (size_t probe = 0; probe < SEEN_LIMIT; probe++) {
        struct seen *seen = &server->seen[(hash + probe) % SEEN_LIMIT];
        if (seen->hash == 0)
            seen->hash = hash;
        if (seen->hash != hash)
            continue;
        if (seen->count >= server->config.fault_count)
            return false;
        seen->count++;
        return true;
    }
    return false;
}

static bool is_dropped(struct dns_server *server, const struct pending *pending)
{
    const struct dns_config *config = &server->config;
    if (pending->verdict != DNS_ASKED)
        return false;
    if (config->aaaa_drop && pending->query.type == DNS_AAAA)
        return true;
    if (config->fault == DNS_FAULT_DROP)
        return true;
    return config->fault == DNS_FAULT_DROP_FIRST && is_among_first(server, &pending->query);
}

static void free_server_when_done(struct dns_server *server)
{
    if (server->is_stopped && server->open_handles == 0 && server->pending_count == 0 &&
        server->client_count == 0)
        free(server);
}

static void free_client_when_done(struct tcp_client *client)
{
    if (!client->is_closed || client->pending_count > 0)
        return;
    struct dns_server *server = client->server;
    if (client->previous)
        client->previous->next = client->next;
    else
        server->clients = client->next;
    if (client->next)
        client->next->previous = client->previous;
    server->client_count--;
    free(client);
    free_server_when_done(server);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct tcp_client *client = (struct tcp_client *)handle;
    client->is_closed = true;
    free_client_when_done(client);
}

static void close_client(struct tcp_client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->stream))
        uv_close((uv_handle_t *)&client->stream, on_client_closed);
}

static void free_pending(struct pending *pending)
{
    struct dns_server *server = pending->server;
    struct tcp_client *client = pending->client;
    delay_disarm(server->timer, &pending->delay);
    if (pending->previous)
        pending->previous->next = pending->next;
    else
        server->pendings = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
    server->pending_count--;
    free(pending);
    if (client) {
        client->pending_count--;
        if (client->has_ended && client->pending_count == 0)
            close_client(client);
        free_client_when_done(client);
    }
    free_server_when_done(server);
}

static void send_udp(struct pending *pending, const uint8_t *bytes, size_t length)
{
    /* A full socket buffer loses the answer, as it does on any DNS server. */
    int fd = pending->server->config.udp_fd;
    (void)!sendto(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&pending->from, pending->from_length);
}

static void on_due(struct delay *delay)
{
    struct pending *pending = (struct pending *)delay;
    struct dns_reply reply;
    decide(&pending->server->config, pending, &reply);
    uint8_t bytes[2 + DNS_MESSAGE_BYTES];
    size_t largest = pending->client ? DNS_MESSAGE_BYTES : pending->query.udp_size;
    size_t length = dns_reply_write(&pending->query, &reply, largest, bytes + 2);
    if (!pending->client) {
        send_udp(pending, bytes + 2, length);
    } else if (!uv_is_closing((uv_handle_t *)&pending->client->stream)) {
        bytes[0] = (uint8_t)(length >> 8);
        bytes[1] = (uint8_t)length;
        /* A client that went away is noticed by reading. */
        (void)stream_write((uv_stream_t *)&pending->client->stream, bytes, length + 2, NULL);
    }
    free_pending(pending);
}

static void link_pending(struct dns_server *server, struct pending *pending)
{
    pending->next = server->pendings;
    if (pending->next)
        pending->next->previous = pending;
    server->pendings = pending;
    server->pending_count++;
}

/* Takes a message that arrived at `arrival_ns` and sees to its answer. */
static void receive(struct dns_server *server, struct tcp_client *client, const uint8_t *bytes,
                    size_t length, uint64_t arrival_ns, const struct sockaddr_storage *from,
                    socklen_t from_length)
{
    if (server->pending_count >= PENDING_LIMIT)
        return;
    struct pending *pending = calloc(1, sizeof *pending);
    if (!pending)
        return;
    pending->server = server;
    pending->verdict = dns_query_parse(bytes, length, &pending->query);
    if (pending->verdict == DNS_IGNORED || is_dropped(server, pending)) {
        free(pending);
        return;
    }
    if (from)
        pending->from = *from;
    pending->from_length = from_length;
    pending->client = client;
    if (client)
        client->pending_count++;
    pending->delay.fire = on_due;
    link_pending(server, pending);

    const struct dns_config *config = &server->config;
    int64_t delay_ns = pending->query.type == DNS_AAAA && config->aaaa_delay_ns >= 0
                           ? config->aaaa_delay_ns
                           : config->delay_ns;
    if (delay_ns == 0)
        on_due(&pending->delay);
    else if (!delay_arm(server->timer, &pending->delay, arrival_ns + (uint64_t)delay_ns))
        free_pending(pending);
}

/* The kernel's arrival stamp on our clock. It is CLOCK_REALTIME: only the age of the datagram is
 * taken from it. */
static uint64_t arrival_from(struct msghdr *message)
{
    uint64_t now_ns = delay_clock_ns();
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        struct timespec stamp;
        struct timespec real;
        memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
        clock_gettime(CLOCK_REALTIME, &real);
        int64_t age_ns =
            (int64_t)(real.tv_sec - stamp.tv_sec) * 1000000000 + real.tv_nsec - stamp.tv_nsec;
        /* Outside of this the clock was set between the two readings. */
        if (age_ns >= 0 && age_ns < OLDEST_STAMP_NS && (uint64_t)age_ns < now_ns)
            return now_ns - (uint64_t)age_ns;
    }
    return now_ns;
}

static void on_datagrams(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct dns_server *server = (struct dns_server *)poll;
    for (int i = 0; i < DATAGRAMS_A_ROUND; i++) {
        uint8_t bytes[DNS_MESSAGE_BYTES];
        struct sockaddr_storage from;
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
        struct iovec part = {bytes, sizeof bytes};
        struct msghdr message = {.msg_name = &from,
                                 .msg_namelen = sizeof from,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t count = recvmsg(server->config.udp_fd, &message, MSG_DONTWAIT);
        if (count < 0)
            return; /* empty, or an ICMP error of an earlier answer, which concerns nobody */
        if (message.msg_flags & MSG_TRUNC)
            continue;
        receive(server, NULL, bytes, (size_t)count, arrival_from(&message), &from,
                message.msg_namelen);
    }
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)suggested;
    struct tcp_client *client = (struct tcp_client *)handle;
    *room = uv_buf_init((char *)client->buffer + client->length,
                        (unsigned)(TCP_BUFFER - client->length));
}

static void on_client_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    (void)room;
    struct tcp_client *client = (struct tcp_client *)stream;
    if (count < 0) {
        client->has_ended = true;
        uv_read_stop(stream);
        if (count != UV_EOF || client->pending_count == 0)
            close_client(client);
        return;
    }
    uint64_t now_ns = delay_clock_ns();
    client->length += (size_t)count;
    size_t at = 0;
    while (client->length - at >= 2) {
        size_t length = (size_t)client->buffer[at] << 8 | client->buffer[at + 1];
        if (client->length - at < 2 + length)
            break;
        receive(client->server, client, client->buffer + at + 2, length, now_ns, NULL, 0);
        at += 2 + length;
    }
    memmove(client->buffer, client->buffer + at, client->length - at);
    client->length -= at;
}

static void on_client(uv_stream_t *listener, int status)
{
    struct dns_server *server = listener->data;
    if (status < 0)
        return;
    struct tcp_client *client = malloc(sizeof *client);
    if (!client)
        return;
    memset(client, 0, offsetof(struct tcp_client, buffer));
    client->server = server;
    uv_tcp_init(listener->loop, &client->stream);
    client->next = server->clients;
    if (client->next)
        client->next->previous = client;
    server->clients = client;
    server->client_count++;
    if (uv_accept(listener, (uv_stream_t *)&client->stream) != 0 ||
        server->client_count > TCP_LIMIT) {
        close_client(client);
        return;
    }
    uv_tcp_nodelay(&client->stream, 1);
    uv_read_start((uv_stream_t *)&client->stream, give_room, on_client_bytes);
}

int dns_server_start(uv_loop_t *loop, struct delay_timer *timer, const struct dns_config *config,
                     struct dns_server **out)
{
    *out = NULL;
    struct dns_server *server = calloc(1, sizeof *server);
    if (!server) {
        close(config->udp_fd);
        close(config->tcp_fd);
        return UV_ENOMEM;
    }
    server->config = *config;
    server->timer = timer;
    int on = 1;
    (void)setsockopt(config->udp_fd, SOL_SOCKET, SO_TIMESTAMPNS, &on,
                     sizeof on); /* without: the time of reading */
    int code = uv_poll_init(loop, &server->udp, config->udp_fd);
    if (code != 0) {
        close(config->udp_fd);
        close(config->tcp_fd);
        free(server);
        return code;
    }
    uv_tcp_init(loop, &server->listener);
    server->listener.data = server;
    server->open_handles = 2;
    code = uv_tcp_open(&server->listener, config->tcp_fd);
    if (code != 0)
        close(config->tcp_fd);
    else
        code = uv_listen((uv_stream_t *)&server->listener, 128, on_client);
    if (code == 0)
        code = uv_poll_start(&server->udp, UV_READABLE, on_datagrams);
    if (code != 0)
        dns_server_stop(server);
    else
        *out = server;
    return code;
}

static void on_udp_closed(uv_handle_t *handle)
{
    struct dns_server *server = (struct dns_server *)handle;
    close(server->config.udp_fd);
    server->open_handles--;
    free_server_when_done(server);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct dns_server *server = handle->data;
    server->open_handles--;
    free_server_when_done(server);
}

void dns_server_stop(struct dns_server *server)
{
    if (!server)
        return;
    server->is_stopped = true;
    for (struct tcp_client *client = server->clients; client; client = client->next)
        close_client(client);
    for (struct pending *pending = server->pendings, *next; pending; pending = next) {
        next = pending->next;
        free_pending(pending);
    }
    uv_close((uv_handle_t *)&server->udp, on_udp_closed);
    uv_close((uv_handle_t *)&server->listener, on_listener_closed);
}
