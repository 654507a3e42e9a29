/* The hops of a call as a list: what the caller began, and what redirects, authentication and
 * retries made of it. Pure: rows in, text out. */
#ifndef CLI_CALL_VIEW_H
#define CLI_CALL_VIEW_H

#include "json.h"
#include "look.h"
#include <netphase/store.h>

/* A hop whose end may have led to another one: only then the trace has to be searched for more. */
bool call_may_go_on(const np_row *row);
/* "call #12: 3 hops, 14.2 ms" and a line a hop; nothing for a call of one hop. */
void call_write(const np_page *call, const struct look *look, struct text *out);
/* "hops": […] with a member for every hop; nothing for a call of one hop. */
void call_json(struct json *json, const np_page *call);

#endif
