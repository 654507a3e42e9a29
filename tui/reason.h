/*
 * Why a request took as long as it did, in one line of words: the failure, or the phase that took
 * most and the span that explains it. A pure function of the request.
 */
#ifndef TUI_REASON_H
#define TUI_REASON_H

#include "text.h"
#include <netphase/store.h>

void reason_write(const np_request_detail *request, bool ascii, struct text *out);

#endif
