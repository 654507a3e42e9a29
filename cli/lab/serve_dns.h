/*
 * The lab's DNS server, over UDP and TCP: a fixed table of names, answered as late as told.
 *
 * It knows nothing of where it runs: it is given bound sockets and addresses. Every answer leaves
 * its delay after the query arrived; over UDP the arrival is the kernel's stamp. Program
 * netphase-lab; runs on one loop, one thread.
 */
#ifndef LAB_SERVE_DNS_H
#define LAB_SERVE_DNS_H

#include "delay_timer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* What is wrong with the answers. */
enum dns_fault {
    DNS_FAULT_NONE,
    DNS_FAULT_SERVFAIL,
    DNS_FAULT_REFUSED,
    DNS_FAULT_NXDOMAIN,
    DNS_FAULT_DROP,         /* no answer at all */
    DNS_FAULT_DROP_FIRST,   /* none to the first N queries for each name and type */
    DNS_FAULT_TRUNCATED,    /* TC over UDP, the answer over TCP */
    DNS_FAULT_FORMERR_EDNS, /* FORMERR to every query with EDNS */
    DNS_FAULT_CNAME         /* N links before the addresses */
};

/* A name the server knows. One without any address exists, but has no data (NODATA). */
struct dns_name {
    const char *name;    /* lower case, no dot at the end */
    const uint8_t *ipv4; /* ipv4[4], or NULL: no A record */
    const uint8_t *ipv6; /* ipv6[16], or NULL: no AAAA record */
};

struct dns_config {
    int udp_fd; /* bound; moved */
    int tcp_fd; /* bound and listening; moved */
    const struct dns_name
        *names; /* names[name_count], borrowed until the server has stopped; others are NXDOMAIN */
    size_t name_count;
    int64_t delay_ns;      /* of every answer */
    int64_t aaaa_delay_ns; /* of answers to AAAA; negative: the same */
    bool aaaa_drop;        /* AAAA is never answered */
    enum dns_fault fault;
    unsigned fault_count; /* for DROP_FIRST and CNAME */
    uint32_t ttl_s;
};

struct dns_server;

/* Starts answering. Returns 0 or a negative libuv code; the sockets are closed in that case too. */
int dns_server_start(uv_loop_t *loop, struct delay_timer *timer, const struct dns_config *config,
                     struct dns_server **out);

/* Closes everything; memory is released while the loop runs on until nothing is left. NULL is
 * allowed. */
void dns_server_stop(struct dns_server *server);

#endif
