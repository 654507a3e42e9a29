/*
 * What someone waits for in the terminal UI on ten million requests: the real program on a
 * pseudo-terminal.
 *
 *     bench_tui [ROWS [FILE]]     10,000,000 rows at first; FILE is kept and used again when it has
 * as many rows
 *
 * From a key to the first byte that comes back (the answer, or that it is being looked for), and to
 * the last one. These are wall-clock times: they mean something on a quiet machine only.
 */
#include "bench.h"
#include "folder.h"
#include "trace_fill.h"

#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 10, FRAME_MS = 16, PASS_MS = 500, MEMORY_MB = 60, QUIET_MS = 600, ROUNDS = 5 };

struct terminal {
    pid_t pid;
    int fd;
    uint64_t started_ns;
};

static void stop(const char *what)
{
    fprintf(stderr, "bench_tui: %s\n", what);
    exit(1);
}

/* netphase-tui beside this program. */
static void find_program(char path[PATH_MAX])
{
    const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 32);
    if (length <= 0)
        stop("where it lies is not known");
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    (void)snprintf(slash, (size_t)(path + PATH_MAX - slash), "/netphase-tui"); /* there is room */
}

static struct terminal start(const char *file)
{
    struct winsize size = {.ws_col = 120, .ws_row = 40};
    struct terminal terminal = {0};
    char program[PATH_MAX];
    find_program(program);
    terminal.started_ns = bench_now_ns();
    terminal.pid = forkpty(&terminal.fd, NULL, NULL, &size);
    if (terminal.pid < 0)
        stop("no pseudo-terminal to be had");
    if (terminal.pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        execl(program, program, "tui", "--no-follow", file, (char *)NULL);
        _exit(127);
    }
    return terminal;
}

/* Reads what comes until it is quiet; when the first and the last byte came, since `from`. */
static void listen_from(const struct terminal *terminal, uint64_t from, double *first_ms,
                        double *last_ms)
{
    char buffer[65536];
    struct pollfd wait = {.fd = terminal->fd, .events = POLLIN};
    *first_ms = -1;
    *last_ms = -1;
    while (poll(&wait, 1, *first_ms < 0 ? 10000 : QUIET_MS) == 1) {
        if (read(terminal->fd, buffer, sizeof buffer) <= 0)
            stop("the program ended");
        *last_ms = (double)(bench_now_ns() - from) / 1e6;
        *first_ms = *first_ms < 0 ? *last_ms : *first_ms;
    }
    if (*first_ms < 0)
        stop("nothing came");
}

/* What comes is not looked at, nor whether anything does. */
static void drain(const struct terminal *terminal)
{
    char buffer[65536];
    struct pollfd wait = {.fd = terminal->fd, .events = POLLIN};
    while (poll(&wait, 1, QUIET_MS) == 1)
        if (read(terminal->fd, buffer, sizeof buffer) <= 0)
            stop("the program ended");
}

static void type(const struct terminal *terminal, const char *keys)
{
    if (write(terminal->fd, keys, strlen(keys)) != (ssize_t)strlen(keys))
        stop("keys cannot be sent");
}

/* `before` is typed and not measured, `key` is. */
static int ask(const struct terminal *terminal, const char *name, const char *before,
               const char *key)
{
    bench_series first = {0};
    bench_series last = {0};
    char line[128];
    for (int i = 0; i < ROUNDS; i++) {
        double first_ms, last_ms;
        if (*before) {
            type(terminal, before);
            drain(terminal);
        }
        const uint64_t from = bench_now_ns();
        type(terminal, key);
        listen_from(terminal, from, &first_ms, &last_ms);
        bench_add(&first, first_ms);
        bench_add(&last, last_ms);
    }
    (void)snprintf(line, sizeof line, "tui: %s, first answer", name);
    int ok = bench_line(line, BENCH_AT_MOST, FRAME_MS, &first, "ms");
    (void)snprintf(line, sizeof line, "tui: %s, all of it", name);
    return bench_line(line, BENCH_AT_MOST, PASS_MS, &last, "ms") & ok;
}

static double anonymous_mb(pid_t pid)
{
    char path[64];
    char line[256];
    double kb = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "RssAnon: %lf", &kb) == 1)
            break;
    if (status)
        fclose(status);
    return kb / 1024;
}

static int end(const struct terminal *terminal)
{
    int state = 1;
    type(terminal, "Q");
    char buffer[4096];
    while (read(terminal->fd, buffer, sizeof buffer) > 0) {
        /* it gives the screen back */
    }
    close(terminal->fd);
    return waitpid(terminal->pid, &state, 0) == terminal->pid && state == 0;
}

/* Until the first row stands: it has the cursor. */
static double first_row_ms(const struct terminal *terminal)
{
    static char seen[1 << 20];
    size_t length = 0;
    while (length + 1 < sizeof seen) {
        const ssize_t got = read(terminal->fd, seen + length, sizeof seen - 1 - length);
        if (got <= 0)
            stop("the program ended");
        length += (size_t)got;
        if (memmem(seen, length, "\u258c", strlen("\u258c")))
            return (double)(bench_now_ns() - terminal->started_ns) / 1e6;
    }
    stop("there is no first row");
    return 0;
}

static int measure_start(const char *file)
{
    bench_series first = {0};
    for (int i = 0; i < ROUNDS; i++) {
        const struct terminal terminal = start(file);
        bench_add(&first, first_row_ms(&terminal));
        drain(&terminal);
        if (!end(&terminal))
            stop("it did not end well");
    }
    return bench_line("tui: first screen after exec", BENCH_AT_MOST, START_MS, &first, "ms");
}

/* In a process of its own: what the writer took is not to be counted. */
static void make_apart(const char *file, uint64_t rows)
{
    int state = 1;
    const pid_t pid = fork();
    if (pid == 0) {
        trace_fill(file, rows, 1);
        exit(0);
    }
    if (pid < 0 || waitpid(pid, &state, 0) != pid || state != 0)
        stop("no trace was made");
}

int main(int argc, char **argv)
{
    const uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    char folder[256], path[300];
    bench_series memory = {0};
    double first_ms, last_ms;
    folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
    const char *file = argc > 2 ? argv[2] : path;
    make_apart(file, rows);
    int ok = measure_start(file);
    const struct terminal terminal = start(file);
    listen_from(&terminal, terminal.started_ns, &first_ms, &last_ms);
    ok &= ask(&terminal, "next page", "", "\006");
    ok &= ask(&terminal, "End", "g", "G");
    ok &= ask(&terminal, "page up at the end", "", "b");
    ok &= ask(&terminal, "Home", "G", "g");
    ok &= ask(&terminal, "to 50 %", "g:50%", "\r");
    ok &= ask(&terminal, "sorted by dns", "s\025started\rs\025dns", "\r");
    ok &= ask(&terminal, "sorted by dns, End", "g", "G");
    ok &= ask(&terminal, "sorted by dns, to 50 %", "g:50%", "\r");
    ok &= ask(&terminal, "filtered by status", "f\025\rf\025status >= 500", "\r");
    bench_add(&memory, anonymous_mb(terminal.pid));
    ok &= bench_line("tui: anonymous memory", BENCH_AT_MOST, MEMORY_MB, &memory, "MB");
    if (!end(&terminal))
        stop("it did not end well");
    folder_remove(folder);
    return ok ? 0 : 1;
}
