/* The verb `show`. */
#ifndef CLI_VERB_SHOW_H
#define CLI_VERB_SHOW_H

#include "verb.h"
#include <netphase/store.h>

extern const struct verb verb_show;

/* The document netphase.request/1. */
void show_json(const np_request_detail *request, const np_page *call, struct text *out);

#endif
