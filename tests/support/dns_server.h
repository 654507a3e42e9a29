/*
 * A DNS server that does as it is told, on 127.0.0.1 and a port of its own, UDP and TCP, in a thread. It answers by rules: the first that fits the
 * name (whatever its case) and the type and is not used up. Without a rule: NXDOMAIN.
 */
#ifndef NP_TEST_DNS_SERVER_H
#define NP_TEST_DNS_SERVER_H

#include <stdbool.h>
#include <stdint.h>

enum { DNS_ANY = 0, DNS_A = 1, DNS_AAAA = 28 };

struct dns_rule {
    const char *name;
    int type;              /* DNS_A, DNS_AAAA; DNS_ANY: both */
    const char *addresses; /* "192.0.2.1,192.0.2.2"; NULL: none (NODATA when rcode is 0) */
    const char *cname;     /* the addresses are those of this name */
    unsigned ttl_s;
    int rcode;
    int delay_ms;
    bool drop;     /* no answer */
    bool truncate; /* by UDP: an empty answer with TC; by TCP as usual */
    bool wrong_id; /* a forged answer with another id and address goes ahead */
    int times;     /* then the rule is used up; 0: never */
};

struct dns_server;
/* rules[]: up to one with name NULL; borrowed. */
struct dns_server *dns_server_start(const struct dns_rule *rules);
void dns_server_stop(struct dns_server *server);
const char *dns_server_address(const struct dns_server *server); /* "127.0.0.1:PORT" */
int dns_server_count(struct dns_server *server);                 /* queries seen so far */
int dns_server_count_of(struct dns_server *server, const char *name, int type);

#endif
