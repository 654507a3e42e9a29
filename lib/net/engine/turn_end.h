/* What has to wait for the turn's end, because libcurl may be on the stack. Floor 2; loop thread
 * only. */
#ifndef NP_NET_TURN_END_H
#define NP_NET_TURN_END_H

#include "engine_types.h"

/* Makes sure of a turn's end when the caller is outside of any turn: before the loop was started.
 */
void np_turn_end_wake(np_engine *engine);
/* The transfer goes on at the turn's end: NP_GO_*. */
void np_turn_end_go_on(np_transfer *transfer, unsigned to_do);

#endif
