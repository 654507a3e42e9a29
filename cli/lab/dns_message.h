/*
 * DNS messages: bytes to a question, an answer to bytes. Pure functions without I/O; hostile bytes
 * are expected.
 *
 * Only what a server with a handful of names needs: one question, A and AAAA, CNAME chains inside
 * one answer, SOA for negative answers, EDNS (RFC 6891).
 */
#ifndef LAB_DNS_MESSAGE_H
#define LAB_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_HEADER_BYTES = 12,
    DNS_NAME_BYTES = 255,    /* the longest name on the wire (RFC 1035, 2.3.4) */
    DNS_NAME_TEXT = 4 * 256, /* the same as text, with escapes and the NUL */
    DNS_QUESTION_BYTES = DNS_NAME_BYTES + 4,
    DNS_UDP_PLAIN = 512,      /* what fits an answer over UDP without EDNS */
    DNS_UDP_LARGEST = 1232,   /* and with it, whatever the client offers */
    DNS_MESSAGE_BYTES = 4096, /* room for every answer we build */
    DNS_CNAME_LIMIT = 16
};

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_AAAA = 28, DNS_OPT = 41, DNS_ANY = 255 };

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16
};

/* What a client asked. */
struct dns_query {
    uint16_t id;
    uint8_t opcode;
    bool recursion_desired;
    bool checking_disabled;
    uint8_t question[DNS_QUESTION_BYTES]; /* question[question_bytes], as it came: letters keep
                                             their case */
    size_t question_bytes;                /* 0 when there was none that could be read */
    char name[DNS_NAME_TEXT]; /* lower case, without the last dot; dots inside a label as "\." */
    uint16_t type;
    uint16_t class_;
    bool has_edns;
    uint8_t edns_version;
    uint16_t udp_size; /* the largest answer over UDP the client takes, 512 … 1232 */
};

/* What to make of received bytes. */
enum dns_verdict {
    DNS_ASKED,  /* a question that wants an answer */
    DNS_BROKEN, /* to be answered with FORMERR; id and flags are valid */
    DNS_IGNORED /* not a query, or too short to answer */
};

/*
 * Reads a query.
 *
 * bytes   bytes[length], any content
 * query   [out] valid as the verdict says; always initialised
 */
enum dns_verdict dns_query_parse(const uint8_t *bytes, size_t length, struct dns_query *query);

/* What to answer. */
struct dns_reply {
    enum dns_rcode rcode;
    bool knows_no_edns;       /* no OPT in the answer, whatever the query had */
    bool truncated;           /* TC and no records, whatever the rest says */
    uint32_t ttl_s;           /* of every record */
    const uint8_t *addresses; /* addresses[address_count], each 4 or 16 bytes by `type`; borrowed */
    size_t address_count;
    uint16_t type;        /* DNS_A or DNS_AAAA */
    unsigned cname_count; /* 0 … DNS_CNAME_LIMIT links before the addresses */
    bool has_authority;   /* an SOA in the authority section: NXDOMAIN and NODATA (RFC 2308) */
};

/*
 * Writes an answer.
 *
 * largest  bytes that fit: an answer that would be longer is cut to its question with TC set
 * out      [out] out[DNS_MESSAGE_BYTES]
 * returns the length, 12 … DNS_MESSAGE_BYTES
 */
size_t dns_reply_write(const struct dns_query *query, const struct dns_reply *reply, size_t largest,
                       uint8_t *out);

#endif
