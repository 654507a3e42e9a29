/* What a program in the lab is told through its environment. Program netphase-lab. */
#ifndef LAB_ENVIRONMENT_H
#define LAB_ENVIRONMENT_H

#include "lab.h"
#include "text.h"

/*
 * Calls `each` for every variable that is to be set.
 *
 * NETPHASE_DNS_SERVER: ADDR:PORT of the lab's DNS server.
 *
 * NETPHASE_CONNECT_TO: only where the origin has other ports than 443 and 80: HOST:PORT:HOST:PORT,
 * several with commas between; the host stays a name, so that it is still asked for.
 *
 * CURL_CA_BUNDLE, SSL_CERT_FILE, GIT_SSL_CAINFO, NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE: the lab's
 * certificate authority, a PEM file.
 */
void environment_each(const struct lab *lab,
                      void (*each)(const char *name, const char *value, void *user), void *user);

/* Sets those variables for this process and its children, and takes the proxy variables away: they
 * lead out of the lab. */
void environment_apply(const struct lab *lab);

/* Adds "ADDR:PORT". */
void add_endpoint(struct text *out, struct in_addr address, uint16_t port);

#endif
