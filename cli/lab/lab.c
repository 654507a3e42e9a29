/* See lab.h. */
#include "lab.h"

#include "fail.h"
#include "tls_server.h"

#include <arpa/inet.h>
#include <string.h>

/* Names of the origin; each stands in its certificate. */
static const char *const origin_names[] = {"origin.lab", "dual.lab", "v4.lab", "refused.lab"};

enum { ORIGIN_NAMES = sizeof origin_names / sizeof origin_names[0] };

static void set_names(struct lab *lab)
{
    memcpy(lab->origin_ipv4, &lab->sockets.address, sizeof lab->origin_ipv4);
    memcpy(lab->refused_ipv4, &lab->sockets.refused, sizeof lab->refused_ipv4);
    const struct dns_name names[LAB_NAMES] = {
        {"origin.lab",  lab->origin_ipv4,  NULL},
        {"dual.lab",    lab->origin_ipv4,  NULL},
        {"v4.lab",      lab->origin_ipv4,  NULL},
        {"refused.lab", lab->refused_ipv4, NULL},
        {"v6.lab",      NULL,              NULL}, /* loopback mode has IPv4 only */
        {"lab",         NULL,              NULL},
    };
    memcpy(lab->names, names, sizeof names);
}

static np_status start_servers(struct lab *lab, SSL_CTX *tls, np_error *err)
{
    const struct lab_conditions *told = &lab->conditions;
    const struct dns_config dns = {
        .udp_fd = lab->sockets.dns_udp_fd,
        .tcp_fd = lab->sockets.dns_tcp_fd,
        .names = lab->names,
        .name_count = LAB_NAMES,
        .delay_ns = told->dns_ns,
        .aaaa_delay_ns = told->dns_aaaa_ns,
        .aaaa_drop = told->dns_aaaa_drop,
        .fault = told->dns_fault,
        .fault_count = told->dns_fault_count,
        .ttl_s = (uint32_t)told->dns_ttl_s,
    };
    const struct origin_config origin = {
        .https_fd = lab->sockets.https_fd,
        .http_fd = lab->sockets.http_fd,
        .tls = tls,
        .accept_delay_ns = told->accept_ns,
        .tls_delay_ns = told->tls_ns,
        .ttfb_ns = told->ttfb_ns,
        .continue_delay_ns = told->continue_ns,
        .rate = (uint64_t)told->rate,
    };
    return server_process_start(&dns, &origin, &lab->folder, &lab->servers, err);
}

np_status lab_start(const struct lab_conditions *conditions, struct lab *lab, np_error *err)
{
    *lab = (struct lab){.conditions = *conditions};
    sockets_init(&lab->sockets);
    lab->servers.lifeline_fd = -1;
    struct certificates certificates = {0};
    SSL_CTX *tls = NULL;

    np_status status = sockets_open(&lab->sockets, err);
    if (status)
        goto done;
    set_names(lab);
    status = certificates_create(origin_names, ORIGIN_NAMES, conditions->certificate_fault,
                                 &certificates, err);
    if (status)
        goto done;
    tls = tls_context_create(&certificates, conditions->tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION,
                             err);
    if (!tls) {
        status = NP_E_IO;
        goto done;
    }
    status = folder_create(&lab->folder, err);
    if (status)
        goto done;
    status = certificate_save(certificates.authority, lab->folder.ca_path, err);
    if (status)
        goto done;
    status = start_servers(lab, tls, err);

done:
    SSL_CTX_free(tls);
    certificates_free(&certificates);
    sockets_close(&lab->sockets); /* they are the servers' now */
    if (status)
        lab_stop(lab);
    return status;
}

void lab_stop(struct lab *lab)
{
    server_process_stop(&lab->servers);
    folder_remove(&lab->folder);
    lab->folder = (struct folder){0};
}
