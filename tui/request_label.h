/* A request in few cells: method, host, path; where there is no room for all, the path is worth
 * more than the host. Pure. */
#ifndef TUI_REQUEST_LABEL_H
#define TUI_REQUEST_LABEL_H

#include "look.h"
#include <netphase/store.h>

void request_label(const np_row *row, int width, const struct look *look, struct text *out);

#endif
