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
/* Its user goes on after it was held: the time limit of the set-up begins again. */
void np_connection_renew(np_connection *connection);
/* One more stream on an HTTP/2 connection that is in use and has room. */
void np_connection_share(np_connection *connection, np_transfer *transfer);
/* TCP stands and nobody uses it: it waits for the next request, watched. */
void np_connection_rest(np_connection *connection, uint64_t now_ns);

/* Takes no more requests; when the last one has left it is closed for `reason`. */
void np_connection_doom(np_connection *connection, np_close_reason reason);
/* A transfer is done with it, in whatever way, and its handle is out of the multi handle: the last
 * one closes what is doomed, gone or over, and lets anything else rest. */
void np_connection_leave(np_connection *connection, np_transfer *transfer, uint64_t now_ns);
/* The same in two steps, where the handle has to stay in the multi handle for a while. */
void np_connection_detach(np_connection *connection, np_transfer *transfer);
void np_connection_left(np_connection *connection, uint64_t now_ns);

/* The set-up is over: what protocol is spoken is known. From inside libcurl. */
void np_connection_ready(np_connection *connection, uint64_t now_ns);
/* Whether HTTP/2 is offered is decided by who sets it up; `expected`: others may wait for it. */
void np_connection_offer(np_connection *connection, bool offers_h2, bool expected);
/* The server does not take more than `limit` streams at once. */
void np_connection_limit_streams(np_connection *connection, uint32_t limit);
/* Its lease is over: it takes no more requests. */
bool np_connection_is_over(const np_connection *connection, uint64_t now_ns);
/* Nobody on it takes data: input must stay unread. */
bool np_connection_is_paused(const np_connection *connection);
/* Nobody waits for its set-up any more: it goes on alone and comes to rest when TCP stands. */
void np_connection_disown(np_connection *connection, uint64_t now_ns);
/* The easy handle works on this connection: its share is ours. Not while it is in the multi handle.
 * CURLE_OK, or what setopt said. */
CURLcode np_connection_take_easy(np_connection *connection, np_easy *easy);
/* Off the share of the connection it is on. Not while it is in the multi handle. */
void np_connection_drop_easy(np_easy *easy);
/* Closes and frees it, in any state. Its transfer, where it has one, must have let go of it. */
void np_connection_close(np_connection *connection, np_close_reason reason, uint64_t now_ns);

#endif
