/*
 * Is the lab as slow as told? A client of its own (raw DNS queries, OpenSSL on memory) measures
 * each delay.
 *
 * It runs in two labs at once: one without delays and one with. Their requests alternate, and what
 * is judged is the difference of the medians less what was told: the network and the work of both
 * ends are in both and cancel. Noise of the machine can still spoil a round, so the best of a few
 * rounds counts; a systematic error spoils all of them.
 *
 *   netphase-lab lab -q -- lab_delays NETPHASE-LAB     sets the rest up by itself
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 51, ROUNDS = 3, ALLOWED_NS = 300000, SKIPPED = 77 };

/* What the second lab is told, in microseconds, with values that differ from each other and are no
 * whole numbers of ms. */
enum {
    DNS_US = 6300,
    AAAA_US = 3700,
    TLS_US = 5200,
    TTFB_US = 4100,
    RATE = 1000000,
    BODY_BYTES = 8000
};

struct target {
    struct sockaddr_in dns;
    struct sockaddr_in https;
    struct sockaddr_in http;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void stop(const char *what)
{
    (void)fprintf(stderr, "lab_delays: %s (%s)\n", what, strerror(errno));
    exit(1);
}

/* "ADDR:PORT", up to a comma or the end. */
static struct sockaddr_in read_endpoint(const char *text)
{
    char address[32] = "";
    unsigned port = 0;
    struct sockaddr_in out = {.sin_family = AF_INET};
    if (!text || sscanf(text, "%31[0-9.]:%u", address, &port) != 2 ||
        inet_pton(AF_INET, address, &out.sin_addr) != 1)
        stop("no endpoint in the environment: run me in netphase lab");
    out.sin_port = htons((uint16_t)port);
    return out;
}

/* Where origin.lab:PORT is: by the mapping where there is one, else at the address of the DNS
 * server. */
static struct sockaddr_in origin_at(const char *mappings, unsigned port, struct sockaddr_in address)
{
    char key[32];
    (void)snprintf(key, sizeof key, "origin.lab:%u:origin.lab:", port);
    const char *found = mappings ? strstr(mappings, key) : NULL;
    unsigned long real_port = found ? strtoul(found + strlen(key), NULL, 10) : port;
    address.sin_port = htons((uint16_t)real_port);
    return address;
}

static struct target read_target(const char *dns, const char *mappings)
{
    struct sockaddr_in address = read_endpoint(dns);
    return (struct target){address, origin_at(mappings, 443, address),
                           origin_at(mappings, 80, address)};
}

static int open_to(int type, const struct sockaddr_in *to)
{
    int on = 1;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    const struct timeval limit = {.tv_sec = 10};
    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
        stop("cannot connect to the lab");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (type == SOCK_STREAM)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const void *bytes, size_t length)
{
    if (send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        stop("cannot send");
}

static size_t receive_some(int fd, void *bytes, size_t size)
{
    ssize_t count = recv(fd, bytes, size, 0);
    if (count <= 0)
        stop("no answer");
    return (size_t)count;
}

/* origin.lab, type in the last byte but two; the first two bytes are the length over TCP. */
static const uint8_t query[] = {0,   28,  7,   7,   1,   0,   0, 1,   0,   0,   0, 0, 0, 0, 6,
                                'o', 'r', 'i', 'g', 'i', 'n', 3, 'l', 'a', 'b', 0, 0, 1, 0, 1};

static uint64_t ask(const struct target *target, int type, uint8_t record)
{
    uint8_t bytes[sizeof query];
    uint8_t answer[512];
    memcpy(bytes, query, sizeof query);
    bytes[sizeof query - 3] = record;
    size_t skip = type == SOCK_DGRAM ? 2 : 0;
    int fd = open_to(type, &target->dns);
    uint64_t start_ns = now_ns();
    send_all(fd, bytes + skip, sizeof bytes - skip);
    size_t length = receive_some(fd, answer, sizeof answer);
    uint64_t duration_ns = now_ns() - start_ns;
    close(fd);
    if (length < 12 + 2 - skip || answer[2 - skip] != 7)
        stop("that is no answer to the query");
    return duration_ns;
}

static uint64_t measure_dns(const struct target *target)
{
    return ask(target, SOCK_DGRAM, 1);
}

static uint64_t measure_dns_aaaa(const struct target *target)
{
    return ask(target, SOCK_DGRAM, 28);
}

static uint64_t measure_dns_tcp(const struct target *target)
{
    return ask(target, SOCK_STREAM, 1);
}

/* From the ClientHello leaving to the first byte of the ServerHello. */
static uint64_t measure_tls(const struct target *target)
{
    static SSL_CTX *context;
    if (!context)
        context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_tlsext_host_name(ssl, "origin.lab");
    (void)SSL_connect(ssl); /* writes the ClientHello */
    char *hello;
    long length = BIO_get_mem_data(out, &hello);
    char answer[16384];
    int fd = open_to(SOCK_STREAM, &target->https);
    uint64_t start_ns = now_ns();
    send_all(fd, hello, (size_t)length);
    size_t received = receive_some(fd, answer, sizeof answer);
    uint64_t duration_ns = now_ns() - start_ns;
    close(fd);
    SSL_free(ssl);
    if (received < 1 || answer[0] != 22)
        stop("that is no handshake");
    return duration_ns;
}

static int ask_http(const struct target *target, const char *path, uint64_t *start_ns)
{
    char request[100];
    int length =
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: origin.lab\r\n\r\n", path);
    int fd = open_to(SOCK_STREAM, &target->http);
    *start_ns = now_ns();
    send_all(fd, request, (size_t)length);
    return fd;
}

static uint64_t measure_ttfb(const struct target *target)
{
    char answer[4096];
    uint64_t start_ns;
    int fd = ask_http(target, "/", &start_ns);
    (void)receive_some(fd, answer, sizeof answer);
    uint64_t duration_ns = now_ns() - start_ns;
    close(fd);
    return duration_ns;
}

/* From the first byte of the answer to its last one. */
static uint64_t measure_body(const struct target *target)
{
    char answer[BODY_BYTES + 1000];
    uint64_t start_ns;
    int fd = ask_http(target, "/bytes/8000", &start_ns);
    size_t length = receive_some(fd, answer, sizeof answer - 1);
    start_ns = now_ns();
    answer[length] = '\0';
    const char *blank = strstr(answer, "\r\n\r\n");
    if (!blank)
        stop("the head did not come at once");
    size_t whole = (size_t)(blank - answer) + 4 + BODY_BYTES;
    while (length < whole)
        length += receive_some(fd, answer + length, sizeof answer - length);
    uint64_t duration_ns = now_ns() - start_ns;
    close(fd);
    return duration_ns;
}

static const struct {
    const char *name;
    uint64_t (*measure)(const struct target *target);
    int64_t told_ns;
} delays[] = {
    {"dns A, UDP",    measure_dns,      DNS_US *INT64_C(1000)                  },
    {"dns AAAA, UDP", measure_dns_aaaa, AAAA_US *INT64_C(1000)                 },
    {"dns A, TCP",    measure_dns_tcp,  DNS_US *INT64_C(1000)                  },
    {"tls",           measure_tls,      TLS_US *INT64_C(1000)                  },
    {"ttfb",          measure_ttfb,     TTFB_US *INT64_C(1000)                 },
    {"rate",          measure_body,     INT64_C(1000000000) * BODY_BYTES / RATE},
};

enum { DELAYS = sizeof delays / sizeof delays[0] };

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Median with delay, less median without, less what was told. */
static int64_t error_of(size_t which, const struct target *base, const struct target *slow)
{
    uint64_t base_ns[SAMPLES];
    uint64_t slow_ns[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        base_ns[i] = delays[which].measure(base);
        slow_ns[i] = delays[which].measure(slow);
    }
    qsort(base_ns, SAMPLES, sizeof base_ns[0], compare);
    qsort(slow_ns, SAMPLES, sizeof slow_ns[0], compare);
    int64_t error_ns =
        (int64_t)slow_ns[SAMPLES / 2] - (int64_t)base_ns[SAMPLES / 2] - delays[which].told_ns;
    printf("%-14s told %5.2f ms, without %6.3f ms, error of the median %+7.1f us (p90 %+7.1f us)\n",
           delays[which].name, (double)delays[which].told_ns / 1e6,
           (double)base_ns[SAMPLES / 2] / 1e6, (double)error_ns / 1e3,
           (double)((int64_t)slow_ns[SAMPLES * 9 / 10] - (int64_t)base_ns[SAMPLES / 2] -
                    delays[which].told_ns) /
               1e3);
    return error_ns;
}

enum verdict { AS_TOLD, TOO_BUSY, NOT_AS_TOLD };

/* Would a plain sleep of that length, without any lab, be late as well? One in ten is, beyond what
 * is allowed. */
static bool is_machine_busy(int64_t told_ns)
{
    uint64_t late_ns[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct timespec told = {.tv_nsec = told_ns};
        uint64_t start_ns = now_ns();
        (void)nanosleep(&told, NULL);
        late_ns[i] = now_ns() - start_ns - (uint64_t)told_ns;
    }
    qsort(late_ns, SAMPLES, sizeof late_ns[0], compare);
    printf("a plain sleep is %.1f us late, one in ten %.1f us\n",
           (double)late_ns[SAMPLES / 2] / 1e3, (double)late_ns[SAMPLES * 9 / 10] / 1e3);
    return late_ns[SAMPLES * 9 / 10] > ALLOWED_NS;
}

static enum verdict judge(size_t which, const struct target *base, const struct target *slow)
{
    bool was_busy = false;
    for (int round = 0; round < ROUNDS; round++) {
        if (llabs(error_of(which, base, slow)) <= ALLOWED_NS)
            return AS_TOLD;
        was_busy |= is_machine_busy(delays[which].told_ns);
    }
    printf(was_busy ? "%s: the machine is too busy to say\n"
                    : "%s: the lab is not as slow as told\n",
           delays[which].name);
    return was_busy ? TOO_BUSY : NOT_AS_TOLD;
}

/* In the lab without delays: starts the second one around ourselves. */
static void start_second(const char *self, const char *lab)
{
    char dns[32];
    char aaaa[32];
    char tls[32];
    char ttfb[32];
    char rate[32];
    const char *mappings = getenv("NETPHASE_CONNECT_TO");
    (void)snprintf(dns, sizeof dns, "--dns=%dus", DNS_US);
    (void)snprintf(aaaa, sizeof aaaa, "--dns-aaaa=%dus", AAAA_US);
    (void)snprintf(tls, sizeof tls, "--tls=%dus", TLS_US);
    (void)snprintf(ttfb, sizeof ttfb, "--ttfb=%dus", TTFB_US);
    (void)snprintf(rate, sizeof rate, "--rate=%d", RATE);
    const char *server = getenv("NETPHASE_DNS_SERVER");
    if (!server)
        stop("run me in netphase lab");
    (void)setenv("LAB_BASE_DNS", server, 1);
    (void)setenv("LAB_BASE_CONNECT_TO", mappings ? mappings : "", 1);
    execl(lab, lab, "lab", "-q", dns, aaaa, tls, ttfb, rate, "--", self, (char *)NULL);
    stop("cannot run netphase-lab");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        start_second(argv[0], argv[1]);
    /* Where it is allowed, less noise of others. */
    const struct sched_param lowest = {.sched_priority = 1};
    (void)sched_setscheduler(0, SCHED_RR, &lowest);
    struct target base = read_target(getenv("LAB_BASE_DNS"), getenv("LAB_BASE_CONNECT_TO"));
    struct target slow = read_target(getenv("NETPHASE_DNS_SERVER"), getenv("NETPHASE_CONNECT_TO"));
    enum verdict worst = AS_TOLD;
    for (size_t which = 0; which < DELAYS; which++) {
        enum verdict verdict = judge(which, &base, &slow);
        if (verdict > worst)
            worst = verdict;
    }
    return worst == NOT_AS_TOLD ? 1 : worst == TOO_BUSY ? SKIPPED : 0;
}
