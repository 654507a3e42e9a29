/* What a request that needs a connection gets: the order of the choices, nothing else. Floor 2;
 * pure. */
#ifndef NP_NET_DISPATCH_RULES_H
#define NP_NET_DISPATCH_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* What there is, seen by one request. */
typedef struct np_dispatch_view {
    bool must_be_new; /* only a connection opened for it will do */
    bool has_fitting; /* an idle connection that fits */
    bool has_idle;    /* an idle connection, fitting or not */
    bool has_room;    /* an HTTP/2 connection in use takes one more stream */
    bool may_share;   /* one that is being set up may turn out to be HTTP/2, with room for it */
    uint32_t connection_count, limit;
    bool has_descriptor; /* there is one for another socket */
    bool may_free_one;   /* somebody's idle connection could be closed for its descriptor */
} np_dispatch_view;

typedef enum np_dispatch_choice {
    NP_DISPATCH_IDLE,         /* take the idle one that fits */
    NP_DISPATCH_STREAM,       /* one more stream on an HTTP/2 connection */
    NP_DISPATCH_AWAIT,        /* wait for the protocol of the one that is being set up */
    NP_DISPATCH_OPEN,         /* open one */
    NP_DISPATCH_REPLACE,      /* close the one that has been idle longest, then open one */
    NP_DISPATCH_FREE,         /* close any idle one for its descriptor, then look again */
    NP_DISPATCH_WAIT,         /* wait for one of this service point */
    NP_DISPATCH_NO_DESCRIPTOR /* wait for a descriptor */
} np_dispatch_choice;

np_dispatch_choice np_dispatch_choose(const np_dispatch_view *view);

#endif
