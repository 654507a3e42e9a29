/* File descriptors that are short: who wants another connection waits. Floor 2; loop thread only.
 */
#ifndef NP_NET_DESCRIPTORS_H
#define NP_NET_DESCRIPTORS_H

#include "engine_types.h"

/* May one more connection be opened? Asks the system: three calls. */
bool np_descriptors_suffice(np_engine *engine);
/* The connection that has been idle longest, of all service points; NULL: none is idle. */
np_connection *np_descriptors_idle(const np_engine *engine);

/* The queue of this service point is looked at again when one may have become free. */
void np_descriptors_await(np_service_point *point);
static inline bool np_descriptors_are_awaited(const np_service_point *point)
{
    return np_link_used(&point->in_starving);
}
/* One was refused although there seemed to be one: nothing is opened for a moment. */
void np_descriptors_refused(np_engine *engine);
/* A socket was closed. */
void np_descriptors_freed(np_engine *engine);
/* Has it waited for as long as a connect may take, with nothing of ours that could become free but
 * its own `own_count` connections? */
bool np_descriptors_give_up(np_transfer *transfer, uint32_t own_count);
void np_descriptors_stop(np_engine *engine);

#endif
