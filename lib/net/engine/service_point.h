/* Service points: who shares connections, and who waits for one. Floor 2; loop thread only. */
#ifndef NP_NET_SERVICE_POINT_H
#define NP_NET_SERVICE_POINT_H

#include "engine_types.h"

/* The service point of a key, made where there is none yet. NULL: no memory. */
np_service_point *np_service_point_get(np_engine *engine, const np_pool_key *key);
/* An idle connection to the same origin that belongs to another group; NULL: none. */
np_connection *np_service_point_idle_of_other_group(const np_service_point *point);
/* At a turn's end: frees what was asked for longest ago and is in no use, where there are more than
 * are kept. */
void np_service_points_trim(np_engine *engine);
/* Frees what it has; its connections must have been closed. */
void np_service_point_free(np_service_point *point);
/* Is this host this machine, by its name or literal? */
bool np_host_is_loopback(const char *host);

#endif
