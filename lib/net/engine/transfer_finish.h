/* What libcurl has finished. Floor 2; loop thread only, libcurl not on the stack. */
#ifndef NP_NET_TRANSFER_FINISH_H
#define NP_NET_TRANSFER_FINISH_H

#include "engine_types.h"

/* libcurl is done with it: it ends, or goes back to the queue. It may be gone when this returns. */
void np_transfer_finish(np_transfer *transfer, CURLcode code);
/* The same for every transfer libcurl has a message about; true: there was one. */
bool np_transfers_collect(np_engine *engine);

#endif
