/* A request as a command line for a shell. Pure. Values that were redacted are `*` in it. */
#ifndef TUI_COMMAND_LINE_H
#define TUI_COMMAND_LINE_H

#include "text.h"
#include <netphase/store.h>

void command_line_curl(const np_request_detail *request, struct text *out);
void command_line_record(const np_request_detail *request, struct text *out);

#endif
