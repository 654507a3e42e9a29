/*
 * Durations to and from text. Floor 0; pure, any thread.
 *
 * For people the unit is milliseconds as long as a person would say so, with as many digits as mean
 * something: our stamps are right to a microsecond or so, so nothing smaller is shown, and from a
 * second on the whole millisecond is enough.
 *
 *   0.006 ms   0.02 ms   0.1 ms   41.8 ms   533.7 ms   5 401 ms   12.3 s   2 min 03 s   3 h 12 min
 */
#include "fail.h"

#include <netphase/text.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1              },
    {"us", NS_PER_US      },
    {"ms", NS_PER_MS      },
    {"s",  NS_PER_S       },
    {"m",  60 * NS_PER_S  },
    {"h",  3600 * NS_PER_S},
};
#define UNIT_COUNT (sizeof units / sizeof units[0])

#define EXPECTED "expected a number with ns, us, ms, s, m or h, such as 80ms"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits behind the point as a share of a unit, rounded to whole nanoseconds. Digits past the 18th
 * cannot matter: an hour has 3.6e12 ns. */
static int64_t fraction_ns(const char *digits, size_t count, int64_t unit_ns)
{
    unsigned __int128 share = 0;
    unsigned __int128 scale = 1;
    for (size_t i = 0; i < count && i < 18; i++) {
        share = share * 10 + (unsigned)(digits[i] - '0');
        scale *= 10;
    }
    return (int64_t)((share * (unsigned __int128)unit_ns + scale / 2) / scale);
}

np_status np_duration_parse(const char *text, int64_t *out_ns, np_error *err)
{
    *out_ns = 0;
    const char *at = text;
    int64_t whole = 0;
    bool too_large = false;
    for (; is_digit(*at); at++) {
        too_large |= __builtin_mul_overflow(whole, 10, &whole);
        too_large |= __builtin_add_overflow(whole, *at - '0', &whole);
    }
    if (at == text)
        return np_fail(err, NP_E_ARGUMENT, "'%.40s' is not a duration: " EXPECTED, text);

    const char *fraction = at;
    size_t fraction_digits = 0;
    if (*at == '.') {
        fraction = ++at;
        fraction_digits = strspn(fraction, "0123456789");
        at += fraction_digits;
        if (fraction_digits == 0)
            return np_fail(err, NP_E_ARGUMENT, "'%.40s' has no digit behind the point: " EXPECTED,
                           text);
    }
    if (*at == '\0') {
        const bool zero = !too_large && whole == 0 && strspn(fraction, "0") == fraction_digits;
        return zero ? NP_OK : np_fail(err, NP_E_ARGUMENT, "'%.40s' has no unit: " EXPECTED, text);
    }

    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(at, units[i].name) != 0)
            continue;
        int64_t ns;
        too_large |= __builtin_mul_overflow(whole, units[i].ns, &ns);
        too_large |=
            __builtin_add_overflow(ns, fraction_ns(fraction, fraction_digits, units[i].ns), &ns);
        if (too_large)
            return np_fail(err, NP_E_ARGUMENT_RANGE,
                           "'%.40s' is too long: expected at most 292 years, 2562047h", text);
        *out_ns = ns;
        return NP_OK;
    }
    return np_fail(err, NP_E_ARGUMENT, "'%.40s' has the unknown unit '%.12s': " EXPECTED, text, at);
}

/* A whole number with spaces between groups of three digits: "5 401". */
static const char *grouped(uint64_t value, char out[32])
{
    char *at = out + 31;
    *at = '\0';
    for (int digits = 0; digits == 0 || value > 0; digits++) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ' ';
        *--at = (char)('0' + value % 10);
        value /= 10;
    }
    return at;
}

/* `value` in steps of `step`, to the nearest. */
static uint64_t rounded(uint64_t value, uint64_t step)
{
    return value / step + (value % step >= step / 2 ? 1 : 0);
}

const char *np_duration_text(int64_t duration_ns, char *out, size_t size)
{
    const uint64_t ns = duration_ns < 0 ? 0 - (uint64_t)duration_ns : (uint64_t)duration_ns;
    const uint64_t us = rounded(ns, 1000);
    const uint64_t tenths_of_ms = rounded(ns, 100000);
    const uint64_t ms = rounded(ns, 1000000);
    const uint64_t tenths_of_s = rounded(ns, 100000000);
    const uint64_t s = rounded(ns, 1000000000);
    const uint64_t min = rounded(ns, UINT64_C(60000000000));
    const char *const sign = duration_ns < 0 && us > 0 ? "-" : "";
    char room[32];

    /* Each bound is asked of the rounded value, so that 999.96 ms is "1 000 ms" and not "1000.0
     * ms". */
    if (us == 0)
        snprintf(out, size, "0 ms");
    else if (us < 10)
        snprintf(out, size, "%s0.00%u ms", sign, (unsigned)us);
    else if (rounded(ns, 10000) < 10)
        snprintf(out, size, "%s0.0%u ms", sign, (unsigned)rounded(ns, 10000));
    else if (tenths_of_ms < 10000)
        snprintf(out, size, "%s%u.%u ms", sign, (unsigned)(tenths_of_ms / 10),
                 (unsigned)(tenths_of_ms % 10));
    else if (ms < 10000)
        snprintf(out, size, "%s%s ms", sign, grouped(ms, room));
    else if (tenths_of_s < 1200)
        snprintf(out, size, "%s%u.%u s", sign, (unsigned)(tenths_of_s / 10),
                 (unsigned)(tenths_of_s % 10));
    else if (s < 3600)
        snprintf(out, size, "%s%u min %02u s", sign, (unsigned)(s / 60), (unsigned)(s % 60));
    else
        snprintf(out, size, "%s%s h %02u min", sign, grouped(min / 60, room), (unsigned)(min % 60));
    return out;
}
