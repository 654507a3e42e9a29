/*
 * Addresses as text and as sockaddr, and the order in which to try them (RFC 6724). Floor 2; pure
 * but for np_address_source, any thread.
 */
#ifndef NP_NET_ADDRESS_H
#define NP_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NP_ADDRESS_TEXT 64 /* "[2001:db8::1]:443" and its NUL */

/* An IPv4 or IPv6 address with a port. */
typedef union np_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} np_address;

/* A literal: IPv4 as inet_aton takes it ("127.0.0.1", "127.1"), IPv6 with or without brackets and
   with or without a zone ("fe80::1%eth0"). The port becomes 0. */
bool np_address_parse(const char *text, size_t length, np_address *out);
/* "ADDR" or "ADDR:PORT"; IPv6 with a port needs brackets. */
bool np_address_parse_port(const char *text, size_t length, uint16_t default_port, np_address *out);
/* A decimal port, 1 … 65535. */
bool np_port_parse(const char *text, size_t length, uint16_t *out);

socklen_t np_address_size(const np_address *address);
uint16_t np_address_port(const np_address *address);
void np_address_set_port(np_address *address, uint16_t port);
bool np_address_equal(const np_address *a, const np_address *b); /* family, address, port, zone */

const char *
np_address_text(const np_address *address,
                char out[NP_ADDRESS_TEXT]); /* "127.0.0.1:443", "[::1]:443"; returns out */
const char *np_address_host_text(const np_address *address,
                                 char out[NP_ADDRESS_TEXT]); /* "127.0.0.1", "::1" */

/* A destination and the source address the kernel would use for it. */
typedef struct np_candidate {
    np_address address;
    bool reachable; /* there is a source: a route */
    np_address source;
} np_candidate;

/* Asks the kernel for the source by connecting a UDP socket (nothing is sent). false: no route. */
bool np_address_source(const np_address *destination, np_address *source);

/* Orders by RFC 6724 section 6 (rules 1, 2, 5, 6, 8, 9 for IPv6, 10; the kernel does not tell what
 * 3, 4 and 7 need). Stable. */
void np_candidates_sort(np_candidate *candidates, size_t count);
/* Alternates the families of what is sorted, beginning with `first_family`, or with that of the
   first candidate when it is AF_UNSPEC (RFC 8305 section 4); unreachable ones stay at the end. */
void np_candidates_interleave(np_candidate *candidates, size_t count, int first_family);

#endif
