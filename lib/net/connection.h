/* A connection of ours: a socket the dialer made, and a libcurl share of one that it lives in.
 * Floor 2; loop thread only, libcurl not on the stack. */
#ifndef NP_NET_CONNECTION_H
#define NP_NET_CONNECTION_H

#include "engine_types.h"

/* Begins to connect on behalf of `transfer`, whose queue ended at now_ns. NULL: no memory, `err`
 * says so. */
np_connection *np_connection_open(np_transfer *transfer, np_new_because because, uint32_t unlike,
                                  uint64_t now_ns, const np_connection_handler *handler,
                                  np_error *err);

/* Takes an idle connection out of the idle ones for a transfer: nobody else gets it. */
void np_connection_reserve(np_connection *connection, np_transfer *transfer);
/* Nobody uses it any more: it waits for the next request, watched. */
void np_connection_rest(np_connection *connection, uint64_t now_ns);
/* Nobody waits for its set-up any more: it goes on alone and comes to rest when TCP stands. */
void np_connection_disown(np_connection *connection, uint64_t now_ns);
/* Nobody uses it and it has become readable: is that its end, and why? */
bool np_connection_is_lost(np_connection *connection, unsigned ready, np_close_reason *reason);
/* Closes and frees it, in any state. Its transfer, where it has one, must have let go of it. */
void np_connection_close(np_connection *connection, np_close_reason reason, uint64_t now_ns);

#endif
