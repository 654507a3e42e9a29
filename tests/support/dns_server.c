/* A DNS server that does as it is told. */
#include "dns_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RULES = 64, MAX_LATER = 64, MAX_SEEN = 512, PACKET = 1024, HEADER = 12 };

struct question {
    char name[256];
    int type;
    size_t end; /* offset behind the question */
};

struct later {
    uint64_t at_ms;
    int fd; /* TCP: a connection; UDP: the socket */
    bool is_tcp;
    struct sockaddr_in to;
    uint8_t packet[PACKET];
    size_t length;
};

struct seen {
    char name[256];
    int type;
};

struct dns_server {
    const struct dns_rule *rules;
    int used[MAX_RULES];
    int udp, tcp, stop;
    char address[32];
    pthread_t thread;
    struct later later[MAX_LATER];
    size_t later_count;
    pthread_mutex_t mutex; /* guards what follows */
    struct seen seen[MAX_SEEN];
    int seen_count;
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool read_question(const uint8_t *packet, size_t length, struct question *q)
{
    size_t at = HEADER;
    size_t out = 0;
    while (at < length && packet[at] != 0) {
        const size_t label = packet[at++];
        if (label > 63 || at + label >= length || out + label + 2 > sizeof q->name)
            return false;
        if (out)
            q->name[out++] = '.';
        memcpy(q->name + out, packet + at, label);
        out += label;
        at += label;
    }
    q->name[out] = '\0';
    if (at + 5 > length)
        return false;
    q->type = packet[at + 1] << 8 | packet[at + 2];
    q->end = at + 5;
    return true;
}

static void remember(struct dns_server *s, const struct question *q)
{
    pthread_mutex_lock(&s->mutex);
    if (s->seen_count < MAX_SEEN) {
        strcpy(s->seen[s->seen_count].name, q->name);
        s->seen[s->seen_count].type = q->type;
    }
    s->seen_count++;
    pthread_mutex_unlock(&s->mutex);
}

static const struct dns_rule *find_rule(struct dns_server *s, const struct question *q)
{
    for (size_t i = 0; s->rules[i].name && i < MAX_RULES; i++) {
        const struct dns_rule *rule = &s->rules[i];
        if (strcasecmp(rule->name, q->name) != 0 ||
            (rule->type != DNS_ANY && rule->type != q->type))
            continue;
        if (rule->times && s->used[i] >= rule->times)
            continue;
        s->used[i]++;
        return rule;
    }
    return NULL;
}

static size_t put16(uint8_t *out, size_t at, unsigned value)
{
    out[at] = (uint8_t)(value >> 8);
    out[at + 1] = (uint8_t)value;
    return at + 2;
}

static size_t put_name(uint8_t *out, size_t at, const char *name)
{
    while (*name) {
        const size_t label = strcspn(name, ".");
        out[at++] = (uint8_t)label;
        memcpy(out + at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    out[at] = 0;
    return at + 1;
}

/* Type, class, TTL; the length of the data follows. */
static size_t put_record_head(uint8_t *out, size_t at, int type, unsigned ttl_s)
{
    at = put16(out, at, (unsigned)type);
    at = put16(out, at, 1);
    at = put16(out, at, ttl_s >> 16);
    return put16(out, at, ttl_s & 0xffff);
}

static size_t put_addresses(uint8_t *out, size_t at, const struct dns_rule *rule,
                            const struct question *q, unsigned *count)
{
    char list[512];
    char *rest = list;
    snprintf(list, sizeof list, "%s", rule->addresses ? rule->addresses : "");
    for (char *text; (text = strsep(&rest, ",")) != NULL;) {
        uint8_t bytes[16];
        const size_t size = q->type == DNS_AAAA ? 16 : 4;
        if (inet_pton(q->type == DNS_AAAA ? AF_INET6 : AF_INET, text, bytes) != 1)
            continue;
        at = rule->cname ? put_name(out, at, rule->cname) : put16(out, at, 0xc00c);
        at = put_record_head(out, at, q->type, rule->ttl_s);
        at = put16(out, at, (unsigned)size);
        memcpy(out + at, bytes, size);
        at += size;
        ++*count;
    }
    return at;
}

static size_t put_cname(uint8_t *out, size_t at, const struct dns_rule *rule, unsigned *count)
{
    uint8_t name[256];
    const size_t length = put_name(name, 0, rule->cname);
    at = put16(out, at, 0xc00c);
    at = put_record_head(out, at, 5, rule->ttl_s);
    at = put16(out, at, (unsigned)length);
    memcpy(out + at, name, length);
    ++*count;
    return at + length;
}

static size_t make_answer(const uint8_t *query, const struct question *q,
                          const struct dns_rule *rule, bool is_tcp, uint8_t *out)
{
    const bool truncated = rule && rule->truncate && !is_tcp;
    unsigned count = 0;
    size_t at = q->end;
    memcpy(out, query, q->end);
    out[2] = (uint8_t)(0x84 | (query[2] & 1) | (truncated ? 2 : 0));
    out[3] = (uint8_t)(0x80 | (rule ? rule->rcode : 3));
    memset(out + 6, 0, 6);
    if (rule && rule->cname && !truncated)
        at = put_cname(out, at, rule, &count);
    if (rule && !truncated)
        at = put_addresses(out, at, rule, q, &count);
    put16(out, 6, count);
    return at;
}

static void send_now(const struct later *l)
{
    if (!l->is_tcp) {
        (void)!sendto(l->fd, l->packet, l->length, 0, (const struct sockaddr *)&l->to,
                      sizeof l->to);
        return;
    }
    uint8_t framed[PACKET + 2];
    put16(framed, 0, (unsigned)l->length);
    memcpy(framed + 2, l->packet, l->length);
    (void)!send(l->fd, framed, l->length + 2, MSG_NOSIGNAL);
    close(l->fd);
}

static void forge(const uint8_t *query, const struct question *q, const struct dns_rule *rule,
                  const struct later *l)
{
    struct dns_rule forged = *rule;
    struct later ahead = *l;
    forged.addresses = q->type == DNS_AAAA ? "2001:db8::bad" : "192.0.2.66";
    ahead.length = make_answer(query, q, &forged, l->is_tcp, ahead.packet);
    ahead.packet[0] ^= 0x55;
    send_now(&ahead);
}

static void answer(struct dns_server *s, const uint8_t *query, size_t length, struct later *l)
{
    struct question q;
    if (length < HEADER || !read_question(query, length, &q))
        return;
    remember(s, &q);
    const struct dns_rule *rule = find_rule(s, &q);
    if (rule && rule->drop) {
        if (l->is_tcp)
            close(l->fd);
        return;
    }
    if (rule && rule->wrong_id)
        forge(query, &q, rule, l);
    l->length = make_answer(query, &q, rule, l->is_tcp, l->packet);
    l->at_ms = now_ms() + (uint64_t)(rule ? rule->delay_ms : 0);
    if (rule && rule->delay_ms && s->later_count < MAX_LATER)
        s->later[s->later_count++] = *l;
    else
        send_now(l);
}

static void read_udp(struct dns_server *s)
{
    uint8_t query[PACKET];
    struct later l = {.fd = s->udp};
    socklen_t size = sizeof l.to;
    const ssize_t n = recvfrom(s->udp, query, sizeof query, 0, (struct sockaddr *)&l.to, &size);
    if (n > 0)
        answer(s, query, (size_t)n, &l);
}

/* One query a connection; its bytes come in one piece or two, and at once. */
static void read_tcp(struct dns_server *s)
{
    uint8_t query[PACKET];
    struct later l = {.fd = accept(s->tcp, NULL, NULL), .is_tcp = true};
    size_t length = 0;
    while (length < 2 || length < 2u + (size_t)(query[0] << 8 | query[1])) {
        const ssize_t n = recv(l.fd, query + length, sizeof query - length, 0);
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    if (length > 2)
        answer(s, query + 2, length - 2, &l);
    else
        close(l.fd);
}

static int send_due(struct dns_server *s)
{
    int wait = -1;
    for (size_t i = 0; i < s->later_count;) {
        const int64_t left = (int64_t)s->later[i].at_ms - (int64_t)now_ms();
        if (left <= 0) {
            send_now(&s->later[i]);
            s->later[i] = s->later[--s->later_count];
            continue;
        }
        wait = wait < 0 || left < wait ? (int)left : wait;
        i++;
    }
    return wait;
}

static void *serve(void *argument)
{
    struct dns_server *s = argument;
    for (;;) {
        struct pollfd fds[3] = {
            {.fd = s->stop, .events = POLLIN},
            {.fd = s->udp,  .events = POLLIN},
            {.fd = s->tcp,  .events = POLLIN}
        };
        (void)poll(fds, 3, send_due(s));
        if (fds[0].revents)
            break;
        if (fds[1].revents)
            read_udp(s);
        if (fds[2].revents)
            read_tcp(s);
    }
    for (size_t i = 0; i < s->later_count; i++)
        if (s->later[i].is_tcp)
            close(s->later[i].fd);
    return NULL;
}

/* The same port for UDP and TCP. */
static bool bind_both(struct dns_server *s)
{
    for (int tries = 0; tries < 50; tries++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof at;
        s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(s->udp, (struct sockaddr *)&at, size) == 0 &&
            getsockname(s->udp, (struct sockaddr *)&at, &size) == 0 &&
            bind(s->tcp, (struct sockaddr *)&at, size) == 0 && listen(s->tcp, 16) == 0) {
            snprintf(s->address, sizeof s->address, "127.0.0.1:%u", ntohs(at.sin_port));
            return true;
        }
        close(s->udp);
        close(s->tcp);
    }
    return false;
}

struct dns_server *dns_server_start(const struct dns_rule *rules)
{
    struct dns_server *s = calloc(1, sizeof *s);
    if (!s || !bind_both(s))
        abort();
    s->rules = rules;
    s->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&s->mutex, NULL);
    if (pthread_create(&s->thread, NULL, serve, s) != 0)
        abort();
    return s;
}

void dns_server_stop(struct dns_server *s)
{
    const uint64_t one = 1;
    if (write(s->stop, &one, sizeof one) != sizeof one)
        abort();
    pthread_join(s->thread, NULL);
    close(s->stop);
    close(s->udp);
    close(s->tcp);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

const char *dns_server_address(const struct dns_server *s)
{
    return s->address;
}

int dns_server_count(struct dns_server *s)
{
    pthread_mutex_lock(&s->mutex);
    const int count = s->seen_count;
    pthread_mutex_unlock(&s->mutex);
    return count;
}

int dns_server_count_of(struct dns_server *s, const char *name, int type)
{
    int count = 0;
    pthread_mutex_lock(&s->mutex);
    for (int i = 0; i < s->seen_count && i < MAX_SEEN; i++)
        count +=
            strcasecmp(s->seen[i].name, name) == 0 && (type == DNS_ANY || s->seen[i].type == type);
    pthread_mutex_unlock(&s->mutex);
    return count;
}
