/* Opening a trace for a verb, and its --where: every mistake is told here, with what to do about
 * it. */
#ifndef CLI_OPEN_TRACE_H
#define CLI_OPEN_TRACE_H

#include "verb.h"
#include <netphase/store.h>

/* Returns EXIT_DONE and the store (owned: np_store_close), or the exit status after the mistake was
 * told. */
int open_trace(const struct call *call, const char *path, np_store **out);
/* The filter of --where, NULL where expression is NULL; owned: np_filter_free. */
int open_filter(const struct call *call, const char *expression, np_filter **out);

#endif
