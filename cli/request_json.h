/* One request as JSON: the document netphase.request/1. A pure function; tests read it as it is. */
#ifndef CLI_REQUEST_JSON_H
#define CLI_REQUEST_JSON_H

#include "text.h"
#include <netphase/store.h>

/* call: all hops of the call it belongs to; NULL: they were not asked for. */
void request_json(const np_request_detail *request, const np_page *call, struct text *out);

#endif
