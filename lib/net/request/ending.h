/* How what is pending ends: by a failure, by an abort. Floor 2; any thread. */
#ifndef NP_NET_ENDING_H
#define NP_NET_ENDING_H

#include "request_block.h"

/* What an event completes, at most. */
typedef struct np_completed {
    np_async *stream, *operation, *read, *write;
} np_completed;

/* Lock held. Completes the pending write, where there is one, and returns it. */
np_async *np_ending_write_locked(np_request *request, const np_error *failure);
/* Lock held. The operations and the write fail. */
void np_ending_fail_pending_locked(np_request *request, const np_error *failure, np_completed *out);

/* Lock held. The same, and the request with them (ER-3). */
void np_ending_fail_locked(np_request *request, const np_error *failure, np_completed *out);

/* Ends everything with `cause`, REQUEST_CANCELED or TIMEOUT; callbacks run here, before it returns
 * (AB-3). Not with the lock held. */
void np_ending_abort(np_request *request, np_web_status cause);

#endif
