/* See condition.h. */
#include "condition.h"

#include "dns_message.h"
#include "message.h"

#include <netphase/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct lab_args condition_defaults = {
    .conditions = {.dns_aaaa_ns = -1, .dns_ttl_s = LAB_TTL_S},
};

/* The longest delay: enough for every timeout, far from overflow. */
#define DELAY_LIMIT_NS (INT64_C(24) * 60 * 60 * 1000000000)

static bool read_delay(const char *text, int64_t *out_ns)
{
    return np_duration_parse(text, out_ns, NULL) == NP_OK && *out_ns <= DELAY_LIMIT_NS;
}

/* The field of these three is the whole lab_conditions: they fill more than one member. */
static bool parse_aaaa(const char *text, void *field, char *message, size_t size)
{
    struct lab_conditions *conditions = field;
    conditions->dns_aaaa_drop = strcmp(text, "drop") == 0;
    if (conditions->dns_aaaa_drop || read_delay(text, &conditions->dns_aaaa_ns))
        return true;
    (void)snprintf(message, size,
                   "found '%s', expected a time with its unit, such as 80ms, or drop", text);
    return false;
}

static bool parse_continue(const char *text, void *field, char *message, size_t size)
{
    struct lab_conditions *conditions = field;
    if (strcmp(text, "never") == 0) {
        conditions->continue_ns = -1;
        return true;
    }
    if (read_delay(text, &conditions->continue_ns))
        return true;
    (void)snprintf(message, size,
                   "found '%s', expected a time with its unit, such as 80ms, or never", text);
    return false;
}

static const struct {
    const char *word;
    enum dns_fault fault;
    unsigned largest; /* not 0: "=N" follows, 1 … largest */
} dns_faults[] = {
    {"servfail",     DNS_FAULT_SERVFAIL,     0              },
    {"refused",      DNS_FAULT_REFUSED,      0              },
    {"nxdomain",     DNS_FAULT_NXDOMAIN,     0              },
    {"drop",         DNS_FAULT_DROP,         0              },
    {"drop-first",   DNS_FAULT_DROP_FIRST,   1000           },
    {"tc",           DNS_FAULT_TRUNCATED,    0              },
    {"formerr-edns", DNS_FAULT_FORMERR_EDNS, 0              },
    {"cname",        DNS_FAULT_CNAME,        DNS_CNAME_LIMIT},
};

static bool parse_fault(const char *text, void *field, char *message, size_t size)
{
    struct lab_conditions *conditions = field;
    size_t length = strcspn(text, "=");
    for (size_t i = 0; i < sizeof dns_faults / sizeof dns_faults[0]; i++) {
        if (strlen(dns_faults[i].word) != length || strncmp(text, dns_faults[i].word, length) != 0)
            continue;
        const char *number = text + length + (text[length] == '=');
        size_t digits = strspn(number, "0123456789");
        unsigned long value = strtoul(number, NULL, 10);
        bool is_good = dns_faults[i].largest == 0
                           ? text[length] == '\0'
                           : text[length] == '=' && digits > 0 && digits < 6 &&
                                 number[digits] == '\0' && value >= 1 &&
                                 value <= dns_faults[i].largest;
        if (is_good) {
            conditions->dns_fault = dns_faults[i].fault;
            conditions->dns_fault_count = (unsigned)value;
            return true;
        }
        if (dns_faults[i].largest > 0)
            (void)snprintf(message, size, "found '%s', expected %s=N with N from 1 to %u", text,
                           dns_faults[i].word, dns_faults[i].largest);
        else
            (void)snprintf(message, size, "found '%s', expected %s alone", text,
                           dns_faults[i].word);
        return false;
    }
    (void)snprintf(
        message, size,
        "found '%s', expected servfail, refused, nxdomain, drop, drop-first=N, tc, formerr-edns "
        "or cname=N",
        text);
    return false;
}

static bool parse_tls_max(const char *text, void *field, char *message, size_t size)
{
    bool *is_1_2 = field;
    *is_1_2 = strcmp(text, "1.2") == 0;
    if (*is_1_2 || strcmp(text, "1.3") == 0)
        return true;
    (void)snprintf(message, size, "found '%s', expected 1.2 or 1.3", text);
    return false;
}

static const char *const modes[] = {"auto", "loopback", "namespaces", NULL};
static const char *const tls_faults[] = {"none", "expired", "wrong-name", "unknown-ca", NULL};

_Static_assert(CERTIFICATE_GOOD == 0 && CERTIFICATE_EXPIRED == 1 && CERTIFICATE_WRONG_NAME == 2 &&
                   CERTIFICATE_UNKNOWN_CA == 3 && sizeof(enum certificate_fault) == sizeof(int),
               "the option writes the index of its word");

/* What loopback mode has to refuse, and what the condition would need. */
static const struct {
    const char *name;
    const char *need;
} refused[REFUSED_CONDITIONS] = {
    {"rtt",           "a delay line that holds every packet"                                       },
    {"loss",          "a delay line that loses packets"                                            },
    {"jitter",        "a delay line that holds every packet"                                       },
    {"dup",           "a delay line that doubles packets"                                          },
    {"reorder",       "a delay line that holds packets"                                            },
    {"queue",         "a delay line with a queue of its own"                                       },
    {"mtu",           "interfaces of its own"                                                      },
    {"drop",          "a delay line that sees segments"                                            },
    {"hold",          "a delay line that sees segments"                                            },
    {"connect",       "a delay line that holds the SYN-ACK: on loopback the kernel answers at once"},
    {"connect-fault", "routes of its own"                                                          },
    {"pcap",          "a delay line that sees packets"                                             },
    {"resolv",        "a mount namespace with a resolv.conf of its own"                            },
    {"proxy",         "the lab's proxy servers, which are not built yet"                           },
    {"tunnel",        "the lab's proxy servers, which are not built yet"                           },
    {"pac",           "the lab's PAC server, which is not built yet"                               },
    {"pac-dns",       "the lab's PAC server, which is not built yet"                               },
    {"seed",          "something that is left to chance: nothing is lost or jittered here"         },
};

#define REFUSED_ROW(place, name_, argument_, help_)                                                \
    {                                                                                              \
        .name = name_, .type = OPTION_LIST, .argument = argument_, .help = help_,                  \
        OPTION_FIELD(struct lab_args, refused[place])                                              \
    }

/* clang-format off */
const struct verb_option condition_options[] = {
    {.section = "DNS"},
    {.name = "dns", .type = OPTION_DURATION, .argument = "TIME", .high = DELAY_LIMIT_NS,
     .help = "every answer comes that long after its query", OPTION_FIELD(struct lab_args, conditions.dns_ns)},
    {.name = "dns-aaaa", .type = OPTION_CUSTOM, .argument = "TIME|drop", .parse = parse_aaaa,
     .help = "the same for AAAA alone, or no answer to it", .fallback = "as --dns", OPTION_FIELD(struct lab_args, conditions)},
    {.name = "dns-fault", .type = OPTION_CUSTOM, .argument = "FAULT", .parse = parse_fault,
     .help = "servfail, refused, nxdomain, drop, drop-first=N (of each question), tc (then TCP works), formerr-edns, cname=N (links)",
     OPTION_FIELD(struct lab_args, conditions)},
    {.name = "dns-ttl", .type = OPTION_INT, .argument = "SECONDS", .high = 604800, .help = "how long answers may be kept",
     .fallback = "60", OPTION_FIELD(struct lab_args, conditions.dns_ttl_s)},
    {.section = "Origin"},
    {.name = "accept", .type = OPTION_DURATION, .argument = "TIME", .high = DELAY_LIMIT_NS,
     .help = "a new connection is looked at late: shows in tls, or in wait without TLS", OPTION_FIELD(struct lab_args, conditions.accept_ns)},
    {.name = "tls", .type = OPTION_DURATION, .argument = "TIME", .high = DELAY_LIMIT_NS,
     .help = "the ServerHello comes that long after the ClientHello", OPTION_FIELD(struct lab_args, conditions.tls_ns)},
    {.name = "tls-max", .type = OPTION_CUSTOM, .argument = "VERSION", .parse = parse_tls_max, .help = "the largest version of TLS",
     .fallback = "1.3", OPTION_FIELD(struct lab_args, conditions.tls_1_2)},
    {.name = "tls-fault", .type = OPTION_WORD, .argument = "FAULT", .words = tls_faults,
     .help = "a certificate that is expired, has the wrong-name, or is of an unknown-ca", .fallback = "none",
     OPTION_FIELD(struct lab_args, conditions.certificate_fault)},
    {.name = "ttfb", .type = OPTION_DURATION, .argument = "TIME", .high = DELAY_LIMIT_NS,
     .help = "the first byte of an answer comes that long after the last one of the request", OPTION_FIELD(struct lab_args, conditions.ttfb_ns)},
    {.name = "continue", .type = OPTION_CUSTOM, .argument = "TIME|never", .parse = parse_continue,
     .help = "'100 Continue' comes that long after a head that expects it", .fallback = "0", OPTION_FIELD(struct lab_args, conditions)},
    {.name = "rate", .type = OPTION_SIZE, .argument = "BYTES/S", .low = 1, .high = INT64_C(1) << 40,
     .help = "bodies come at that pace; k, M and G may follow the number", .fallback = "no limit", OPTION_FIELD(struct lab_args, conditions.rate)},
    {.section = "The lab"},
    {.name = "mode", .type = OPTION_WORD, .argument = "MODE", .words = modes,
     .help = "auto or loopback; namespaces is not built yet", .fallback = "auto", OPTION_FIELD(struct lab_args, mode)},
    {.name = "print-truth", .type = OPTION_FLAG,
     .help = "what a request to https://origin.lab/ should measure, as JSON; without a command, nothing else is done",
     OPTION_FIELD(struct lab_args, print_truth)},
    {.section = "Refused on loopback, by name"},
    REFUSED_ROW(0, "rtt", "TIME", "round trip of every packet"),
    REFUSED_ROW(1, "loss", "P%", "packets lost"),
    REFUSED_ROW(2, "jitter", "TIME", "packets later than the round trip"),
    REFUSED_ROW(3, "dup", "P%", "packets doubled"),
    REFUSED_ROW(4, "reorder", "P%", "packets out of order"),
    REFUSED_ROW(5, "queue", "BYTES", "what the slowest link keeps"),
    REFUSED_ROW(6, "mtu", "N", "the largest packet"),
    REFUSED_ROW(7, "drop", "WHICH", "one segment of a connection lost"),
    REFUSED_ROW(8, "hold", "WHICH", "one segment of a connection late"),
    REFUSED_ROW(9, "connect", "TIME", "connections made late"),
    REFUSED_ROW(10, "connect-fault", "FAULT", "connections refused or lost"),
    REFUSED_ROW(11, "pcap", "FILE", "a capture of the delay line"),
    REFUSED_ROW(12, "resolv", "LINE", "more lines for resolv.conf"),
    REFUSED_ROW(13, "proxy", "KIND", "a proxy on the way"),
    REFUSED_ROW(14, "tunnel", "TIME", "the proxy's answer late"),
    REFUSED_ROW(15, "pac", "TIME", "the PAC file late"),
    REFUSED_ROW(16, "pac-dns", "TIME", "lookups of the PAC script late"),
    REFUSED_ROW(17, "seed", "N", "the start of what is left to chance"),
    {0},
};
/* clang-format on */

int conditions_check(const struct call *call, const struct lab_args *args)
{
    if (args->mode == LAB_MODE_NAMESPACES) {
        message_error(call,
                      "--mode namespaces is not built yet: this version has loopback mode only");
        message_hint(call, "use --mode loopback, or leave --mode out");
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < REFUSED_CONDITIONS; i++) {
        if (args->refused[i].count == 0)
            continue;
        /* A proxy that is none is what there is. */
        if (strcmp(refused[i].name, "proxy") == 0 &&
            strcmp(args->refused[i].items[args->refused[i].count - 1], "none") == 0)
            continue;
        message_error(call, "loopback mode cannot keep --%s: it needs %s", refused[i].name,
                      refused[i].need);
        message_hint(call, "the conditions it keeps are listed by 'netphase help lab'");
        return EXIT_USAGE;
    }
    return 0;
}
