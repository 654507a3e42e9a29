/**
 * Durations to and from text, and escaping of text that came from the network.
 */
#ifndef NETPHASE_TEXT_H
#define NETPHASE_TEXT_H

#include <netphase/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads a duration with its unit: "250us", "80ms", "2s", "1m", "1.5h", "0".
 *
 * @param text    NUL-terminated; a number (decimals allowed) directly followed by ns, us, ms, s, m
 * or h; "0" needs no unit
 * @param out_ns  [out] nanoseconds, 0 … INT64_MAX
 * @param err     names what was found and what was expected
 * @return NP_E_ARGUMENT for anything else, NP_E_ARGUMENT_RANGE when it does not fit
 *
 * Any thread.
 */
NP_API np_status np_duration_parse(const char *text, int64_t *out_ns, np_error *err);

/**
 * Writes a duration for people with a unit of its own: "0.006 ms", "0.02 ms", "41.8 ms", "5 401
 * ms", "12.3 s", "2 min 03 s", "3 h 12 min". Nothing below a microsecond is shown, "0 ms" stands
 * for it; ASCII only.
 *
 * @param duration_ns  any value; negative ones get a minus sign
 * @param out          [out] out[size], always NUL-terminated
 * @param size         32 is enough for every value
 * @return out
 *
 * Any thread.
 */
NP_API const char *np_duration_text(int64_t duration_ns, char *out, size_t size);

/** Where an escaped text will be put. */
typedef enum np_escape {
    NP_ESCAPE_TERMINAL, /* control characters, bidi overrides and invalid UTF-8 become \xNN or \u{N}
                         */
    NP_ESCAPE_JSON,     /* the inside of a JSON string */
    NP_ESCAPE_CSV, /* RFC 4180, quoted where needed; a leading = + - @ gets a quote against formulas
                    */
    NP_ESCAPE_MARKDOWN /* as TERMINAL, and | ` * _ < > [ ] & \ are escaped */
} np_escape;

/**
 * Escapes text from outside for the place where it goes.
 *
 * @param kind    the place
 * @param text    text[length], any bytes
 * @param length  bytes
 * @param out     [out] out[size]; always NUL-terminated when size > 0; cut at a character when too
 * small
 * @param size    bytes; 6 * length + 3 is always enough
 * @return the bytes the whole result needs, without the NUL (like snprintf)
 *
 * Any thread.
 */
NP_API size_t np_escape_text(np_escape kind, const char *text, size_t length, char *out,
                             size_t size);

#ifdef __cplusplus
}
#endif
#endif
