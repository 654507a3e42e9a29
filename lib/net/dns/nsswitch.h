/*
 * What the `hosts:` line of /etc/nsswitch.conf means for us. Floor 2; pure, any thread.
 *
 * We do what `files` and `dns` do, in their order. Anything else before `dns` (mdns4_minimal,
 * resolve, myhostname, ldap …), no `dns` at all, or an [action] that changes how one goes on to the
 * next is more than that: then the system's own resolver has to be asked. What stands behind `dns`
 * is not looked at, except `files`.
 */
#ifndef NP_NET_NSSWITCH_H
#define NP_NET_NSSWITCH_H

#include <stdbool.h>
#include <stddef.h>

typedef struct np_nsswitch {
    bool needs_system; /* files and dns are not all there is */
    bool files_first;  /* the hosts file comes before everything else */
    bool files_last;   /* … or behind dns; with neither it is not read */
} np_nsswitch;

/* text[length] as in nsswitch.conf(5); NULL, or without a `hosts:` line: files, then dns. */
void np_nsswitch_parse(const char *text, size_t length, np_nsswitch *out);

#endif
