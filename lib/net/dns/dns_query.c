/*
 * One question to the DNS. Floor 2; loop thread only.
 *
 *   begin_attempt ─► ares_query ─► [socket, connect, send hooks] ─► on_ready ─► ares_process_fd ─►
 * on_answer ▲                                                        └► on_timer ─► ares_cancel
 * ────────┘ (only copies) └───────────── another server or round ◄── conclude ◄── after c-ares has
 * returned ◄─────────┘
 *
 * A channel must not be destroyed, nor a query started on it, from inside one of its callbacks:
 * on_answer only takes the answer down, and conclude() acts on it once the call into c-ares is
 * over.
 */
#include "dns_query.h"

#include "clock.h"
#include "textbuf.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    SPARE_CHANNELS = 16,
    SOCKETS_A_QUERY = 4,        /* UDP and TCP, and room for c-ares to open anew before it closes */
    CARES_TIMEOUT_MS = 3600000, /* the time-outs are ours */
    HEADER_BYTES = 12
};

typedef struct channel {
    ares_channel ares;
    np_dns_query *query; /* who uses it */
    np_address server;   /* that it is set to; family AF_UNSPEC: none */
    bool use_tcp;
    struct channel *next;
} channel;

struct np_dns_channels {
    np_loop *loop;
    channel *spare;
    size_t spare_count;
};

typedef struct query_socket {
    int fd; /* -1: free */
    bool is_stream;
    np_loop_watch *watch;
} query_socket;

/* What the packets of the attempt showed, for its span. */
typedef struct observed {
    bool is_stream; /* the span is one of TCP */
    bool truncated;
    int rcode;        /* of the last UDP packet; -1: none came */
    int error_number; /* of a socket call */
    size_t bytes;
} observed;

struct np_dns_query {
    np_dns_channels *channels;
    const np_resolv_conf *conf;
    char name[NP_DNS_NAME_SIZE];
    int family;
    size_t first_server;
    unsigned attempt; /* 1 … attempts * servers */
    channel *channel;
    query_socket sockets[SOCKETS_A_QUERY];
    np_loop_timer *timer;
    bool is_answered; /* on_answer was called */
    bool is_late;     /* by our own time-out */
    int status;       /* of c-ares */
    np_span_seat seat;
    uint32_t span;
    observed seen;
    np_dns_reply reply; /* of this attempt */
    np_dns_reply best;  /* of all: a server that said why tells more than one that said nothing */
    np_dns_query_fn fn;
    void *user;
};

/* --- spans --- */

static const char *const rcode_names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                          "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                          "NXRRSET", "NOTAUTH", "NOTZONE"};

const char *np_dns_rcode_text(int rcode, char out[16])
{
    const size_t count = sizeof rcode_names / sizeof rcode_names[0];
    if (rcode >= 0 && (size_t)rcode < count)
        (void)snprintf(out, 16, "%s", rcode_names[rcode]);
    else
        (void)snprintf(out, 16, "RCODE%d", rcode & 0xfff);
    return out;
}

static void span_begin(np_dns_query *query, uint64_t now_ns, bool is_stream)
{
    char name[NP_DNS_NAME_SIZE + 8];
    query->seen = (observed){.is_stream = is_stream, .rcode = -1};
    query->span = 0;
    if (!query->seat.producer || query->seat.request == 0)
        return;
    (void)snprintf(name, sizeof name, "%s %s", query->family == AF_INET6 ? "AAAA" : "A",
                   query->name);
    query->span = np_emit_span_begin(query->seat.producer, now_ns, query->seat.request,
                                     query->seat.connection, NP_PHASE_DNS, NP_SPAN_QUERY,
                                     query->seat.parent, name);
}

static void add_addresses(np_textbuf *out, const np_dns_reply *reply)
{
    char text[NP_ADDRESS_TEXT];
    np_textbuf_puts(out, ",\"addresses\":[");
    for (size_t i = 0; i < reply->count; i++)
        np_textbuf_print(out, "%s\"%s\"", i ? "," : "",
                         np_address_host_text(&reply->address[i], text));
    np_textbuf_puts(out, "]");
}

static void span_detail(const np_dns_query *query, const np_dns_reply *answer, np_textbuf *out)
{
    char text[NP_ADDRESS_TEXT];
    np_textbuf_print(out, "{\"server\":\"%s\",\"transport\":\"%s\",\"attempt\":%u",
                     np_address_text(&query->reply.server, text),
                     query->seen.is_stream ? "tcp" : "udp", query->attempt);
    if (query->seen.rcode >= 0)
        np_textbuf_print(out, ",\"rcode\":\"%s\"", np_dns_rcode_text(query->seen.rcode, text));
    if (query->seen.truncated)
        np_textbuf_puts(out, ",\"truncated\":true");
    if (answer && answer->outcome == NP_DNS_OK) {
        np_textbuf_print(out, ",\"ttl_s\":%u", answer->ttl_s);
        add_addresses(out, answer);
    }
    if (query->seen.error_number != 0 && query->seen.rcode < 0)
        np_textbuf_print(out, ",\"errno\":\"%s\"", strerrorname_np(query->seen.error_number));
    if (query->seen.bytes > 0)
        np_textbuf_print(out, ",\"answered_bytes\":%zu", query->seen.bytes);
    np_textbuf_puts(out, "}");
}

/* `answer`: what to say of it; NULL: nothing came of this one. */
static void span_end(np_dns_query *query, uint64_t now_ns, np_span_outcome outcome,
                     const np_dns_reply *answer)
{
    if (query->span == 0)
        return;
    np_textbuf detail;
    np_textbuf_init(&detail, 4096);
    span_detail(query, answer, &detail);
    np_emit_span_end(query->seat.producer, now_ns, query->seat.request, query->span, outcome,
                     detail.failed ? NULL : detail.text);
    np_textbuf_done(&detail);
    query->span = 0;
}

void np_dns_query_reseat(np_dns_query *query, const np_span_seat *seat, uint64_t now_ns)
{
    const observed seen = query->seen;
    span_end(query, now_ns, NP_SPAN_ABANDONED, NULL);
    query->seat = *seat;
    span_begin(query, now_ns, seen.is_stream);
    query->seen = seen;
}

/* --- the sockets of c-ares --- */

static query_socket *socket_of(np_dns_query *query, int fd)
{
    for (size_t i = 0; i < SOCKETS_A_QUERY; i++)
        if (query->sockets[i].fd == fd)
            return &query->sockets[i];
    return NULL;
}

static ares_socket_t hook_socket(int family, int type, int protocol, void *user)
{
    np_dns_query *query = ((channel *)user)->query;
    query_socket *slot = socket_of(query, -1);
    if (!slot) {
        errno = EMFILE;
        return -1;
    }
    const int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        query->seen.error_number = errno;
        return -1;
    }
    if (type == SOCK_STREAM) {
        const int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* without it only slower */
    }
    *slot = (query_socket){.fd = fd, .is_stream = type == SOCK_STREAM};
    return fd;
}

static int hook_close(ares_socket_t fd, void *user)
{
    query_socket *slot = socket_of(((channel *)user)->query, fd);
    if (slot) {
        np_loop_watch_stop(slot->watch);
        *slot = (query_socket){.fd = -1};
    }
    return close(fd);
}

static int hook_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t size,
                        void *user)
{
    (void)to; /* the same address, without its zone */
    (void)size;
    np_dns_query *query = ((channel *)user)->query;
    const query_socket *slot = socket_of(query, fd);
    if (slot && slot->is_stream && !query->seen.is_stream) {
        const uint64_t now_ns = np_now();
        span_end(query, now_ns, NP_SPAN_OK, NULL); /* it was answered: use TCP */
        span_begin(query, now_ns, true);
    }
    const np_address *server = &query->reply.server;
    const int rc = connect(fd, &server->any, np_address_size(server));
    if (rc != 0 && errno != EINPROGRESS)
        query->seen.error_number = errno;
    return rc;
}

static ares_ssize_t hook_receive(ares_socket_t fd, void *data, size_t size, int flags,
                                 struct sockaddr *from, ares_socklen_t *from_size, void *user)
{
    np_dns_query *query = ((channel *)user)->query;
    const query_socket *slot = socket_of(query, fd);
    const ssize_t n = recvfrom(fd, data, size, flags, from, from_size);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        query->seen.error_number = errno;
    } else if (slot && slot->is_stream && n > 0) {
        query->seen.bytes += (size_t)n;
    } else if (n >= HEADER_BYTES) {
        const uint8_t *header = data;
        query->seen.bytes = (size_t)n;
        query->seen.rcode = header[3] & 0x0f;
        query->seen.truncated = (header[2] & 0x02) != 0;
    }
    return n;
}

static ares_ssize_t hook_send(ares_socket_t fd, const struct iovec *pieces, int count, void *user)
{
    np_dns_query *query = ((channel *)user)->query;
    const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
                                   .msg_iovlen = (size_t)count}; /* sendmsg only reads them */
    const ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        query->seen.error_number = errno;
    return n;
}

static const struct ares_socket_functions hooks = {hook_socket, hook_close, hook_connect,
                                                   hook_receive, hook_send};

static void on_ready(int fd, unsigned ready, uint64_t now_ns, void *user);

static void on_interest(void *user, ares_socket_t fd, int readable, int writable)
{
    np_dns_query *query = ((channel *)user)->query;
    query_socket *slot = query ? socket_of(query, fd) : NULL;
    if (!slot)
        return;
    const unsigned interest = (readable ? NP_LOOP_READ : 0u) | (writable ? NP_LOOP_WRITE : 0u);
    if (interest == 0) {
        np_loop_watch_stop(slot->watch);
        slot->watch = NULL;
    } else if (slot->watch) {
        np_loop_watch_change(slot->watch, interest);
    } else {
        slot->watch = np_loop_watch_start(query->channels->loop, fd, interest, on_ready,
                                          query); /* without one the attempt times out */
    }
}

/* --- channels --- */

/* c-ares counts its users without a lock; contexts are made on any thread. */
static pthread_mutex_t library_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool library_open(void)
{
    pthread_mutex_lock(&library_mutex);
    const bool ok = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
    pthread_mutex_unlock(&library_mutex);
    return ok;
}

static void library_close(void)
{
    pthread_mutex_lock(&library_mutex);
    ares_library_cleanup();
    pthread_mutex_unlock(&library_mutex);
}

np_dns_channels *np_dns_channels_create(np_loop *loop)
{
    np_dns_channels *channels = calloc(1, sizeof *channels);
    if (!channels)
        return NULL;
    if (!library_open()) {
        free(channels);
        return NULL;
    }
    channels->loop = loop;
    return channels;
}

void np_dns_channels_free(np_dns_channels *channels)
{
    if (!channels)
        return;
    while (channels->spare) {
        channel *next = channels->spare->next;
        ares_destroy(channels->spare->ares);
        free(channels->spare);
        channels->spare = next;
    }
    library_close();
    free(channels);
}

/* Everything is set, so that c-ares reads neither its files nor the environment. */
static channel *channel_create(bool use_tcp)
{
    channel *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    char lookups[] = "b";
    const int flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    struct ares_options options = {.flags = flags | (use_tcp ? ARES_FLAG_USEVC : 0),
                                   .timeout = CARES_TIMEOUT_MS,
                                   .tries = 1,
                                   .ndots = 1,
                                   .lookups = lookups,
                                   .sock_state_cb = on_interest,
                                   .sock_state_cb_data = c};
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                     ARES_OPT_LOOKUPS | ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_SORTLIST |
                     ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
    if (ares_init_options(&c->ares, &options, mask) != ARES_SUCCESS) {
        free(c);
        return NULL;
    }
    ares_set_socket_functions(c->ares, &hooks, c);
    c->use_tcp = use_tcp;
    return c;
}

static bool channel_set_server(channel *c, const np_address *server)
{
    if (c->server.any.sa_family != AF_UNSPEC && np_address_equal(&c->server, server))
        return true;
    struct ares_addr_port_node node = {.family = server->any.sa_family,
                                       .udp_port = np_address_port(server),
                                       .tcp_port = np_address_port(server)};
    if (node.family == AF_INET6)
        memcpy(&node.addr.addr6, &server->v6.sin6_addr, sizeof node.addr.addr6);
    else
        node.addr.addr4 = server->v4.sin_addr;
    if (ares_set_servers_ports(c->ares, &node) != ARES_SUCCESS)
        return false;
    c->server = *server;
    return true;
}

static channel *channel_take(np_dns_channels *channels, np_dns_query *query)
{
    channel *c = channels->spare;
    if (c && c->use_tcp == query->conf->use_tcp) {
        channels->spare = c->next;
        channels->spare_count--;
    } else {
        c = channel_create(query->conf->use_tcp);
    }
    if (c)
        c->query = query;
    return c;
}

/* A channel on which something went wrong is not used again. */
static void channel_give_back(np_dns_channels *channels, channel *c, bool is_healthy)
{
    if (!is_healthy || channels->spare_count == SPARE_CHANNELS) {
        ares_destroy(c->ares); /* closes its sockets, through the hooks */
        free(c);
        return;
    }
    c->query = NULL;
    c->next = channels->spare;
    channels->spare = c;
    channels->spare_count++;
}

/* --- attempts --- */

static void take_addresses(np_dns_reply *reply, int family, const unsigned char *packet, int length)
{
    reply->count = 0;
    reply->ttl_s = UINT32_MAX;
    int count = NP_DNS_ADDRESSES;
    int status;
    if (family == AF_INET6) {
        struct ares_addr6ttl found[NP_DNS_ADDRESSES];
        status = ares_parse_aaaa_reply(packet, length, NULL, found, &count);
        for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
            np_address *address = &reply->address[reply->count++];
            *address = (np_address){.v6.sin6_family = AF_INET6};
            memcpy(&address->v6.sin6_addr, &found[i].ip6addr, sizeof address->v6.sin6_addr);
            if (found[i].ttl >= 0 && (uint32_t)found[i].ttl < reply->ttl_s)
                reply->ttl_s = (uint32_t)found[i].ttl;
        }
    } else {
        struct ares_addrttl found[NP_DNS_ADDRESSES];
        status = ares_parse_a_reply(packet, length, NULL, found, &count);
        for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
            np_address *address = &reply->address[reply->count++];
            *address = (np_address){.v4.sin_family = AF_INET};
            address->v4.sin_addr = found[i].ipaddr;
            if (found[i].ttl >= 0 && (uint32_t)found[i].ttl < reply->ttl_s)
                reply->ttl_s = (uint32_t)found[i].ttl;
        }
    }
    if (reply->count > 0)
        reply->outcome = NP_DNS_OK;
    else
        reply->outcome =
            status == ARES_SUCCESS || status == ARES_ENODATA ? NP_DNS_NODATA : NP_DNS_FAILED;
}

static void on_answer(void *user, int status, int timeouts, unsigned char *packet, int length)
{
    np_dns_query *query = user;
    (void)timeouts;
    query->is_answered = true;
    query->status = status;
    if (!packet || length < HEADER_BYTES)
        return;
    query->seen.rcode = query->reply.rcode = packet[3] & 0x0f;
    if (status == ARES_SUCCESS)
        take_addresses(&query->reply, query->family, packet, length);
}

static np_dns_outcome outcome_of(const np_dns_query *query)
{
    if (query->is_late)
        return NP_DNS_TIMEOUT;
    switch (query->status) {
    case ARES_SUCCESS:
        return query->reply.outcome; /* take_addresses has set it */
    case ARES_ENODATA:
        return NP_DNS_NODATA;
    case ARES_ENOTFOUND:
        return NP_DNS_NXDOMAIN;
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
        return NP_DNS_REFUSED;
    case ARES_ETIMEOUT:
        return NP_DNS_TIMEOUT;
    default:
        return NP_DNS_FAILED;
    }
}

static np_span_outcome span_outcome(np_dns_outcome outcome)
{
    static const np_span_outcome outcomes[] = {[NP_DNS_OK] = NP_SPAN_OK,
                                               [NP_DNS_NODATA] = NP_SPAN_NODATA,
                                               [NP_DNS_NXDOMAIN] = NP_SPAN_NXDOMAIN,
                                               [NP_DNS_TIMEOUT] = NP_SPAN_TIMEOUT,
                                               [NP_DNS_REFUSED] = NP_SPAN_REFUSED,
                                               [NP_DNS_FAILED] = NP_SPAN_FAILED};
    return outcomes[outcome];
}

static void on_timer(uint64_t now_ns, void *user);

static void arm_timer(np_dns_query *query, uint64_t at_ns)
{
    np_loop_timer_cancel(query->timer);
    query->timer = np_loop_timer_start(query->channels->loop, at_ns, on_timer, query);
}

static void begin_attempt(np_dns_query *query, uint64_t now_ns)
{
    const np_resolv_conf *conf = query->conf;
    query->reply.server = conf->server[(query->first_server + query->attempt) % conf->server_count];
    query->attempt++;
    query->is_answered = query->is_late = false;
    query->reply.rcode = -1;
    query->reply.count = 0;
    query->channel = channel_take(query->channels, query);
    arm_timer(query, now_ns + (uint64_t)conf->timeout_ns);
    span_begin(query, np_now(), conf->use_tcp);
    if (!query->channel || !channel_set_server(query->channel, &query->reply.server)) {
        query->is_answered = true;
        query->status = ARES_ENOMEM;
    } else {
        ares_query(query->channel->ares, query->name, ns_c_in,
                   query->family == AF_INET6 ? ns_t_aaaa : ns_t_a, on_answer, query);
    }
    if (query->is_answered)
        arm_timer(query, now_ns); /* the caller is not to be called from inside its own call */
}

static void query_free(np_dns_query *query, bool is_healthy)
{
    np_loop_timer_cancel(query->timer);
    if (query->channel)
        channel_give_back(query->channels, query->channel, is_healthy);
    free(query);
}

static bool is_final(np_dns_outcome outcome)
{
    return outcome == NP_DNS_OK || outcome == NP_DNS_NODATA || outcome == NP_DNS_NXDOMAIN;
}

/* The call into c-ares is over: what came of the attempt? */
static void conclude(np_dns_query *query, uint64_t now_ns)
{
    const np_dns_outcome outcome = outcome_of(query);
    const np_resolv_conf *conf = query->conf;
    span_end(query, now_ns, span_outcome(outcome), outcome == NP_DNS_OK ? &query->reply : NULL);
    query->reply.error_number = query->seen.error_number;
    query->reply.outcome = outcome;
    if (outcome != NP_DNS_TIMEOUT || query->attempt == 1)
        query->best = query->reply;
    if (!is_final(outcome) && query->attempt < conf->attempts * conf->server_count) {
        if (query->channel)
            channel_give_back(query->channels, query->channel, false);
        query->channel = NULL;
        begin_attempt(query, now_ns);
        return;
    }
    const np_dns_reply reply = query->best;
    const np_dns_query_fn fn = query->fn;
    void *user = query->user;
    query_free(query, is_final(outcome));
    fn(&reply, now_ns, user);
}

static void on_timer(uint64_t now_ns, void *user)
{
    np_dns_query *query = user;
    np_loop_timer_cancel(query->timer);
    query->timer = NULL;
    if (!query->is_answered) {
        query->is_late = true;
        ares_cancel(query->channel->ares);
    }
    conclude(query, now_ns);
}

static void on_ready(int fd, unsigned ready, uint64_t now_ns, void *user)
{
    np_dns_query *query = user;
    const bool readable = (ready & (NP_LOOP_READ | NP_LOOP_ERROR)) != 0;
    ares_process_fd(query->channel->ares, readable ? fd : ARES_SOCKET_BAD,
                    ready & NP_LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    if (query->is_answered)
        conclude(query, now_ns);
}

np_dns_query *np_dns_query_start(np_dns_channels *channels, const np_resolv_conf *conf,
                                 size_t first_server, const char *name, int family,
                                 const np_span_seat *seat, uint64_t now_ns, np_dns_query_fn fn,
                                 void *user)
{
    np_dns_query *query = calloc(1, sizeof *query);
    if (!query)
        return NULL;
    query->channels = channels;
    query->conf = conf;
    query->first_server = first_server;
    query->family = family;
    query->seat = *seat;
    query->fn = fn;
    query->user = user;
    (void)snprintf(query->name, sizeof query->name, "%s", name);
    for (size_t i = 0; i < SOCKETS_A_QUERY; i++)
        query->sockets[i].fd = -1;
    begin_attempt(query, now_ns);
    return query;
}

void np_dns_query_cancel(np_dns_query *query, uint64_t now_ns)
{
    span_end(query, now_ns, NP_SPAN_ABANDONED, NULL);
    query_free(query, false);
}
