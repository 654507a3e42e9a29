/* Changing a request before its start (SM-1). Floor 2; any thread. */
#ifndef NP_NET_SETTINGS_H
#define NP_NET_SETTINGS_H

#include "request_block.h"

/* NP_OK: the lock is held, and the request may be changed; np_settings_change_end is next. */
np_status np_settings_change_begin(np_request *request, np_error *err);
np_status np_settings_change_end(np_request *request, np_status status); /* returns `status` */

#endif
