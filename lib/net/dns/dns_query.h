/*
 * One question to the DNS: the addresses of one family of one name, asked until a server answers.
 * Floor 2; loop thread only.
 *
 * c-ares 1.18.1 builds and checks the packets, follows CNAMEs and falls back to TCP; servers,
 * time-outs and attempts are ours. Each attempt is one ares_query with one server on a channel of
 * its own. That keeps apart what c-ares mixes up: queries that share a channel share a UDP socket,
 * and with it a pending ICMP error, the teardown after a TCP answer and the EDNS flag (which stays
 * off); its time-outs double; it knows neither `timeout:` nor `attempts:`.
 *
 * Every attempt is a span of kind `query` from right before the send until the answer was readable;
 * TCP after a truncated answer is one more.
 */
#ifndef NP_NET_DNS_QUERY_H
#define NP_NET_DNS_QUERY_H

#include "dns_cache.h"
#include "loop.h"
#include "producer.h"
#include "resolv_conf.h"

/* Channels that are ready to be used; queries borrow them. */
typedef struct np_dns_channels np_dns_channels;
np_dns_channels *np_dns_channels_create(np_loop *loop); /* NULL: no memory */
void np_dns_channels_free(np_dns_channels *channels);   /* after its queries; NULL allowed */

/* Whom the spans belong to. request 0: nobody. */
typedef struct np_span_seat {
    np_producer *producer;
    uint32_t request, connection, parent;
} np_span_seat;

typedef enum np_dns_outcome {
    NP_DNS_OK,
    NP_DNS_NODATA, /* the name exists, without an address of this family */
    NP_DNS_NXDOMAIN,
    NP_DNS_TIMEOUT, /* no server answered any attempt */
    NP_DNS_REFUSED, /* ICMP says nobody listens there, or the server says REFUSED */
    NP_DNS_FAILED   /* SERVFAIL and the like, or an answer that cannot be read */
} np_dns_outcome;

typedef struct np_dns_reply {
    np_dns_outcome outcome;
    int rcode;                            /* of the answer; -1: there was none */
    int error_number;                     /* errno of a server that could not be reached; 0: none */
    np_address server;                    /* the last one asked */
    np_address address[NP_DNS_ADDRESSES]; /* address[count]; port 0 */
    size_t count;
    uint32_t ttl_s; /* the smallest of the answer */
} np_dns_reply;

typedef struct np_dns_query np_dns_query;
typedef void (*np_dns_query_fn)(const np_dns_reply *reply, uint64_t now_ns, void *user);

/* Asks. `fn` is called once, never from inside this; the query is gone when it returns. `conf` is
   borrowed until then. `first_server` is where the rounds begin (rotate). NULL: no memory. */
np_dns_query *np_dns_query_start(np_dns_channels *channels, const np_resolv_conf *conf,
                                 size_t first_server, const char *name, int family,
                                 const np_span_seat *seat, uint64_t now_ns, np_dns_query_fn fn,
                                 void *user);
/* Before `fn`: ends the span as abandoned. */
void np_dns_query_cancel(np_dns_query *query, uint64_t now_ns);
/* Hands the spans to another owner: the open one ends as abandoned, and one begins there. */
void np_dns_query_reseat(np_dns_query *query, const np_span_seat *seat, uint64_t now_ns);

const char *np_dns_rcode_text(int rcode, char out[16]); /* "NOERROR", "SERVFAIL", "RCODE11" */

#endif
