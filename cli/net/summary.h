/* What `record` prints at the end: a line a URL, what most of the set-up was, where the trace is
 * and what to try next. */
#ifndef CLI_NET_SUMMARY_H
#define CLI_NET_SUMMARY_H

#include "sender.h"
#include "verb.h"

/* Reads the run from the trace and prints on stdout. Returns an exit status. */
int summary_print(struct call *call, const char *path, int64_t run_id,
                  const struct sender_counts *counts, bool fail);

#endif
