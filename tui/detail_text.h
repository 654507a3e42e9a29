/* The tabs of one request as lines of text with roles. Pure functions of the request. */
#ifndef TUI_DETAIL_TEXT_H
#define TUI_DETAIL_TEXT_H

#include "look.h"
#include <netphase/store.h>

/* Its words in the row of tabs, in the order of enum detail_tab; ends with NULL. */
extern const char *const detail_tab_names[];
/* call: all hops; NULL: there is only this one. */
void detail_write(int tab, const np_request_detail *request, const np_page *call,
                  const struct look *look, struct text *out);

#endif
