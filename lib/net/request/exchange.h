/* Starting a request's transfers, and what the engine reports of them. Floor 2. */
#ifndef NP_NET_EXCHANGE_H
#define NP_NET_EXCHANGE_H

#include "request_block.h"

/* Posts the transfer whose `spec` is filled in; takes a reference. Any thread, no lock held. */
void np_exchange_start(np_request *request);

/* Lock held. The response has been asked for, and is there already: completes the operation, and
 * returns it for np_async_finish; NULL: it is not there. */
np_async *np_exchange_early_header_locked(np_request *request);

#endif
