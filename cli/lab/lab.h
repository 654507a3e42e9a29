/*
 * A lab: its conditions, its names, its servers; started, and gone without a trace when stopped.
 *
 * Only loopback mode is here: delays are made by the servers, the network itself adds nothing.
 * Program netphase-lab; one thread.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "certificate.h"
#include "folder.h"
#include "serve_dns.h"
#include "server_process.h"
#include "sockets.h"

#include <netphase/status.h>
#include <stdbool.h>
#include <stdint.h>

/* What the lab is told. Zeroes: no delay, no fault (but see the two that are negative by default).
 */
struct lab_conditions {
    int64_t dns_ns;
    int64_t dns_aaaa_ns; /* negative: as dns_ns */
    bool dns_aaaa_drop;
    enum dns_fault dns_fault;
    unsigned dns_fault_count;
    int64_t dns_ttl_s;
    int64_t accept_ns;
    int64_t tls_ns;
    bool tls_1_2; /* the largest version is 1.2 */
    enum certificate_fault certificate_fault;
    int64_t ttfb_ns;
    int64_t continue_ns; /* negative: never */
    int64_t rate;        /* bytes of a body a second; 0: no limit */
};

enum { LAB_NAMES = 6, LAB_TTL_S = 60 };

struct lab {
    struct lab_conditions conditions;
    struct folder folder;
    struct sockets sockets;
    struct server_process servers;
    uint8_t origin_ipv4[4];
    uint8_t refused_ipv4[4];
    struct dns_name names[LAB_NAMES];
};

/* Starts a lab; the servers answer when this returns. On failure nothing is left. */
np_status lab_start(const struct lab_conditions *conditions, struct lab *lab, np_error *err);

/* Stops the servers and removes the folder. Harmless on one that is stopped. */
void lab_stop(struct lab *lab);

#endif
