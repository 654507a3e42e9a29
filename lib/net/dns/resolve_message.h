/*
 * What the library and its helper netphase-resolve say to each other, one packet a message over a
 * SOCK_SEQPACKET pair. Floor 2. Both are of one build and on one machine: plain structs.
 */
#ifndef NP_NET_RESOLVE_MESSAGE_H
#define NP_NET_RESOLVE_MESSAGE_H

#include <stdint.h>

enum {
    NP_RESOLVE_MAGIC = 0x6e707231, /* "npr1" */
    NP_RESOLVE_FD = 3,             /* where the helper finds its end */
    NP_RESOLVE_NAME_SIZE = 256,
    NP_RESOLVE_ADDRESSES = 32
};

typedef struct np_resolve_question {
    uint32_t magic;
    uint32_t number; /* comes back with the answer */
    int32_t family;  /* AF_UNSPEC, AF_INET, AF_INET6 */
    char name[NP_RESOLVE_NAME_SIZE];
} np_resolve_question;

typedef struct np_resolve_address {
    uint32_t version; /* 4, 6 */
    uint32_t scope;   /* of an IPv6 address, 0: none */
    uint8_t bytes[16];
} np_resolve_address;

/* Sent up to its last address that counts. */
typedef struct np_resolve_answer {
    uint32_t magic;
    uint32_t number;
    int32_t code;         /* what getaddrinfo returned: 0, EAI_… */
    int32_t error_number; /* errno, with EAI_SYSTEM */
    uint32_t count;       /* 0 … NP_RESOLVE_ADDRESSES */
    np_resolve_address address[NP_RESOLVE_ADDRESSES];
} np_resolve_answer;

#endif
