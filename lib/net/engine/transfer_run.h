/* What engine.c does with transfers at a turn's end. Floor 2; loop thread only, libcurl not on the
 * stack. */
#ifndef NP_NET_TRANSFER_RUN_H
#define NP_NET_TRANSFER_RUN_H

#include "engine_types.h"

/* Goes on with those that were resumed; true: there was one. */
bool np_transfers_resume(np_engine *engine);

#endif
