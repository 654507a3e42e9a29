/* See truth.h. */
#include "truth.h"

#include "delay_timer.h"
#include "environment.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    RESOLUTION_DELAY_NS = 50000000 /* RFC 8305, 3: how long a client waits for AAAA after A */,
    HANDSHAKES_MAX = 100
};

/* Both families are asked at once; loopback has no IPv6, so A decides, and AAAA may hold it up. */
static int64_t expected_dns(const struct lab_conditions *told)
{
    switch (told->dns_fault) {
    case DNS_FAULT_SERVFAIL:
    case DNS_FAULT_REFUSED:
    case DNS_FAULT_NXDOMAIN:
    case DNS_FAULT_DROP:
    case DNS_FAULT_DROP_FIRST: /* depends on the client's timeout */
        return -1;
    case DNS_FAULT_NONE:
    case DNS_FAULT_TRUNCATED:
    case DNS_FAULT_FORMERR_EDNS:
    case DNS_FAULT_CNAME:
        break;
    }
    int64_t ipv4_ns = told->dns_ns;
    int64_t ipv6_ns = told->dns_aaaa_ns < 0 ? told->dns_ns : told->dns_aaaa_ns;
    if (told->dns_fault == DNS_FAULT_TRUNCATED) { /* over UDP, then over TCP */
        ipv4_ns *= 2;
        ipv6_ns *= 2;
    }
    if (told->dns_aaaa_drop || ipv6_ns > ipv4_ns + RESOLUTION_DELAY_NS)
        return ipv4_ns + RESOLUTION_DELAY_NS;
    return ipv6_ns > ipv4_ns ? ipv6_ns : ipv4_ns;
}

struct truth truth_of(const struct lab_conditions *conditions, uint64_t body_bytes)
{
    const struct truth truth = {
        .dns_ns = expected_dns(conditions),
        .tls_ns = conditions->tls_ns + conditions->accept_ns,
        .wait_ns = conditions->ttfb_ns,
        .receive_ns = conditions->rate > 0
                          ? (int64_t)((double)body_bytes * 1e9 / (double)conditions->rate)
                          : 0,
        .handshake_ns = -1,
    };
    return truth;
}

static int connect_to(const struct lab *lab)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in name = {.sin_family = AF_INET,
                                     .sin_port = htons(lab->sockets.https_port),
                                     .sin_addr = lab->sockets.address};
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One full handshake; negative when it does not succeed. */
static int64_t time_handshake(const struct lab *lab, SSL_CTX *context)
{
    int64_t duration_ns = -1;
    int fd = connect_to(lab);
    SSL *ssl = fd >= 0 ? SSL_new(context) : NULL;
    if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, "origin.lab") == 1) {
        uint64_t start_ns = delay_clock_ns();
        if (SSL_connect(ssl) == 1)
            duration_ns = (int64_t)(delay_clock_ns() - start_ns);
    }
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
    return duration_ns;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t truth_measure_handshake(const struct lab *lab, int count)
{
    int64_t durations_ns[HANDSHAKES_MAX];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return -1;
    /* The certificate is checked, as a client does it: that is part of the time. */
    if (SSL_CTX_load_verify_file(context, lab->folder.ca_path) != 1)
        count = 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    int done = 0;
    while (done < count && done < HANDSHAKES_MAX) {
        const struct timespec pause = {
            .tv_nsec = 40000000}; /* so that one's after-effects do not slow the next */
        (void)nanosleep(&pause, NULL);
        durations_ns[done] = time_handshake(lab, context);
        if (durations_ns[done] < 0)
            break;
        done++;
    }
    SSL_CTX_free(context);
    if (done == 0 || done < count)
        return -1;
    qsort(durations_ns, (size_t)done, sizeof durations_ns[0], compare_ns);
    int64_t c_ns = durations_ns[done / 2] - lab->conditions.tls_ns - lab->conditions.accept_ns;
    return c_ns > 0 ? c_ns : 0;
}

static void print_endpoint(struct json *json, const char *key, const struct lab *lab, uint16_t port)
{
    struct text text = {0};
    add_endpoint(&text, lab->sockets.address, port);
    json_text(json, key, text_string(&text));
    text_done(&text);
}

static void print_phase(struct json *json, const char *key, int64_t expected_ns)
{
    if (expected_ns < 0)
        json_null(json, key);
    else
        json_int(json, key, expected_ns);
}

void truth_print(struct json *json, const struct lab *lab, const struct truth *truth)
{
    json_open(json, NULL, '{', false);
    json_text(json, "schema", "netphase.lab-truth/1");
    json_text(json, "mode", "loopback");
    json_text(json, "request", "GET https://origin.lab/");
    print_endpoint(json, "origin", lab, lab->sockets.https_port);
    print_endpoint(json, "dns_server", lab, lab->sockets.dns_port);
    json_open(json, "phases", '{', true);
    print_phase(json, "dns_ns", truth->dns_ns);
    json_int(json, "connect_ns", truth->connect_ns);
    json_int(json, "tls_ns", truth->tls_ns + (truth->handshake_ns > 0 ? truth->handshake_ns : 0));
    json_int(json, "wait_ns", truth->wait_ns);
    json_int(json, "receive_ns", truth->receive_ns);
    json_close(json, '}');
    print_phase(json, "handshake_processor_ns", truth->handshake_ns);
    json_close(json, '}');
    json_end(json);
}
