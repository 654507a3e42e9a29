/* Changing a request before its start (SM-1), and what was set. Floor 2; any thread. */
#ifndef NP_NET_SETTINGS_H
#define NP_NET_SETTINGS_H

#include "request_block.h"

/* NP_OK: the lock is held, and the request may be changed; np_settings_change_end is next. */
np_status np_settings_change_begin(np_request *request, np_error *err);
np_status np_settings_change_end(np_request *request, np_status status); /* returns `status` */

/* A flag or a number of the request, by its place in np_request. */
np_status np_settings_set_flag(np_request *request, size_t place, bool value, np_error *err);
bool np_settings_flag(const np_request *request, size_t place); /* false without a request */

typedef struct np_number_rule {
    size_t place;    /* of an int64_t in np_request */
    int64_t minimum; /* below: NP_E_ARGUMENT_RANGE */
    bool takes_zero;
    const char *refusal; /* "a timeout of %lld ms: expected …" */
} np_number_rule;

np_status np_settings_set_number(np_request *request, const np_number_rule *rule, int64_t value,
                                 np_error *err);
int64_t np_settings_number(const np_request *request, size_t place); /* -1 without a request */

/* A text of the request, owned by it: "" and NULL clear it. */
np_status np_settings_set_text(char **text, const char *value, size_t length, np_error *err);

#endif
