/* How the body of a request goes out, and which settings go together: every combination. */
#include "write_mode.h"
#include <criterion/criterion.h>
#include <string.h>

static bool carries_none(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "CONNECT") == 0;
}

static const char *const methods[] = {"GET", "HEAD", "CONNECT", "POST", "PUT", "PATCH", "DELETE"};
static const int64_t lengths[] = {-1, 0, 7};

/* The n-th combination of all settings; false: that was all. */
static bool nth(unsigned n, np_write_setup *out)
{
    *out = (np_write_setup){.http_1_0 = n & 1,
                            .keep_alive = n >> 1 & 1,
                            .buffering = n >> 2 & 1,
                            .send_chunked = n >> 3 & 1};
    n >>= 4;
    out->content_length = lengths[n % 3];
    n /= 3;
    if (n >= sizeof methods / sizeof *methods)
        return false;
    out->method = methods[n];
    return true;
}

Test(write_mode, wm_every_combination_has_the_mode_of_the_contract)
{
    np_write_setup s;
    for (unsigned n = 0; nth(n, &s); n++) {
        const np_write_mode mode = np_write_mode_of(&s);
        np_write_mode expected = NP_WRITE_BUFFER;
        if (carries_none(s.method))
            expected = NP_WRITE_NONE;
        else if (s.send_chunked && !s.http_1_0)
            expected = NP_WRITE_CHUNKED;
        else if (s.send_chunked)
            expected = s.buffering ? NP_WRITE_BUFFER : NP_WRITE_NONE;
        else if (s.content_length >= 0)
            expected = NP_WRITE_LENGTH;
        else if (!s.buffering && !s.http_1_0)
            expected = NP_WRITE_CHUNKED;
        cr_assert_eq(mode, expected, "combination %u: %d", n, mode);
    }
}

Test(write_mode, bs_2_3_4_a_stream_is_refused_where_the_contract_says)
{
    np_write_setup s;
    for (unsigned n = 0; nth(n, &s); n++) {
        np_error err = {0};
        const bool bs_3 = s.send_chunked && !s.buffering && s.http_1_0;
        const bool bs_4 = !s.send_chunked && s.content_length < 0 && !s.buffering && s.keep_alive;
        const bool refused = carries_none(s.method) || bs_3 || bs_4;
        cr_assert_eq(np_write_check_stream(&s, &err), refused ? NP_E_PROTOCOL_VIOLATION : NP_OK,
                     "combination %u", n);
        cr_assert_eq(err.text[0] != 0, refused);
        cr_assert(refused || np_write_mode_of(&s) != NP_WRITE_NONE, "combination %u", n);
    }
}

Test(write_mode, gr_5_6_7_a_response_is_refused_where_the_contract_says)
{
    np_write_setup s;
    for (unsigned n = 0; nth(n, &s); n++) {
        np_error err = {0};
        const bool must_end = strcmp(s.method, "POST") == 0 || strcmp(s.method, "PUT") == 0;
        const bool body = s.content_length > 0 || s.send_chunked; /* GR-5 and GR-7 */
        const bool gr_6 =
            must_end && !s.send_chunked && s.content_length < 0 && !s.buffering && s.keep_alive;
        cr_assert_eq(np_write_check_response(&s, &err),
                     body || gr_6 ? NP_E_PROTOCOL_VIOLATION : NP_OK, "combination %u", n);
        cr_assert_eq(err.text[0] != 0, body || gr_6);
    }
}
