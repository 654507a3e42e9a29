/* Boundaries while the loop is busy: what the kernel knows, against what the server knows. */
#include "clock.h"
#include "engine_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUSY_NS (80 * (uint64_t)NP_NS_PER_MS)

/* Answers in as many pieces as it is told, each when the one before has been acknowledged, and
   not before it may. */
struct server {
    pthread_t thread;
    int fd;
    uint16_t port;
    const char *piece[3];
    sem_t may_answer, has_request, has_begun, has_answered;
    uint64_t before_ns[3], acked_ns[3]; /* around each piece: it came in between */
};

static void send_piece(struct server *server, int fd, int i)
{
    int waiting = 1;
    server->before_ns[i] = np_now();
    cr_assert(send(fd, server->piece[i], strlen(server->piece[i]), MSG_NOSIGNAL) > 0);
    while (ioctl(fd, SIOCOUTQ, &waiting) == 0 && waiting > 0)
        usleep(50);
    server->acked_ns[i] = np_now();
}

static void *serve(void *user)
{
    struct server *server = user;
    char request[2048];
    const int on = 1;
    const int fd = accept(server->fd, NULL, NULL);
    (void)setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (int i = 0; i < 3 && server->piece[i]; i++) {
        if (i == 0) {
            cr_assert(recv(fd, request, sizeof request, 0) > 0);
            sem_post(&server->has_request);
            sem_wait(&server->may_answer);
        } else {
            usleep(20000);
        }
        send_piece(server, fd, i);
        if (i == 0)
            sem_post(&server->has_begun);
    }
    sem_post(&server->has_answered);
    (void)recv(fd, request, sizeof request, 0); /* until it closes */
    close(fd);
    return NULL;
}

static void server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(server->fd, (struct sockaddr *)&address, size) == 0);
    cr_assert(listen(server->fd, 1) == 0);
    cr_assert(getsockname(server->fd, (struct sockaddr *)&address, &size) == 0);
    server->port = ntohs(address.sin_port);
    sem_init(&server->may_answer, 0, 0);
    sem_init(&server->has_request, 0, 0);
    sem_init(&server->has_begun, 0, 0);
    sem_init(&server->has_answered, 0, 0);
    cr_assert(pthread_create(&server->thread, NULL, serve, server) == 0);
}

/* A task of the loop that is busy from the request's arrival at the server on, and for BUSY_NS
   after the first piece has come. */
static void be_busy(struct rig *rig, void *user)
{
    (void)rig;
    struct server *server = user;
    sem_post(&server->may_answer);
    sem_wait(&server->has_begun);
    const uint64_t end_ns = np_now() + BUSY_NS;
    while (np_now() < end_ns)
        ;
}

static struct server server;
static struct rig rig;

/* Of the response: a connection that stood unseen, or a handshake, is none of it. */
static bool is_lateness(const np_event *event)
{
    const uint64_t phase = event->word[0] & 0xff, kind = event->word[0] >> 8 & 0xff;
    return event->type == NP_EVENT_SPAN_BEGIN && kind == NP_SPAN_LATENESS &&
           (phase == NP_PHASE_WAIT || phase == NP_PHASE_RECEIVE);
}

static uint64_t lateness(uint32_t request)
{
    static np_event events[RIG_EVENTS_MAX];
    const size_t count = rig_events(&rig, events, RIG_EVENTS_MAX);
    uint64_t sum_ns = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && events[i].request == request && is_lateness(&events[i]);
             j++)
            if (events[j].type == NP_EVENT_SPAN_END && events[j].span == events[i].span)
                sum_ns += events[j].time_ns - events[i].time_ns;
    return sum_ns;
}

/* What keeps the loop busy. */
static void (*work)(struct rig *rig, void *user) = be_busy;

/* Runs one request whose answer comes while the loop is busy. */
static np_cut run(struct rig_request *request)
{
    char rule[64], url[64];
    server_start(&server);
    snprintf(rule, sizeof rule, "origin.test:%u:127.0.0.1", server.port);
    snprintf(url, sizeof url, "http://origin.test:%u/", server.port);
    const char *rules[] = {rule};
    cr_assert(rig_open(&rig, &(np_engine_options){0}, rules, 1, true));
    *request = (struct rig_request){.url = url};
    rig_start(&rig, request, 1);
    sem_wait(&server.has_request);
    rig_call(&rig, work, &server);
    cr_assert(rig_wait(&rig, request, 1));
    sem_wait(&server.has_answered);
    cr_assert(eq(int, request->failure.status, NP_OK), "%s", request->failure.text);
    return rig_cut(&rig, request->number);
}

static void finish(void)
{
    rig_close(&rig);
    pthread_join(server.thread, NULL);
    close(server.fd);
}

static uint64_t end_of(const np_cut *cut, np_phase phase)
{
    return cut->start_ns + (uint64_t)cut->at_ns[phase] + (uint64_t)cut->duration_ns[phase];
}

Test(bounds, the_first_byte_of_one_segment_is_right_while_the_loop_is_busy)
{
    struct rig_request request;
    np_event late;
    server.piece[0] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const np_cut cut = run(&request);
    const uint64_t first_ns = end_of(&cut, NP_PHASE_WAIT);

    cr_expect(ge(u64, first_ns, server.before_ns[0]));
    cr_expect(le(u64, first_ns, server.acked_ns[0]), "%.1f us after it was acknowledged",
              (double)(first_ns - server.acked_ns[0]) / 1e3);
    cr_expect(eq(int, cut.source[NP_PHASE_WAIT] >> 4, NP_SOURCE_KERNEL));
    /* The rest of the 80 ms is lateness, a span of receive and a part of the request's sum. */
    cr_assert(rig_find(&rig, NP_EVENT_LATE, request.number, &late));
    const uint64_t late_ns = late.word[0];
    cr_expect(ge(u64, late_ns, BUSY_NS));
    cr_expect(eq(u64, lateness(request.number), late_ns));
    cr_expect(ge(u64, (uint64_t)cut.duration_ns[NP_PHASE_RECEIVE], late_ns));
    cr_expect(eq(u64, cut.flags & NP_FLAG_CLAMPED, 0), "nothing was cut off");
    finish();
}

/* Takes the stamps away from the connection to the server, as if the kernel had not begun. */
static void be_busy_without_stamps(struct rig *used, void *user)
{
    const int none = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET &&
            peer.sin_port == htons(server.port))
            cr_assert(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &none, sizeof none) == 0);
    }
    be_busy(used, user);
}

Test(bounds, without_a_stamp_what_the_poll_knew_covers_the_truth)
{
    struct rig_request request;
    np_event late;
    server.piece[0] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    work = be_busy_without_stamps;
    const np_cut cut = run(&request);
    const uint64_t first_ns = end_of(&cut, NP_PHASE_WAIT);
    const uint64_t within_ns = UINT64_C(1) << 2 * (cut.source[NP_PHASE_WAIT] & 15);

    cr_expect(eq(int, cut.source[NP_PHASE_WAIT] >> 4, NP_SOURCE_SYSCALL));
    cr_expect(ge(u64, first_ns, server.before_ns[0]));
    cr_expect(le(u64, first_ns - within_ns, server.acked_ns[0]),
              "the first byte came %.3f ms before the stamp, which claims to be right to %.3f ms",
              (double)(first_ns - server.acked_ns[0]) / 1e6, (double)within_ns / 1e6);
    cr_expect(not(rig_find(&rig, NP_EVENT_LATE, request.number, &late)),
              "nobody knows for how long it had lain there");
    finish();
}

Test(bounds, the_uncertainty_of_a_longer_response_covers_the_truth)
{
    struct rig_request request;
    server.piece[0] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    server.piece[1] = "ok";
    server.piece[2] = "ok";
    const np_cut cut = run(&request);
    const uint64_t first_ns = end_of(&cut, NP_PHASE_WAIT);
    const uint64_t within_ns = UINT64_C(1) << 2 * (cut.source[NP_PHASE_WAIT] & 15);

    /* The kernel may have merged the pieces: then the stamp is the last one's. */
    cr_expect(ge(u64, first_ns, server.before_ns[0]));
    cr_expect(le(u64, first_ns, server.acked_ns[2] + NP_NS_PER_MS));
    cr_expect(le(u64, first_ns - within_ns, server.acked_ns[0]),
              "the first byte came %.3f ms before the stamp, which claims to be right to %.3f ms",
              (double)(first_ns - server.acked_ns[0]) / 1e6, (double)within_ns / 1e6);
    finish();
}

Test(bounds, a_connection_begins_with_a_reading_of_tcp)
{
    struct rig_request request;
    np_event tcp, begin;
    server.piece[0] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const np_cut cut = run(&request);
    cr_assert(rig_find(&rig, NP_EVENT_TCP, request.number, &tcp));
    cr_expect(eq(int, (int)(tcp.word[0] & 0xff), NP_PHASE_CONNECT));
    cr_expect(gt(u64, tcp.word[0] >> 32, 0), "a round trip, in us");
    cr_expect(eq(u64, tcp.word[1] >> 32, 0), "nothing is lost on loopback");
    cr_assert(rig_find(&rig, NP_EVENT_REQUEST_BEGIN, request.number, &begin));
    cr_expect(eq(int, cut.source[NP_PHASE_CONNECT] >> 4, NP_SOURCE_KERNEL));
    finish();
}
