/* The picture of a frame; see cells.h. */
#include "cells.h"
#include "character.h"
#include "memory.h"
#include <stdlib.h>
#include <string.h>

static const struct cell blank = {.characters = {' '}, .width = 1, .role = ROLE_PLAIN};

void cells_init(struct cells *cells, int columns, int rows)
{
    *cells = (struct cells){.columns = columns, .rows = rows};
    cells->at = xcalloc((size_t)columns * (size_t)rows, sizeof *cells->at);
    cells_clear(cells);
}

void cells_done(struct cells *cells)
{
    free(cells->at);
    *cells = (struct cells){0};
}

void cells_clear(struct cells *cells)
{
    for (int i = 0; i < cells->columns * cells->rows; i++)
        cells->at[i] = blank;
    cells->cursor_x = cells->cursor_y = -1;
}

static struct cell *cell_at(struct cells *cells, int x, int y)
{
    return &cells->at[y * cells->columns + x];
}

static void set(struct cells *cells, int x, int y, struct cell cell)
{
    cell.is_selected = cell_at(cells, x, y)->is_selected;
    *cell_at(cells, x, y) = cell;
}

/* The other half of a wide character that is overwritten becomes a blank. */
static void mend(struct cells *cells, int x, int y)
{
    struct cell *cell = cell_at(cells, x, y);
    if (cell->width == 0 && x > 0)
        set(cells, x - 1, y, blank);
    if (cell->width == 2 && x + 1 < cells->columns)
        set(cells, x + 1, y, blank);
}

static void put_character(struct cells *cells, struct rect clip, int x, int y, uint8_t role,
                          uint32_t c, int width)
{
    const bool is_cut = width == 2 && x + 1 >= clip.x + clip.columns;
    if (x < clip.x || x >= clip.x + clip.columns)
        return;
    mend(cells, x, y);
    if (width == 1 || is_cut) {
        set(cells, x, y, (struct cell){.characters = {is_cut ? ' ' : c}, .width = 1, .role = role});
        return;
    }
    mend(cells, x + 1, y);
    set(cells, x, y, (struct cell){.characters = {c}, .width = 2, .role = role});
    set(cells, x + 1, y, (struct cell){.width = 0, .role = role});
}

/* What joins characters into others, or chooses how they look: terminals differ in how wide the
 * result is. */
static bool is_joining(uint32_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x2060 && c <= 0x2064) ||
           (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff;
}

/* A mark goes to the character before it; one that stands alone is left out. */
static void combine(struct cells *cells, struct rect clip, int x, int y, uint32_t c)
{
    x--;
    if (is_joining(c) || x < clip.x || x >= clip.x + clip.columns)
        return;
    struct cell *cell = cell_at(cells, x, y);
    if (cell->width == 0 && x > clip.x)
        cell--;
    for (int i = 1; i < CELL_CHARACTERS; i++) {
        if (cell->characters[i] == 0) {
            cell->characters[i] = c;
            return;
        }
    }
}

/* The rectangle within the picture. */
static struct rect clipped(const struct cells *cells, struct rect where)
{
    struct rect clip = where;
    if (clip.x < 0)
        clip.columns += clip.x, clip.x = 0;
    if (clip.y < 0)
        clip.rows += clip.y, clip.y = 0;
    if (clip.x + clip.columns > cells->columns)
        clip.columns = cells->columns - clip.x;
    if (clip.y + clip.rows > cells->rows)
        clip.rows = cells->rows - clip.y;
    return clip;
}

/* Behind "\033[…m"; sets the role. NULL: none begins here. */
static const char *take_role(const char *at, int *role, int outer)
{
    if (at[0] != '\033' || at[1] != '[')
        return NULL;
    const size_t length = strspn(at + 2, "0123456789;");
    if (at[2 + length] != 'm')
        return NULL;
    const bool is_role = strncmp(at + 2, "1000;", 5) == 0;
    const long number = is_role ? strtol(at + 7, NULL, 10) : outer;
    *role = number >= 0 && number < ROLES ? (int)number : outer;
    return at + 3 + length;
}

int cells_put(struct cells *cells, struct rect where, int x, int y, int role, const char *string)
{
    const struct rect clip = clipped(cells, where);
    const int line = where.y + y;
    const bool is_visible = line >= clip.y && line < clip.y + clip.rows;
    int at_x = where.x + x;
    int now = role;
    for (const char *at = string; *at;) {
        const char *behind = take_role(at, &now, role);
        if (behind) {
            at = behind;
            continue;
        }
        const uint32_t c = character_next(&at);
        if (c < ' ' || c == 0x7f)
            continue;
        const int width = character_cells(c);
        if (is_visible && width == 0)
            combine(cells, clip, at_x, line, c);
        else if (is_visible)
            put_character(cells, clip, at_x, line, (uint8_t)now, c, width);
        at_x += width;
    }
    return at_x - where.x - x;
}

int cells_put_cut(struct cells *cells, struct rect where, int x, int y, int role, int width,
                  const char *string, bool ascii)
{
    struct text cut = {0};
    text_cut(&cut, string, width, ascii);
    const int used = cells_put(cells, where, x, y, role, text_string(&cut));
    text_done(&cut);
    return used;
}

void cells_put_right(struct cells *cells, struct rect where, int x, int y, int role,
                     const char *string)
{
    cells_put(cells, where, x - text_width(string), y, role, string);
}

void cells_fill(struct cells *cells, struct rect where, int x, int y, int width, int role,
                const char *glyph)
{
    for (int i = 0; i < width; i++)
        cells_put(cells, where, x + i, y, role, glyph);
}

void cells_select(struct cells *cells, struct rect where, int y)
{
    const struct rect clip = clipped(cells, where);
    const int line = where.y + y;
    if (line < clip.y || line >= clip.y + clip.rows)
        return;
    for (int x = clip.x; x < clip.x + clip.columns; x++)
        cell_at(cells, x, line)->is_selected = true;
}

static void trim(struct text *out, size_t from)
{
    while (out->length > from && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
}

void cells_text(const struct cells *cells, struct text *out)
{
    for (int y = 0; y < cells->rows; y++) {
        const size_t from = out->length;
        for (int x = 0; x < cells->columns; x++) {
            const struct cell *cell = &cells->at[y * cells->columns + x];
            for (int i = 0; cell->width && i < CELL_CHARACTERS && cell->characters[i]; i++) {
                char bytes[5];
                text_add(out, bytes, (size_t)character_put(cell->characters[i], bytes));
            }
        }
        trim(out, from);
        text_char(out, '\n');
    }
}

void cells_roles(const struct cells *cells, struct text *out)
{
    for (int y = 0; y < cells->rows; y++) {
        const size_t from = out->length;
        for (int x = 0; x < cells->columns; x++) {
            const struct cell *cell = &cells->at[y * cells->columns + x];
            const bool is_empty = cell->characters[0] == ' ' && cell->role == ROLE_PLAIN;
            if (is_empty)
                text_char(out, cell->is_selected ? ',' : ' ');
            else
                text_char(out, theme_letter(cell->role));
        }
        trim(out, from);
        text_char(out, '\n');
    }
}
