/* Who gets which connection, and when a new one is opened. Floor 2; loop thread only, libcurl not
 * on the stack. */
#ifndef NP_NET_DISPATCH_H
#define NP_NET_DISPATCH_H

#include "engine_types.h"

/* Looks at the queues of all service points that have changed; true: there was one. */
bool np_dispatch(np_engine *engine);

#endif
