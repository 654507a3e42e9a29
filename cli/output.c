/* What goes to stdout, and what times, sizes and durations look like. */
#include "output.h"
#include "memory.h"
#include "message.h"
#include <errno.h>
#include <inttypes.h>
#include <netphase/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        data += written;
        length -= (size_t)written;
    }
    return 0;
}

int output_write(const struct call *call, struct text *text)
{
    int failure = write_all(STDOUT_FILENO, text_string(text), text->length);
    text_done(text);
    if (failure == 0)
        return EXIT_DONE;
    if (failure != EPIPE)
        message_error(call, "standard output cannot be written (%s)", strerror(failure));
    return EXIT_UNWRITABLE;
}

/* -------------------------------------------------------------------------------------------- CSV,
 * Markdown */

static void put_escaped(struct text *out, np_escape kind, const char *value)
{
    size_t length = strlen(value);
    size_t size = 6 * length + 3;
    char *safe = xcalloc(size, 1);
    np_escape_text(kind, value, length, safe, size);
    text_puts(out, safe);
    free(safe);
}

static void csv_separate(struct text *out, bool *first)
{
    if (!*first)
        text_char(out, ',');
    *first = false;
}

void csv_text(struct text *out, bool *first, const char *value)
{
    csv_separate(out, first);
    if (value)
        put_escaped(out, NP_ESCAPE_CSV, value);
}

void csv_int(struct text *out, bool *first, int64_t value)
{
    csv_separate(out, first);
    text_print(out, "%" PRId64, value);
}

void csv_end(struct text *out, bool *first)
{
    text_puts(out, "\r\n"); /* RFC 4180 */
    *first = true;
}

void markdown_text(struct text *out, const char *value)
{
    put_escaped(out, NP_ESCAPE_MARKDOWN, value);
}

/* ------------------------------------------------------------------------------------------------------
 * times */

static const int64_t second_ns = INT64_C(1000000000);

static void put_time(struct text *out, int64_t unix_ns, const char *format, int digits)
{
    int64_t seconds = unix_ns / second_ns;
    int64_t rest = unix_ns % second_ns;
    if (rest < 0) {
        rest += second_ns;
        seconds--;
    }
    time_t clock = (time_t)seconds;
    struct tm parts;
    char buffer[64] = "?";
    if (gmtime_r(&clock, &parts))
        (void)strftime(buffer, sizeof buffer, format, &parts);
    text_puts(out, buffer);
    if (digits > 0) {
        char fraction[16];
        (void)snprintf(fraction, sizeof fraction, "%09" PRId64, rest);
        text_char(out, '.');
        text_add(out, fraction, (size_t)(digits < 9 ? digits : 9));
    }
}

void time_rfc3339(struct text *out, int64_t unix_ns, int digits)
{
    put_time(out, unix_ns, "%Y-%m-%dT%H:%M:%S", digits);
    text_char(out, 'Z');
}

void time_people(struct text *out, int64_t unix_ns, bool with_date, int digits)
{
    put_time(out, unix_ns, with_date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", digits);
}

/* Reads exactly `digits` digits. */
static bool take_digits(const char **at, int digits, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++) {
        char c = *(*at)++;
        if (c < '0' || c > '9')
            return false;
        *out = *out * 10 + (c - '0');
    }
    return true;
}

static bool take_char(const char **at, const char *set)
{
    if (!**at || !strchr(set, **at))
        return false;
    (*at)++;
    return true;
}

static int64_t take_fraction(const char **at)
{
    int64_t fraction = 0;
    int64_t unit = second_ns / 10;
    if (**at != '.')
        return 0;
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++) {
        fraction += (**at - '0') * unit;
        unit /= 10;
    }
    return fraction;
}

/* "Z", "+02:00"; seconds east of Greenwich. */
static bool take_zone(const char **at, int *out)
{
    int hours;
    int minutes;
    *out = 0;
    if (take_char(at, "Zz"))
        return true;
    char sign = **at;
    if (!take_char(at, "+-") || !take_digits(at, 2, &hours) || !take_char(at, ":") ||
        !take_digits(at, 2, &minutes))
        return false;
    *out = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return hours < 24 && minutes < 60;
}

static bool parse_rfc3339(const char *at, int64_t *out)
{
    struct tm t = {0};
    int zone = 0;
    bool good =
        take_digits(&at, 4, &t.tm_year) && take_char(&at, "-") && take_digits(&at, 2, &t.tm_mon) &&
        take_char(&at, "-") && take_digits(&at, 2, &t.tm_mday) && take_char(&at, "Tt ") &&
        take_digits(&at, 2, &t.tm_hour) && take_char(&at, ":") && take_digits(&at, 2, &t.tm_min) &&
        take_char(&at, ":") && take_digits(&at, 2, &t.tm_sec);
    if (!good || t.tm_year < 1970 || t.tm_year > 2261 || t.tm_mon < 1 || t.tm_mon > 12 ||
        t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60)
        return false;
    int64_t fraction = take_fraction(&at);
    if (!take_zone(&at, &zone) || *at)
        return false;
    int day = t.tm_mday;
    t.tm_sec -= t.tm_sec == 60; /* a leap second is the second before it */
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    int64_t seconds = (int64_t)timegm(&t) - zone;
    *out = seconds * second_ns + fraction;
    return t.tm_mday == day; /* the 31st of a shorter month comes back as another day */
}

bool time_option(const char *text, void *field, char *message, size_t size)
{
    int64_t *out = field;
    int64_t age_ns;
    if (np_duration_parse(text, &age_ns, NULL) == NP_OK) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        int64_t now_ns = (int64_t)now.tv_sec * second_ns + now.tv_nsec;
        *out = age_ns < now_ns ? now_ns - age_ns : 1;
        return true;
    }
    if (parse_rfc3339(text, out))
        return true;
    (void)snprintf(
        message, size,
        "found '%s', expected a time such as 2026-11-23T12:04:26Z, or an age such as 10m", text);
    return false;
}

/* -------------------------------------------------------------------------------------------
 * sizes, durations */

void size_people(struct text *out, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    text_print(out, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

enum unit unit_for(int64_t typical_ns)
{
    if (typical_ns < 1000)
        return UNIT_NS;
    if (typical_ns < INT64_C(2000000))
        return UNIT_US;
    return typical_ns < INT64_C(100000000000) ? UNIT_MS : UNIT_S;
}

const char *unit_name(enum unit unit, bool ascii)
{
    static const char *const names[] = {"ns", "us", "ms", "s"};
    return unit == UNIT_US && !ascii ? "µs" : names[unit];
}

void duration_in(struct text *out, int64_t duration_ns, enum unit unit)
{
    static const double per_unit[] = {1, 1e3, 1e6, 1e9};
    double value = (double)duration_ns / per_unit[unit];
    double size = value < 0 ? -value : value;
    int digits = size < 0.0095 ? 3 : size < 9.995 ? 2 : size < 999.95 ? 1 : 0;
    text_print(out, "%.*f", duration_ns == 0 || unit == UNIT_NS ? 0 : digits, value);
}
