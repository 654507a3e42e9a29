/* What a dialer is told once. Floor 2; see dial.h. */
#ifndef NP_NET_DIAL_OPTIONS_H
#define NP_NET_DIAL_OPTIONS_H

#include <netphase/context.h>

typedef struct np_dialer_options {
    np_family family;
    const char *dns_servers; /* NULL: resolv.conf */
    /*HOST:PORT:ADDR[,ADDR…]; HOST * fits every name. Asked after connect_to */
    const char *const *resolve;
    size_t resolve_count;
    const char *const *connect_to; /* HOST:PORT:HOST2:PORT2, empty parts as in curl */
    size_t connect_to_count;
    int64_t resolution_delay_ns; /* 0: 50 ms (RFC 8305 section 3) */
    int64_t attempt_delay_ns;    /* 0: 250 ms (RFC 8305 section 5) */
    const char *hosts_file;      /* NULL: /etc/hosts */
    const char *resolv_conf;     /* NULL: /etc/resolv.conf */
    np_resolver resolver;
    const char *nsswitch_conf;  /* NULL: /etc/nsswitch.conf */
    const char *system_program; /* NULL: netphase-resolve, looked for */
    int64_t system_timeout_ns;  /* 0: 30 s */
    np_kernel_times kernel_times;
} np_dialer_options;

#endif
