/*
 * The terminal; see term.h.
 *
 * Signals write a byte into a pipe and are acted upon by whoever polls it. Those that end the
 * program at once (a crash) restore the terminal inside the handler, with what can be called there:
 * saved modes, and a string of sequences made at the start.
 */
#define NCURSES_WIDECHAR 1
#include "term.h"
#include "key.h"
#include "memory.h"
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum {
    ESCAPE_MS = 25, /* longer silence behind Esc: it was the key */
    DOUBLE_MS = 400,
    PAIRS_MOST = 64,
    COPY_MOST = 60000 /* bytes; terminals take no more */
};

struct pair {
    short color, behind;
};

struct term {
    SCREEN *screen;
    FILE *in, *out;
    bool owns_streams; /* /dev/tty was opened */
    int colors;
    int columns, rows;
    struct pair pairs[PAIRS_MOST]; /* pairs[pair_count]; curses counts from 1 */
    int pair_count;
    bool is_full; /* draw the next frame in full */
    bool is_gone;
    int64_t clicked_ms; /* when and where the last click was */
    int clicked_x, clicked_y;
    struct sigaction before[64]; /* before[signal]: what was there */
};

/* What handlers may use: set before they are, read by them alone. */
static struct {
    int pipe[2];
    int tty;
    struct termios modes;
    char restore[256]; /* leaves the screen as it was */
    size_t restore_length;
    volatile sig_atomic_t end_signal;
} handled = {
    .pipe = {-1, -1},
      .tty = -1
};

/* ----------------------------------------------------------------------------------------- signals */

static const int ending[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
static const int crashing[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void on_signal(int number)
{
    const int saved = errno;
    const char byte = (char)number;
    for (size_t i = 0; i < COUNT(ending); i++)
        if (ending[i] == number)
            handled.end_signal = number;
    if (write(handled.pipe[1], &byte, 1) < 0) {
        /* full: whoever polls is awake */
    }
    errno = saved;
}

static void on_crash(int number)
{
    if (write(handled.tty, handled.restore, handled.restore_length) < 0) {
        /* nothing left to do about it */
    }
    (void)tcsetattr(handled.tty, TCSANOW, &handled.modes); /* likewise */
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_one(struct term *term, int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, &term->before[number]); /* the numbers exist */
}

static void catch_signals(struct term *term)
{
    catch_one(term, SIGWINCH, on_signal, SA_RESTART);
    catch_one(term, SIGTSTP, on_signal, SA_RESTART);
    catch_one(term, SIGCONT, on_signal, SA_RESTART);
    for (size_t i = 0; i < COUNT(ending); i++)
        catch_one(term, ending[i], on_signal, SA_RESTART);
    for (size_t i = 0; i < COUNT(crashing); i++)
        catch_one(term, crashing[i], on_crash, (int)SA_RESETHAND | SA_NODEFER);
}

static void give_back_signals(struct term *term)
{
    static const int others[] = {SIGWINCH, SIGTSTP, SIGCONT};
    for (size_t i = 0; i < COUNT(others); i++)
        (void)sigaction(others[i], &term->before[others[i]], NULL);
    for (size_t i = 0; i < COUNT(ending); i++)
        (void)sigaction(ending[i], &term->before[ending[i]], NULL);
    for (size_t i = 0; i < COUNT(crashing); i++)
        (void)sigaction(crashing[i], &term->before[crashing[i]], NULL);
}

/* ------------------------------------------------------------------------------------------- set-up */

static np_status fail(np_error *err, const char *format, const char *what)
{
    *err = (np_error){.status = NP_E_NOT_SUPPORTED};
    (void)snprintf(err->text, sizeof err->text, format, what);
    return err->status;
}

static bool open_streams(struct term *term)
{
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        term->in = stdin;
        term->out = stdout;
        return true;
    }
    term->in = fopen("/dev/tty", "re");
    term->out = fopen("/dev/tty", "we");
    term->owns_streams = true;
    return term->in && term->out && isatty(fileno(term->out));
}

static void close_streams(struct term *term)
{
    if (term->owns_streams && term->in)
        (void)fclose(term->in); /* a terminal: nothing is buffered */
    if (term->owns_streams && term->out)
        (void)fclose(term->out);
}

static void add_restore(const char *sequence)
{
    const size_t length = sequence && sequence != (char *)-1 ? strlen(sequence) : 0;
    if (handled.restore_length + length > sizeof handled.restore)
        return;
    if (length > 0)
        memcpy(handled.restore + handled.restore_length, sequence, length);
    handled.restore_length += length;
}

/* tigetstr takes a name it does not change. */
static const char *capability(const char *name)
{
    char copy[16];
    (void)snprintf(copy, sizeof copy, "%s", name);
    const char *found = tigetstr(copy);
    return found == (char *)-1 ? NULL : found;
}

static void prepare_restore(struct term *term)
{
    handled.tty = fileno(term->out);
    handled.restore_length = 0;
    add_restore("\033[?1000l\033[?1002l\033[?1006l"); /* mouse off */
    add_restore(capability("sgr0"));
    add_restore(capability("cnorm"));
    add_restore(capability("rmcup"));
}

static void set_modes(void)
{
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(ESCAPE_MS);
    typeahead(
        -1); /* a frame goes out whole; looking for keys in between cuts it into small writes */
    (void)curs_set(0); /* a terminal that cannot hide it shows it */
    mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    mouseinterval(0);
}

static int usable_colors(int wanted)
{
    if (wanted == 0 || !has_colors() || start_color() == ERR)
        return 0;
    (void)use_default_colors(); /* without them black is what is behind */
    return wanted >= 256 && COLORS >= 256 && COLOR_PAIRS > PAIRS_MOST ? 256 : COLORS >= 8 ? 8 : 0;
}

np_status term_open(int colors, struct term **out, np_error *err)
{
    const char *name = getenv("TERM");
    *out = NULL;
    struct term *term = xcalloc(1, sizeof *term);
    np_status status = NP_OK;
    if (!open_streams(term)) {
        status = fail(err, "%s", "this is no terminal");
        goto fail;
    }
    (void)tcgetattr(fileno(term->in), &handled.modes); /* it is a terminal */
    if (pipe2(handled.pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        status = fail(err, "no pipe to be had (%s)", strerror(errno));
        goto fail;
    }
    catch_signals(term); /* before curses, which would take what nobody has */
    term->screen = newterm(NULL, term->out, term->in);
    if (!term->screen || !capability("cup")) {
        const bool is_known = term->screen != NULL;
        if (term->screen) {
            endwin();
            delscreen(term->screen);
        }
        give_back_signals(term);
        status = fail(err,
                      is_known ? "a terminal of type '%s' cannot place its cursor"
                               : "terminals of type '%s' are not known here",
                      name ? name : "");
        goto fail;
    }
    prepare_restore(term);
    set_modes();
    term->colors = usable_colors(colors);
    getmaxyx(stdscr, term->rows, term->columns);
    term->clicked_x = -1;
    *out = term;
    return NP_OK;

fail:
    if (handled.pipe[0] >= 0) {
        close(handled.pipe[0]);
        close(handled.pipe[1]);
        handled.pipe[0] = handled.pipe[1] = -1;
    }
    close_streams(term);
    free(term);
    return status;
}

void term_close(struct term *term)
{
    if (!term)
        return;
    mousemask(0, NULL);
    endwin();
    delscreen(term->screen);
    give_back_signals(term);
    close(handled.pipe[0]);
    close(handled.pipe[1]);
    handled.pipe[0] = handled.pipe[1] = -1;
    close_streams(term);
    free(term);
}

int term_colors(const struct term *term)
{
    return term->colors;
}

void term_size(const struct term *term, int *columns, int *rows)
{
    *columns = term->columns;
    *rows = term->rows;
}

int term_descriptor(const struct term *term)
{
    return fileno(term->in);
}

int term_signal_descriptor(const struct term *term)
{
    (void)term; /* there is one terminal */
    return handled.pipe[0];
}

int term_end_signal(const struct term *term)
{
    (void)term; /* there is one terminal */
    return (int)handled.end_signal;
}

bool term_is_gone(const struct term *term)
{
    return term->is_gone;
}

/* -------------------------------------------------------------------------------------------- input */

static int key_of(int code)
{
    static const struct {
        int curses, key;
    } keys[] = {
        {KEY_UP,        KEY_CODE_UP       },
        {KEY_DOWN,      KEY_CODE_DOWN     },
        {KEY_LEFT,      KEY_CODE_LEFT     },
        {KEY_RIGHT,     KEY_CODE_RIGHT    },
        {KEY_HOME,      KEY_CODE_HOME     },
        {KEY_END,       KEY_CODE_END      },
        {KEY_PPAGE,     KEY_CODE_PAGE_UP  },
        {KEY_NPAGE,     KEY_CODE_PAGE_DOWN},
        {KEY_DC,        KEY_CODE_DELETE   },
        {KEY_BTAB,      KEY_CODE_BACK_TAB },
        {KEY_BACKSPACE, KEY_CODE_BACKSPACE},
        {KEY_ENTER,     KEY_CODE_ENTER    },
    };
    for (size_t i = 0; i < COUNT(keys); i++)
        if (keys[i].curses == code)
            return keys[i].key;
    return code >= KEY_F(1) && code <= KEY_F(12) ? KEY_CODE_F1 + code - KEY_F(1) : 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool read_mouse(struct term *term, struct msg *out)
{
    MEVENT event;
    if (getmouse(&event) != OK)
        return false;
    *out = (struct msg){.kind = MSG_MOUSE, .x = event.x, .y = event.y};
    if (event.bstate & BUTTON4_PRESSED) {
        out->button = MOUSE_WHEEL_UP;
    } else if (event.bstate & BUTTON5_PRESSED) {
        out->button = MOUSE_WHEEL_DOWN;
    } else if (event.bstate & BUTTON1_PRESSED) {
        const int64_t at_ms = now_ms();
        const bool is_same = event.x == term->clicked_x && event.y == term->clicked_y;
        const bool is_double = is_same && at_ms - term->clicked_ms <= DOUBLE_MS;
        out->button = is_double ? MOUSE_DOUBLE : MOUSE_CLICK;
        term->clicked_ms = is_double ? 0 : at_ms;
        term->clicked_x = event.x;
        term->clicked_y = event.y;
    } else {
        return false;
    }
    return true;
}

/* The size may have changed while nobody looked. */
static bool take_size(struct term *term, struct msg *out)
{
    struct winsize size;
    if (ioctl(fileno(term->out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0 ||
        (size.ws_col == term->columns && size.ws_row == term->rows))
        return false;
    term->columns = size.ws_col;
    term->rows = size.ws_row;
    resizeterm(term->rows, term->columns);
    term->is_full = true;
    *out = (struct msg){.kind = MSG_RESIZE, .x = term->columns, .y = term->rows};
    return true;
}

static bool read_signal(struct term *term, struct msg *out)
{
    char byte;
    while (read(handled.pipe[0], &byte, 1) == 1) {
        if (byte == SIGTSTP) {
            term_suspend(term);
            return take_size(term, out);
        }
        if (byte == SIGCONT)
            term->is_full = true;
        if ((byte == SIGWINCH || byte == SIGCONT) && take_size(term, out))
            return true;
    }
    return false;
}

static bool read_key(struct term *term, struct msg *out)
{
    for (;;) {
        wint_t code;
        errno = 0;
        const int result = get_wch(&code);
        if (result == ERR) {
            term->is_gone = errno == EIO;
            return false;
        }
        if (result == KEY_CODE_YES && code == KEY_MOUSE) {
            if (read_mouse(term, out))
                return true;
            continue;
        }
        const int key = result == KEY_CODE_YES ? key_of((int)code)
                        : code == '\n'         ? KEY_CODE_ENTER
                        : code == '\b'         ? KEY_CODE_BACKSPACE
                                               : (int)code;
        if (key == 0)
            continue;
        *out = (struct msg){.kind = MSG_KEY, .key = key};
        return true;
    }
}

bool term_read(struct term *term, struct msg *out)
{
    return read_signal(term, out) || read_key(term, out);
}

/* ------------------------------------------------------------------------------------------- output */

static short pair_for(struct term *term, short color, short behind)
{
    if (color < 0 && behind < 0)
        return 0;
    for (int i = 0; i < term->pair_count; i++)
        if (term->pairs[i].color == color && term->pairs[i].behind == behind)
            return (short)(i + 1);
    if (term->pair_count == PAIRS_MOST)
        return 0;
    term->pairs[term->pair_count++] = (struct pair){color, behind};
    (void)init_pair((short)term->pair_count, color, behind); /* else it is drawn plainly */
    return (short)term->pair_count;
}

static attr_t attributes_of(unsigned flags)
{
    return (flags & STYLE_BOLD ? A_BOLD : 0) | (flags & STYLE_REVERSE ? A_REVERSE : 0) |
           (flags & STYLE_UNDERLINE ? A_UNDERLINE : 0) | (flags & STYLE_DIM ? A_DIM : 0);
}

/* A character whose width the C library counts differently would shift what is behind it. */
static bool is_agreed(const struct cell *cell)
{
    return wcwidth((wchar_t)cell->characters[0]) == cell->width;
}

static void draw_cell(struct term *term, const struct cell *cell, int x, int y)
{
    const struct style style = theme_style(term->colors, cell->role, cell->is_selected);
    wchar_t text[CELL_CHARACTERS + 1] = {0};
    cchar_t drawn;
    if (is_agreed(cell)) {
        for (int i = 0; i < CELL_CHARACTERS && cell->characters[i]; i++)
            if (i == 0 || wcwidth((wchar_t)cell->characters[i]) == 0)
                text[wcslen(text)] = (wchar_t)cell->characters[i];
    } else {
        text[0] = L'?';
    }
    if (setcchar(&drawn, text, attributes_of(style.flags),
                 pair_for(term, style.color, style.behind), NULL) == OK)
        (void)mvadd_wch(y, x, &drawn); /* fails in the last cell of the screen, after drawing it */
    if (text[0] == L'?' && cell->width == 2)
        (void)mvaddch(y, x + 1, '?');
}

void term_draw(struct term *term, const struct cells *cells)
{
    if (term->is_full)
        clearok(curscr, TRUE);
    term->is_full = false;
    erase();
    for (int y = 0; y < cells->rows && y < term->rows; y++) {
        for (int x = 0; x < cells->columns && x < term->columns; x++) {
            const struct cell *cell = &cells->at[y * cells->columns + x];
            const bool is_blank = cell->characters[0] == ' ' && cell->role == ROLE_PLAIN;
            if (cell->width > 0 && (!is_blank || cell->is_selected))
                draw_cell(term, cell, x, y);
        }
    }
    (void)curs_set(cells->cursor_x >= 0); /* a terminal that cannot hide it shows it */
    if (cells->cursor_x >= 0)
        move(cells->cursor_y, cells->cursor_x);
    refresh();
}

void term_redraw(struct term *term)
{
    term->is_full = true;
}

void term_suspend(struct term *term)
{
    struct sigaction ours;
    mousemask(0, NULL);
    endwin();
    (void)sigaction(SIGTSTP, &term->before[SIGTSTP], &ours); /* the number exists */
    kill(0, SIGTSTP);                                        /* as the terminal's driver does */
    (void)sigaction(SIGTSTP, &ours, NULL);
    refresh();
    set_modes();
    term->is_full = true;
}

static void put_base64(struct text *out, const unsigned char *data, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        const unsigned a = data[i];
        const unsigned b = i + 1 < length ? data[i + 1] : 0;
        const unsigned c = i + 2 < length ? data[i + 2] : 0;
        text_char(out, digits[a >> 2]);
        text_char(out, digits[(a & 3) << 4 | b >> 4]);
        text_char(out, i + 1 < length ? digits[(b & 15) << 2 | c >> 6] : '=');
        text_char(out, i + 2 < length ? digits[c & 63] : '=');
    }
}

void term_copy(struct term *term, const char *text)
{
    struct text sequence = {0};
    const size_t length = strlen(text);
    if (length > COPY_MOST)
        return;
    text_puts(&sequence, "\033]52;c;");
    put_base64(&sequence, (const unsigned char *)text, length);
    text_puts(&sequence, "\a");
    (void)fwrite(text_string(&sequence), 1, sequence.length, term->out); /* a courtesy */
    (void)fflush(term->out);
    text_done(&sequence);
}
