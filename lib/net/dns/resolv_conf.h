/*
 * What /etc/resolv.conf says, read by ourselves: c-ares 1.18 ignores its `timeout:` and
 * `attempts:`. Floor 2; pure, any thread.
 *
 * Understood as glibc does (resolv.conf(5)): the first three `nameserver` lines, the last of
 * `search` and `domain`, `options ndots:N timeout:N attempts:N rotate use-vc`. Without a nameserver
 * 127.0.0.1 is asked; without `search` names are asked as they are (the host's own domain is not
 * guessed). Limits as there: ndots 15, timeout 30 s, attempts 5. What cannot be read counts as not
 * there.
 */
#ifndef NP_NET_RESOLV_CONF_H
#define NP_NET_RESOLV_CONF_H

#include "address.h"

#include <netphase/status.h>

enum {
    NP_DNS_PORT = 53,
    NP_DNS_SERVERS = 8, /* by option; 3 from the file */
    NP_DNS_DOMAINS = 16,
    NP_DNS_NAME_SIZE = 256 /* 253 characters, a dot, a NUL */
};

typedef struct np_resolv_conf {
    np_address server[NP_DNS_SERVERS]; /* server[server_count], 1 … */
    size_t server_count;
    char domain[NP_DNS_DOMAINS][NP_DNS_NAME_SIZE]; /* the search list, without trailing dots */
    size_t domain_count;
    unsigned ndots;     /* 0 … 15 */
    int64_t timeout_ns; /* of one query to one server */
    unsigned attempts;  /* rounds over all servers, 1 … 5 */
    bool rotate;        /* begin with another server each time */
    bool use_tcp;       /* use-vc */
} np_resolv_conf;

/* text[length]; NULL: the defaults. */
void np_resolv_conf_parse(const char *text, size_t length, np_resolv_conf *out);

/* "ADDR[:PORT],…" in place of the file's servers. NP_E_ARGUMENT names the entry. */
np_status np_dns_servers_parse(const char *text, np_resolv_conf *conf, np_error *err);

/*
 * The n-th name to ask for when a program says `name`: as it is and with each domain of the search
 * list, in the order resolv.conf(5) gives. A trailing dot means as it is only. `name` has at most
 * 254 characters. false: there are no more. `out` has no trailing dot. A combination that would be
 * too long is left out.
 */
bool np_resolv_conf_candidate(const np_resolv_conf *conf, const char *name, size_t n,
                              char out[NP_DNS_NAME_SIZE]);

#endif
