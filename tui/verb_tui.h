/* The verb `tui`. */
#ifndef TUI_VERB_TUI_H
#define TUI_VERB_TUI_H

#include "verb.h"

extern const struct verb verb_tui;

#endif
