/*
 * What went over the connection, where it was kept: hexadecimal and text, side by side. A pure
 * function; tests read it as it is.
 */
#ifndef CLI_WIRE_VIEW_H
#define CLI_WIRE_VIEW_H

#include "json.h"
#include "look.h"
#include <netphase/store.h>

/* Nothing where nothing was kept. */
void wire_write(const np_request_detail *request, const struct look *look, struct text *out);
/* The member "wire", where something was kept. */
void wire_json(struct json *json, const np_request_detail *request);

#endif
