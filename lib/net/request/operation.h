/* The asynchronous results of a request, of every kind: what they are made of, how they end. Floor
 * 2; any thread. */
#ifndef NP_NET_OPERATION_H
#define NP_NET_OPERATION_H

#include "request_block.h"

np_async_setup np_operation_setup(np_request *request, np_async_kind kind, np_async_fn fn,
                                  void *state, uint32_t references);

/* Lock held. What an end call does for every kind (ES-1 … ES-8): checks, claims, waits, and gives
   the operation's failure. NP_OK: the caller may hand out the result. */
np_status np_operation_end_locked(np_request *request, np_async *async, np_async_kind kind,
                                  np_error *err);

#endif
