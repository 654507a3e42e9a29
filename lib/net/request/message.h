/*
 * What the loop is to do for a request: bits under its lock, and one task that is posted when none
 * is under way. Floor 2.
 */
#ifndef NP_NET_MESSAGE_H
#define NP_NET_MESSAGE_H

#include "request_block.h"

/* Lock held; any thread. Tells the loop what is wanted: NP_WANT_*. */
void np_message_ask_locked(np_request *request, unsigned want);
/* On the loop: a rest that nobody reads is thrown away, up to 64 KiB and 500 ms (RB-6). */
void np_message_drain(np_request *request, np_transfer *transfer);
/* On the loop: does what is wanted of a running transfer; nothing where there is none. */
void np_message_obey(np_request *request);

#endif
