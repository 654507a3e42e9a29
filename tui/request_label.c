/* A request in few cells; see request_label.h. */
#include "request_label.h"

enum { METHOD_CELLS = 4, HOST_LEAST = 5 /* less of a host says nothing */ };

void request_label(const np_row *row, int width, const struct look *look, struct text *out)
{
    struct text method = {0};
    struct text host = {0};
    struct text path = {0};
    text_outside(&method, row->method, look->ascii);
    text_outside(&host, row->host, look->ascii);
    text_outside(&path, row->path, look->ascii);
    const int method_cells = text_width(text_string(&method));
    const int room = width - 1 - (method_cells > METHOD_CELLS ? method_cells : METHOD_CELLS);
    const int host_room = room - 1 - text_width(text_string(&path));
    text_left(out, text_string(&method), METHOD_CELLS);
    text_char(out, ' ');
    if (host_room >= text_width(text_string(&host)) || host_room >= HOST_LEAST) {
        look_begin(look, out, ROLE_QUIET);
        (void)text_cut(out, text_string(&host), host_room, look->ascii); /* fits now */
        look_end(look, out, ROLE_QUIET);
        text_char(out, ' ');
    }
    (void)text_cut(out, text_string(&path), room, look->ascii); /* likewise */
    text_done(&method);
    text_done(&host);
    text_done(&path);
}
