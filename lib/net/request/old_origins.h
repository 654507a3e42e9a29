/*
 * The origins that answered by HTTP/1.0 (BS-3): a chunked body cannot be sent to them. Floor 2; any
 * thread. At most 64: the one that was learned first goes.
 */
#ifndef NP_NET_OLD_ORIGINS_H
#define NP_NET_OLD_ORIGINS_H

#include "url.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#define NP_OLD_ORIGINS 64u

typedef struct np_old_origins {
    pthread_mutex_t lock;         /* comes after a request's */
    _Atomic uint32_t count;       /* 0, as nearly always: nobody takes the lock */
    char *origin[NP_OLD_ORIGINS]; /* origin[count]: "scheme://host:port", the oldest first */
} np_old_origins;

void np_old_origins_init(np_old_origins *origins);
void np_old_origins_done(np_old_origins *origins);
/* The origin of `url` answered by this protocol: 10, 11, 20. What there is no memory for is not
 * remembered. */
void np_old_origins_note(np_old_origins *origins, const np_url *url, int protocol);
bool np_old_origins_has(np_old_origins *origins, const np_url *url);

#endif
