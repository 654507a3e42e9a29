/* A transfer and its connection go into libcurl. Floor 2; loop thread only, libcurl not on the
 * stack. */
#ifndef NP_NET_TRANSFER_LAUNCH_H
#define NP_NET_TRANSFER_LAUNCH_H

#include "engine_types.h"

/* Puts a transfer that waits in no queue any more on a connection that is reserved for it. It may
 * have ended when this returns. */
void np_transfer_launch(np_transfer *transfer, np_connection *connection, uint64_t now_ns);
/* The body of a held transfer is complete. Its connection may have been lost meanwhile: then it is
 * the next one to get another. */
void np_transfer_launch_held(np_transfer *transfer);

#endif
