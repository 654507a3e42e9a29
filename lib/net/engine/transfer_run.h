/* What dispatch.c and engine.c do with a transfer. Floor 2; loop thread only, libcurl not on the
 * stack. */
#ifndef NP_NET_TRANSFER_RUN_H
#define NP_NET_TRANSFER_RUN_H

#include "engine_types.h"

/* Puts a transfer that waits in no queue any more on a connection that is reserved for it. It may
 * have ended when this returns. */
void np_transfer_launch(np_transfer *transfer, np_connection *connection, uint64_t now_ns);
/* Ends one that is not in the multi handle; its connection is the caller's to close. */
void np_transfer_fail(np_transfer *transfer, const np_error *failure, uint64_t now_ns);
/* The set-up through a proxy has failed, and that proxy is to blame: true: it goes on with the next
 * one, and its connection has been closed. */
bool np_transfer_fail_over(np_transfer *transfer, const np_error *failure, uint64_t now_ns);
/* connect_timeout is over before its connection was ready. */
void np_transfer_setup_timed_out(np_transfer *transfer, uint64_t now_ns);

/* Ends every transfer libcurl has finished; true: there was one. */
bool np_transfers_collect(np_engine *engine);
/* At the turn's end: NP_GO_*. */
void np_transfer_go_on(np_transfer *transfer, unsigned to_do);
/* Goes on with those that were resumed; true: there was one. */
bool np_transfers_resume(np_engine *engine);
/* Takes out what was ended while libcurl was on the stack; true: there was one. */
bool np_transfers_retire(np_engine *engine);
/* Frees the memory kept for the next ones. */
void np_transfers_free_kept(np_engine *engine);

#endif
