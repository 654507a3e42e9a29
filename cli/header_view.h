/*
 * Header fields, where they were kept, a block for each side that spoke. A pure function; tests
 * read it as it is.
 */
#ifndef CLI_HEADER_VIEW_H
#define CLI_HEADER_VIEW_H

#include "json.h"
#include "look.h"
#include <netphase/store.h>

/* Nothing where nothing was kept. */
void header_write(const np_request_detail *request, const struct look *look, struct text *out);
/* The member "headers", where something was kept. */
void header_json(struct json *json, const np_request_detail *request);

#endif
