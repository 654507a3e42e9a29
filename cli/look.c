/* How a stream is drawn on: width, characters, colours. */
#include "look.h"
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Sequences by role, for 256 colours (Okabe-Ito, the nearest of the palette) and for 8. NULL: drawn
 * plainly. */
static const struct {
    const char *rich, *plain;
} sequences[ROLE_PHASE + NP_PHASE_COUNT] = {
    [ROLE_HEADING] = {"\033[1m",          "\033[1m"   },
    [ROLE_QUIET] = {"\033[38;5;245m",   "\033[2m"   },
    [ROLE_BAD] = {"\033[1;38;5;166m", "\033[1;31m"},
    [ROLE_SUM] = {"\033[1m",          "\033[1m"   },
    [ROLE_PHASE + NP_PHASE_QUEUE] = {"\033[38;5;246m",   NULL        },
    [ROLE_PHASE + NP_PHASE_PROXY] = {"\033[38;5;175m",   "\033[35m"  },
    [ROLE_PHASE + NP_PHASE_DNS] = {"\033[38;5;178m",   "\033[33m"  },
    [ROLE_PHASE + NP_PHASE_CONNECT] = {"\033[38;5;221m",   "\033[1;33m"},
    [ROLE_PHASE + NP_PHASE_TUNNEL] = {"\033[38;5;175m",   "\033[1;35m"},
    [ROLE_PHASE + NP_PHASE_TLS] = {"\033[38;5;74m",    "\033[36m"  },
    [ROLE_PHASE + NP_PHASE_SEND] = {"\033[38;5;36m",    "\033[1;36m"},
    [ROLE_PHASE + NP_PHASE_WAIT] = {"\033[38;5;166m",   "\033[31m"  },
    [ROLE_PHASE + NP_PHASE_RECEIVE] = {"\033[38;5;25m",    "\033[34m"  },
};

static int colors_of(enum color_when when, bool is_terminal)
{
    const char *term = getenv("TERM");
    const char *color_term = getenv("COLORTERM");
    const char *no_color = getenv("NO_COLOR");
    if (when == COLOR_NEVER)
        return 0;
    if (when == COLOR_AUTO) {
        if (!is_terminal || (no_color && *no_color) || !term || strcmp(term, "dumb") == 0)
            return 0;
    }
    bool many = (term && strstr(term, "256color")) || (color_term && *color_term);
    return many || when == COLOR_ALWAYS ? 256 : 8;
}

static int columns_of(int fd, bool is_terminal)
{
    struct winsize size;
    if (is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    const char *columns = getenv("COLUMNS");
    char *end = NULL;
    long number = columns ? strtol(columns, &end, 10) : 0;
    return columns && *end == '\0' && number >= 40 && number <= 1000 ? (int)number : 80;
}

struct look look_at(int fd, enum color_when when, bool ascii)
{
    struct look look = {.is_terminal = isatty(fd) == 1};
    look.ascii = ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    look.colors = colors_of(when, look.is_terminal);
    look.columns = columns_of(fd, look.is_terminal);
    return look;
}

static const char *sequence(const struct look *look, int role)
{
    if (look->colors == 0)
        return NULL;
    return look->colors >= 256 ? sequences[role].rich : sequences[role].plain;
}

void look_begin(const struct look *look, struct text *text, int role)
{
    const char *on = look->roles ? NULL : sequence(look, role);
    if (look->roles)
        text_print(text, LOOK_ROLE, role);
    if (on)
        text_puts(text, on);
}

void look_end(const struct look *look, struct text *text, int role)
{
    if (look->roles || sequence(look, role))
        text_puts(text, "\033[0m");
}

void look_puts(const struct look *look, struct text *text, int role, const char *string)
{
    look_begin(look, text, role);
    text_puts(text, string);
    look_end(look, text, role);
}

/* The left n eighths of a cell. */
static const char *const left_eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static int bar_ascii(const struct look *look, struct text *text, int role, char letter, int first,
                     int behind)
{
    text_repeat(text, " ", first);
    look_begin(look, text, role);
    for (int i = first; i < behind; i++)
        text_char(text, letter);
    look_end(look, text, role);
    return behind;
}

/*
 * There are glyphs for the left eighths of a cell and (in reverse video) thereby for the right
 * ones; in plain text a bar that starts inside a cell has only the right half block. So a start is
 * rounded to the half cell, an end to the eighth.
 */
int look_bar(const struct look *look, struct text *text, int role, char letter, int from_eighths,
             int to_eighths, int cells)
{
    int from = clamp(from_eighths, 0, cells * 8 - 1);
    int to = clamp(to_eighths, from + 1, cells * 8);
    int first = from / 8;
    if (look->ascii)
        return bar_ascii(look, text, role, letter, first, (to + 7) / 8);

    text_repeat(text, " ", first);
    look_begin(look, text, role);
    int cell = first;
    bool starts_late = from % 8 >= 3;
    if (to <= (first + 1) * 8) { /* within one cell */
        bool right = from % 8 >= 4;
        text_puts(text,
                  right ? (to - from > 2 ? "▐" : "▕") : left_eighths[clamp(to - first * 8, 1, 8)]);
        cell++;
    } else {
        text_puts(text, starts_late ? (from % 8 >= 7 ? "▕" : "▐") : "█");
        for (cell = first + 1; (cell + 1) * 8 <= to; cell++)
            text_puts(text, "█");
        if (to > cell * 8)
            text_puts(text, left_eighths[to - cell++ * 8]);
    }
    look_end(look, text, role);
    return cell;
}
