/*
 * What codes and details of a trace are in words. Details are JSON from a file that anybody may
 * have written: nothing is believed, and everything comes out harmless for a terminal.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "look.h"
#include <netphase/store.h>

/* "first to this origin" for "first"; a code this program does not know is shown as it is. */
const char *words_new_because(const char *code);
/* "redirected" for "redirect": why a hop was made; likewise. */
const char *words_hop_reason(const char *code);
/* "connection refused: 127.0.0.1:1 (os 111)": how a request failed; nothing for one that did not.
 */
void words_failure(struct text *out, const np_row *row, bool ascii);
/* What stands behind a phase's bar. */
void words_phase(struct text *out, const np_request_detail *request, np_phase phase, bool ascii);
/*
 * What stands behind a span's bar, the most telling first: its name, whom it asked, its outcome
 * where it is not "ok", its details. `parent` is the span above it or NULL: what that one says
 * already is left out.
 */
void words_span(struct text *out, const np_span *span, const np_span *parent, bool ascii);

#endif
