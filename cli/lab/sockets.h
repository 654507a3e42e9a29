/*
 * Where a lab on loopback listens: an address 127.x.y.z of its own, and on it the well-known ports
 * where they may be bound, else free ones. A second address refuses connections. Program
 * netphase-lab.
 */
#ifndef LAB_SOCKETS_H
#define LAB_SOCKETS_H

#include <netinet/in.h>
#include <netphase/status.h>
#include <stdint.h>

struct sockets {
    struct in_addr address;
    struct in_addr refused; /* nothing listens here on the ports of `address` */
    uint16_t dns_port;      /* UDP and TCP */
    uint16_t https_port;
    uint16_t http_port;
    int dns_udp_fd;
    int dns_tcp_fd;
    int https_fd;
    int http_fd;
    int refused_fd[2]; /* bound but not listening, so that nobody else can */
};

/* Chooses an address at random and binds everything. NP_E_IO after many addresses that were taken.
 */
np_status sockets_open(struct sockets *out, np_error *err);

/* Closes what is open; harmless on an empty one made by sockets_init. */
void sockets_close(struct sockets *sockets);
void sockets_init(struct sockets *sockets);

#endif
