/* /etc/hosts as a table. Floor 2; pure, one thread at a time. */
#ifndef NP_NET_HOSTS_H
#define NP_NET_HOSTS_H

#include "address.h"

typedef struct np_hosts np_hosts;

/* text[length] as in hosts(5): "ADDR NAME [ALIAS…]", # comments; lines that are not like that are
 * left out. NULL: no memory. */
np_hosts *np_hosts_parse(const char *text, size_t length);
void np_hosts_free(np_hosts *hosts); /* NULL allowed */

/* The addresses of a name in the order of the file, whatever its case; port 0. Returns how many, up
 * to max. `hosts` may be NULL. */
size_t np_hosts_find(const np_hosts *hosts, const char *name, np_address *out, size_t max);

#endif
