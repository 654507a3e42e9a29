/* Easy handles of a service point: made once, given to one transfer after the other. Floor 2; loop
 * thread only. */
#ifndef NP_NET_EASY_H
#define NP_NET_EASY_H

#include "engine_types.h"

/* One at rest, the last one used first, or a new one. NULL: no memory. */
np_easy *np_easy_take(np_service_point *point);
/* Sets what differs from the request before: share, URL, verb, fields. CURLE_OK, or what setopt
 * said. */
CURLcode np_easy_prepare(np_easy *easy, const np_transfer_spec *spec, np_connection *connection);
/* Back to the others at rest. Not while it is in the multi handle. */
void np_easy_rest(np_easy *easy);
void np_easy_free(np_easy *easy);

#endif
