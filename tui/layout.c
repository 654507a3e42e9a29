/* Which part of the screen is whose; see layout.h. */
#include "layout.h"

enum { FACTS_ROWS = 3, FACTS_FROM = 13 /* rows a screen needs to have room for them */ };

struct layout layout_for(int columns, int rows, bool has_facts)
{
    struct layout layout = {0};
    if (columns < LAYOUT_COLUMNS_LEAST || rows < LAYOUT_ROWS_LEAST) {
        layout.is_too_small = true;
        layout.bar = (struct rect){0, 0, columns, rows > 0 ? 1 : 0};
        return layout;
    }
    const int facts = has_facts && rows >= FACTS_FROM ? FACTS_ROWS : 0;
    layout.title = (struct rect){0, 0, columns, 1};
    layout.view = (struct rect){0, 1, columns, rows - 2 - facts};
    layout.facts = (struct rect){0, rows - 1 - facts, columns, facts};
    layout.bar = (struct rect){0, rows - 1, columns, 1};
    return layout;
}
