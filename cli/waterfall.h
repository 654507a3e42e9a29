/*
 * One request as a waterfall of lines: phases, their spans below them, bars on one clock. A pure
 * function from the request and a width to text; tests read it as it is.
 */
#ifndef CLI_WATERFALL_H
#define CLI_WATERFALL_H

#include "look.h"
#include <netphase/store.h>

/* Everything `show` prints: what it was, the bars, and what follows from them. */
void waterfall_write(const np_request_detail *request, const struct look *look, struct text *out);

/* A step of 1, 2 or 5 times a power of ten, so that ticks stand at least `least_cells` apart on
 * `cells` cells for total_ns. */
int64_t waterfall_tick_ns(int64_t total_ns, int cells, int least_cells);
/* Eighths of a cell from the left for an instant; 0 … 8 * cells. */
int waterfall_eighths(int64_t at_ns, int64_t total_ns, int cells);

#endif
