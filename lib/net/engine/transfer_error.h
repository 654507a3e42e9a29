/* What a failed transfer is called: CURLE_* and where it happened -> np_error. Floor 2; loop thread
 * only. */
#ifndef NP_NET_TRANSFER_ERROR_H
#define NP_NET_TRANSFER_ERROR_H

#include "engine_types.h"

/* Fills `err` for a transfer that libcurl ended with `code`; its handle must still be there.
 * Source: docs/contract.md, "Web status values". */
void np_transfer_explain(const np_transfer *transfer, CURLcode code, np_error *err);

/* What it was doing when its time was over: "waiting for a connection", "waiting for the response",
 * … */
const char *np_transfer_activity(const np_transfer *transfer);

#endif
