/*
 * The rows of calls that were refused (ER-2): spans of kind `rejected_call` that belong to no
 * request, since a refused call leaves its request as it was. Floor 2; any thread.
 */
#ifndef NP_NET_REJECTED_H
#define NP_NET_REJECTED_H

#include "request_block.h"

/* Not with the lock held. `call` is the function's name without np_request_; begun_ns: its entry.
 * Nothing happens without a trace, and where there is no memory for it (TR-4). */
void np_rejected_note(np_request *request, const char *call, uint64_t begun_ns,
                      const np_error *error);

#endif
