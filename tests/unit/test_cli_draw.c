/* The waterfall and the report as people see them. */
#include "call_view.h"
#include "header_view.h"
#include "json.h"
#include "report_view.h"
#include "sample_request.h"
#include "waterfall.h"
#include "wire_view.h"
#include "words.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* -----------------------------------------------------------------------------------------------
 * geometry */

Test(cli_waterfall, ticks_are_round_and_far_enough_apart)
{
    cr_expect_eq(waterfall_tick_ns(533700000, 52, 8), 100000000);
    cr_expect_eq(waterfall_tick_ns(533700000, 30, 8), 200000000);
    cr_expect_eq(waterfall_tick_ns(1, 40, 8), 1);
    for (int64_t total_ns = 1; total_ns < INT64_MAX / 7; total_ns *= 7) {
        int64_t tick_ns = waterfall_tick_ns(total_ns, 40, 8);
        cr_expect_geq((double)tick_ns / (double)total_ns * 40, 8.0);
        int64_t lead = tick_ns;
        while (lead % 10 == 0)
            lead /= 10;
        cr_expect(lead == 1 || lead == 2 || lead == 5, "%lld", (long long)tick_ns);
    }
    cr_expect_gt(waterfall_tick_ns(INT64_MAX, 40, 8), 0);
}

Test(cli_waterfall, instants_map_to_eighths_and_stay_inside)
{
    cr_expect_eq(waterfall_eighths(0, 1000, 10), 0);
    cr_expect_eq(waterfall_eighths(500, 1000, 10), 40);
    cr_expect_eq(waterfall_eighths(1000, 1000, 10), 80);
    cr_expect_eq(waterfall_eighths(-5, 1000, 10), 0);
    cr_expect_eq(waterfall_eighths(INT64_MAX, 1000, 10), 80);
    cr_expect_eq(waterfall_eighths(5, 0, 10), 0);
}

static void assert_bar(const struct look *look, int from, int to, int cells, const char *expected)
{
    struct text text = {0};
    int used = look_bar(look, &text, ROLE_PHASE + NP_PHASE_TLS, 't', from, to, cells);
    cr_expect_str_eq(text_string(&text), expected, "%d-%d: '%s'", from, to, text_string(&text));
    cr_expect_eq(used, text_width(text_string(&text)));
    text_done(&text);
}

Test(cli_waterfall, bars_have_parts_of_cells_at_both_ends)
{
    struct look look = {.columns = 80};
    assert_bar(&look, 0, 8, 4, "█");
    assert_bar(&look, 0, 11, 4, "█▍");
    assert_bar(&look, 0, 0, 4, "▏");
    assert_bar(&look, 12, 24, 4, " ▐█");
    assert_bar(&look, 12, 16, 4, " ▐");
    assert_bar(&look, 32, 40, 4, "   ▕");
    assert_bar(&look, 0, 1000, 4, "████");
    look.ascii = true;
    assert_bar(&look, 0, 1, 4, "t");
    assert_bar(&look, 12, 24, 4, " tt");
    assert_bar(&look, 12, 25, 4, " ttt");
}

Test(cli_waterfall, colours_are_only_there_where_asked)
{
    struct look look = {.columns = 80, .colors = 256};
    assert_bar(&look, 0, 8, 4, "\033[38;5;74m█\033[0m");
    look.colors = 8;
    assert_bar(&look, 0, 8, 4, "\033[36m█\033[0m");
}

/* ------------------------------------------------------------------------------------------------
 * pictures */

static void assert_picture(const np_request_detail *request, const struct look *look,
                           const char *expected)
{
    struct text out = {0};
    waterfall_write(request, look, &out);
    cr_assert_str_eq(text_string(&out), expected, "found:\n%s\nexpected:\n%s", text_string(&out),
                     expected);
    text_done(&out);
}

Test(cli_waterfall, a_reused_connection_has_no_set_up)
{
    struct look look = {.columns = 80};
    assert_picture(
        sample_reused(), &look,
        /* picture REUSED */
        "#119  GET https://api.example/v1/items  →  200  h2  1.3 kB\n"
        "2026-11-23 12:04:29.118 UTC    total 1000 µs, setup 45.0 µs\n"
        "\n"
        "         0         200        400       600        800        1000 µs\n"
        "queue    ██▍                                                     45.0\n"
        "send       █                                                     12.0\n"
        "wait        ██████████████████████████████████████████▋         803.0\n"
        "receive                                               ▐███████  140.0   1.3 kB\n"
        "\n"
        "reused connection 7, request 2 on it        caller held 6.00 µs\n");
}

Test(cli_call, hops_are_listed_with_their_reasons)
{
    np_row rows[3];
    for (size_t i = 0; i < 3; i++)
        rows[i] = sample_reused()->row;
    rows[0].id = 12;
    rows[0].status = 302;
    rows[0].hop_reason = "first";
    rows[1].hop_of = rows[2].hop_of = 12;
    rows[1].hop = 1;
    rows[1].start_ns = rows[0].start_ns + rows[0].total_ns;
    rows[1].hop_reason = "redirect";
    rows[1].status = 0;
    rows[1].failed = true;
    rows[1].outcome = "failed";
    rows[2].hop = 2;
    rows[2].start_ns = rows[1].start_ns + rows[1].total_ns;
    rows[2].hop_reason = "retry\033";
    const np_page call = {.rows = rows, .count = 3, .at_end = true};
    const np_page alone = {.rows = rows, .count = 1, .at_end = true};
    const struct look look = {.columns = 80, .ascii = true};
    struct text out = {0};

    call_write(&call, &look, &out);

    cr_assert_str_eq(text_string(&out),
                     /* picture CALL */
                     "call #12: 3 hops, 3.00 ms from the first to the last\n"
                     "   #12  began       302     1.00  GET https://api.example/v1/items\n"
                     "  #119  redirected  failed  1.00  GET https://api.example/v1/items\n"
                     "  #119  retry\\x1b   200     1.00  GET https://api.example/v1/items\n"
                     "\n",
                     "found:\n%s", text_string(&out));
    text_clear(&out);
    call_write(&alone, &look, &out);
    cr_assert_str_eq(text_string(&out), "");
    text_done(&out);
}

Test(cli_call, only_some_ends_can_lead_on)
{
    static const struct {
        int status;
        int64_t hop_of;
        bool failed, leads_on;
    } cases[] = {
        {200, 0, false, false},
        {302, 0, false, true },
        {401, 0, false, true },
        {404, 0, false, false},
        {417, 0, false, true },
        {0,   0, true,  true },
        {200, 5, false, true },
        {500, 0, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const np_row row = {
            .status = cases[i].status, .hop_of = cases[i].hop_of, .failed = cases[i].failed};
        cr_expect_eq(call_may_go_on(&row), cases[i].leads_on, "case %zu", i);
    }
}

Test(cli_waterfall, spans_stand_below_their_phase_and_their_parent)
{
    struct look look = {.columns = 120, .ascii = true};
    assert_picture(
        sample_request(), &look,
        /* picture REQUEST */
        "#118  GET https://api.example/v1/items  ->  200  h2  1.3 kB\n"
        "2026-11-23 12:04:29.118 UTC    total 533.7 ms, setup 411.9 ms\n"
        "\n"
        "             0        100       200      300       400      500       ms\n"
        "queue        q                                                      0.10\n"
        "proxy        pppppppppppppppppppp                                 201.7    "
        "http://px1.corp:3128\n"
        "  pac_fetch  |                                                      0      "
        "http://wpad.corp/wpad.dat skipped: cached\n"
        "  pac_eval   |------------------|                                 199.8    lookups 3, "
        "script 1.2 ms\n"
        "    lookup   |----------------|                                   187.2    api.example A "
        "10.0.0.1:53 timeout attempt 2\n"
        "dns                             d                                   1.10   1 query\n"
        "  query                         |                                   1.00   A px1.corp ttl "
        "60 s -> 10.0.0.7\n"
        "connect                         ccc                                20.3    10.0.0.7:3128; "
        "2 attempts\n"
        "  attempt                       |-|                                20.1    10.0.0.7:3128\n"
        "  attempt                        ||                                13.0    "
        "[2001:db8::7]:3128 abandoned\n"
        "tunnel                            xxx                              20.9    "
        "http://px1.corp:3128\n"
        "tls                                 ttttttttttttttttt             167.8    1.3, not "
        "resumed, h2\n"
        "  verify                            |...........................    -      unfinished\n"
        "  ca_load                           |-----|                        61.0\n"
        "send                                                s               0.10\n"
        "wait                                                wwwwwwwwwwww  112.4\n"
        "receive                                                        r    9.30   1.3 kB\n"
        "gap                                                                 0.02   not attributed "
        "to any phase\n"
        "\n"
        "new connection 7 because: first to this origin, through http://px1.corp:3128        "
        "caller held 6.00 us\n");
}

Test(cli_waterfall, a_failure_is_told_in_words_and_made_harmless)
{
    struct look look = {.columns = 100, .colors = 0};
    struct text out = {0};
    waterfall_write(sample_failed(), &look, &out);
    cr_expect_not_null(strstr(text_string(&out), "✗ timeout"), "%s", text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "no answer from 192.0.2.9:443"), "%s",
                       text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "(os 110)"), "%s", text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "no connection was ready"), "%s",
                       text_string(&out));
    cr_expect_null(strchr(text_string(&out), '\033'));
    text_done(&out);
}

/* Every line of the waterfall is one line, and fits: words that have no room end in an ellipsis,
 * the most telling ones first. */
Test(cli_waterfall, lines_fit_from_80_columns_on)
{
    int lines = 0;
    for (int columns = 80; columns <= 240; columns += 5) {
        struct look look = {.columns = columns};
        struct text out = {0};
        waterfall_write(sample_request(), &look, &out);
        cr_expect_not_null(strstr(text_string(&out), "A px1.corp ttl 60 s"));
        char *copy = strdup(text_string(&out));
        char *rest = copy;
        int count = 0;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"), count++)
            cr_expect_leq(text_width(line), columns, "%d: %s", columns, line);
        lines = lines > 0 ? lines : count;
        cr_expect_leq(count, lines, "%d columns: %d lines, were %d", columns, count, lines);
        free(copy);
        text_done(&out);
    }
}

Test(cli_waterfall, hostile_spans_are_drawn_without_harm)
{
    enum { COUNT = 2500 };
    np_span *spans = calloc(COUNT, sizeof *spans);
    for (int i = 0; i < COUNT; i++)
        spans[i] = (np_span){.id = i + 1,
                             .parent_id = i,
                             .start_ns = i % 2 ? INT64_MIN : INT64_MAX,
                             .duration_ns = i % 3 ? INT64_MAX : -1,
                             .phase = NP_PHASE_DNS,
                             .kind = "\033[2J",
                             .name = "\n\n",
                             .outcome = "?",
                             .detail = "{\"a\": [[[[{"};
    spans[0].parent_id = 3; /* a circle */
    np_request_detail request = *sample_request();
    request.spans = spans;
    request.span_count = COUNT;
    struct look look = {.columns = 80};
    struct text out = {0};
    waterfall_write(&request, &look, &out);
    cr_expect_null(strchr(text_string(&out), '\033'));
    cr_expect_not_null(strstr(text_string(&out), "and 1500 more spans"), "%s", text_string(&out));
    text_done(&out);
    free(spans);
}

/* What a query asked and got, in the words of `words_span`. */
static void assert_words(np_span span, const np_span *parent, const char *expected)
{
    struct text out = {0};
    words_span(&out, &span, parent, false);
    cr_expect_str_eq(text_string(&out), expected, "%s: %s", span.detail, text_string(&out));
    text_done(&out);
}

Test(cli_waterfall, a_query_tells_whom_it_asked_and_what_came)
{
    const np_span lookup = {.kind = "lookup",
                            .name = "origin.lab",
                            .outcome = "ok",
                            .detail = "{\"source\":\"dns\",\"addresses\":[\"127.0.0.1\",\"::1\"]}"};
    assert_words(lookup, NULL, "origin.lab → 127.0.0.1, ::1");
    np_span hosts = lookup;
    hosts.detail = "{\"source\":\"hosts\",\"addresses\":[\"127.0.0.1\"]}";
    assert_words(hosts, NULL, "origin.lab hosts → 127.0.0.1");

    np_span query = {.kind = "query",
                     .name = "A origin.lab",
                     .outcome = "ok",
                     .detail =
                         "{\"server\":\"127.225.150.115:53\",\"transport\":\"udp\",\"attempt\":1,"
                         "\"rcode\":\"NOERROR\",\"ttl_s\":60,\"addresses\":[\"127.0.0.1\"],"
                         "\"answered_bytes\":44}"};
    assert_words(query, &lookup, "A 127.225.150.115:53 NOERROR ttl 60 s → 127.0.0.1");
    assert_words(query, NULL, "A origin.lab 127.225.150.115:53 NOERROR ttl 60 s → 127.0.0.1");
    query.name = "AAAA other.lab"; /* a name the lookup did not ask for is told */
    query.outcome = "nodata";
    query.detail = "{\"server\":\"10.0.0.1:53\",\"transport\":\"tcp\",\"attempt\":2,"
                   "\"rcode\":\"NOERROR\",\"truncated\":true}";
    assert_words(query, &lookup, "AAAA other.lab 10.0.0.1:53 nodata tcp attempt 2 truncated");
    query.name = "A origin.lab";
    query.outcome = "failed";
    query.detail = "{\"server\":\"10.0.0.1:53\",\"rcode\":\"SERVFAIL\"}";
    assert_words(query, &lookup, "A 10.0.0.1:53 failed SERVFAIL");
    query.outcome = "unfinished";
    query.detail = "";
    assert_words(query, &lookup, "A unfinished");
}

/* A URL of a megabyte takes four lines of the screen, not twelve thousand. */
Test(cli_waterfall, long_texts_are_cut)
{
    enum { LONG = 1000000 };
    char *url = malloc(LONG + 1);
    memset(url, 'u', LONG);
    url[LONG] = '\0';
    np_request_detail request = *sample_failed();
    request.row.url = request.row.error = url;
    struct look look = {.columns = 80};
    struct text out = {0};
    waterfall_write(&request, &look, &out);
    cr_expect_lt(out.length, 4000, "%zu bytes", out.length);
    cr_expect_not_null(strstr(text_string(&out), "u…"));
    text_done(&out);
    free(url);
}

/* --------------------------------------------------------------------------------------------------
 * report */

Test(cli_report, table_has_units_shares_and_dashes)
{
    struct look look = {.columns = 80};
    struct text out = {0};
    report_table(sample_report(), 3, &look, &out);
    cr_assert_str_eq(
        text_string(&out),
        /* picture REPORT */
        "netphase.db · run 3 · 2026-11-23 12:04:26 … 12:04:31 UTC ·\n"
        "  200 requests, 1 failed · commit=4be1c09\n"
        "Set-up took 71 % of the time, mostly tls (44 %) and proxy (31 %)\n"
        "\n"
        "https://api.example:443 · GET · new connections · 192 requests, 1 failed\n"
        "  phase      n     min     p50     p95      p99      max ms  share of total\n"
        "  queue    192   0.02     0.05    0.31     0.92     1.40     ▏ <0.1 %\n"
        "  proxy    192  41.0     66.2   201.7    398.1    402.3      ██▋ 22 %\n"
        "  dns      192   0.80     1.10  121.4   5004     5004        █ 8.0 %\n"
        "  connect  192  19.8     20.2    21.0    220.9    221.3      ▉ 7.0 %\n"
        "  tunnel   192  20.1     20.6    22.9     40.2     41.0      ▉ 7.0 %\n"
        "  tls      191  41.2     93.4   140.9    151.3    190.2      ███▊ 31 %\n"
        "  setup    192   0.10   212.0   600.9   5401     5478        ········· 75 %\n"
        "  send     191   0.03     0.05    0.11     0.30     0.32     ▏ <0.1 %\n"
        "  wait     191  60.2     71.8    88.0    141.9    160.4      ██▌ 21 %\n"
        "  receive  191   0.30     1.20    9.70    20.9     21.5      ▌ 3.9 %\n"
        "  gap      180   0.001    0.01    0.03     0.05     0.09     ▏ <0.1 %\n"
        "  total    192  62.1    296.9   688.3   5480     5553\n"
        "  the caller was held p50 6.00, max 31.0 µs\n"
        "\n"
        "https://api.example:443 · GET · reused connections · 8 requests\n"
        "  phase    n    min    p50     p95     p99     max µs  share of total\n"
        "  queue    8    0     20.0    50.0    50.0    50.0     ▍ 2.0 %\n"
        "  proxy    –\n"
        "  dns      –\n"
        "  connect  –\n"
        "  tunnel   –\n"
        "  tls      –\n"
        "  setup    8    0     20.0    50.0    50.0    50.0     · 2.0 %\n"
        "  send     8   20.0   30.0    50.0    50.0    50.0     ▌ 3.0 %\n"
        "  wait     8  400.0  810.0  1200    1200    1200       ███████████████▎ 85 %\n"
        "  receive  8   20.0  110.0   300.0   300.0   300.0     █▊ 10 %\n"
        "  gap      –\n"
        "  total    8  500.0  970.0  1500    1500    1500\n");
    text_done(&out);
}

Test(cli_report, table_fits_the_width_and_ascii_is_ascii)
{
    for (int columns = 80; columns <= 240; columns += 5) {
        struct look look = {.columns = columns, .ascii = columns % 2 == 0};
        struct text out = {0};
        report_table(sample_report(), 0, &look, &out);
        for (size_t i = 0; look.ascii && i < out.length; i++)
            cr_expect_lt((unsigned char)out.data[i], 0x80);
        char *copy = strdup(text_string(&out));
        char *rest = copy;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
            cr_expect_leq(text_width(line), columns, "%d: %s", columns, line);
        free(copy);
        text_done(&out);
    }
}

Test(cli_report, the_verdict_never_parts_a_number_from_its_unit)
{
    for (int width = 40; width <= 120; width++) {
        struct text out = {0};
        report_verdict(sample_report(), width, &out);
        cr_expect_not_null(strstr(text_string(&out), "Set-up took 71 % of"));
        cr_expect_null(strstr(text_string(&out), "\n%"), "%d: %s", width, text_string(&out));
        cr_expect_null(strchr(text_string(&out), TEXT_TIE));
        text_done(&out);
    }
}

Test(cli_report, an_absent_proxy_is_none)
{
    static const char *const columns[] = {"proxy", "status", "protocol"};
    static const char *const values[] = {NULL, NULL, NULL};
    const np_report report = {.by = columns, .by_count = 3};
    const np_report_group group = {.by = values};
    struct text out = {0};
    report_group_name(&report, &group, true, &out);
    cr_expect_str_eq(text_string(&out), "proxy none | status none | protocol not known", "%s",
                     text_string(&out));
    text_done(&out);
}

Test(cli_report, lost_events_are_told_first)
{
    np_report report = *sample_report();
    report.dropped = 1204;
    struct look look = {.columns = 80};
    struct text out = {0};
    report_table(&report, 0, &look, &out);
    cr_expect_not_null(strstr(text_string(&out), "1,204 events were lost"), "%s",
                       text_string(&out));
    text_done(&out);
}

Test(cli_report, an_empty_report_says_so)
{
    np_report report = {.file = "x.db", .labels = "{}"};
    struct look look = {.columns = 80, .ascii = true};
    struct text out = {0};
    report_table(&report, 0, &look, &out);
    cr_expect_str_eq(text_string(&out), "x.db | 0 runs | 0 requests\n\nno requests match\n", "%s",
                     text_string(&out));
    text_done(&out);
}

/* --------------------------------------------------------------------------------------- the wire */

static const np_wire_piece pieces[] = {
    {.direction = 0,
     .part = 0,
     .start_ns = 1200000,
     .length = 40,
     .kept = 40,
     .data = (const unsigned char *)"GET / HTTP/1.1\r\n",
     .data_length = 16},
    {.direction = 1,
     .part = 1,
     .start_ns = 3000000,
     .length = 5000,
     .kept = 1024,
     .data = (const unsigned char *)"\033[2J\200",
     .data_length = 5},
    {.direction = 1,      .part = 2, .length = 99000,                   .kept = 12, .data = (const unsigned char *)""},
};

Test(cli_wire, is_drawn_in_hexadecimal_and_harmless_text)
{
    np_request_detail request = *sample_reused();
    struct look look = {.columns = 80, .ascii = true};
    struct text out = {0};
    wire_write(&request, &look, &out);
    cr_expect_str_eq(text_string(&out), "", "nothing was kept");
    request.wire = pieces;
    request.wire_count = 3;
    wire_write(&request, &look, &out);
    cr_expect_str_eq(text_string(&out),
                     "\n-> 1200 us  header, 40 bytes, as redacted\n"
                     "  0000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1..\n"
                     "\n<- 3.00 ms  body, 1,024 of 5,000 bytes\n"
                     "  0000  1b 5b 32 4a 80                                    .[2J.\n"
                     "\nand 12 more pieces of 99,000 bytes together, which were not kept\n",
                     "%s", text_string(&out));
    text_done(&out);
}

Test(cli_wire, json_has_all_of_it)
{
    np_request_detail request = *sample_reused();
    struct text out = {0};
    struct json json = {.out = &out};
    request.wire = pieces;
    request.wire_count = 3;
    json_open(&json, NULL, '{', false);
    wire_json(&json, &request);
    json_close(&json, '}');
    cr_assert(json_valid(out.data, out.length), "%s", text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "\"data_hex\": \"1b5b324a80\""));
    cr_expect_not_null(strstr(text_string(&out), "\"kept_bytes\": 1024"));
    cr_expect_not_null(strstr(text_string(&out), "\"pieces\": 12"));
    text_done(&out);
}

Test(cli_waterfall, lateness_is_told_where_it_matters)
{
    np_request_detail request = *sample_reused();
    struct look look = {.columns = 80, .ascii = true};
    struct text out = {0};
    request.row.late_ns = 80000000;
    waterfall_write(&request, &look, &out);
    cr_expect_not_null(
        strstr(text_string(&out), "data had come and the program did not look for 80.0 ms"), "%s",
        text_string(&out));
    text_clear(&out);
    request.row.late_ns = 1000;
    waterfall_write(&request, &look, &out);
    cr_expect_null(strstr(text_string(&out), "did not look"));
    text_done(&out);
}

/* ------------------------------------------------------------------------------------- header fields */

static const np_header fields[] = {
    {0, "Host",                "api.example"      },
    {1, "Server",              "evil\033[2J"      },
    {4, "Host",                "api.example:443"  },
    {4, "Proxy-Authorization", "Basic *"          },
    {5, ":status",             "407"              },
    {9, "Unknown",             "a later direction"},
};

Test(cli_headers, are_drawn_a_block_a_side_in_the_order_in_which_they_went)
{
    np_request_detail request = *sample_reused();
    struct look look = {.columns = 80, .ascii = true};
    struct text out = {0};
    header_write(&request, &look, &out);
    cr_expect_str_eq(text_string(&out), "", "nothing was kept");
    request.headers = fields;
    request.header_count = sizeof fields / sizeof fields[0];
    header_write(&request, &look, &out);
    cr_expect_str_eq(text_string(&out),
                     "\n-> to the proxy\n"
                     "  Host: api.example:443\n"
                     "  Proxy-Authorization: Basic *\n"
                     "\n<- from the proxy\n"
                     "  :status: 407\n"
                     "\n-> request\n"
                     "  Host: api.example\n"
                     "\n<- response\n"
                     "  Server: evil\\x1b[2J\n",
                     "%s", text_string(&out));
    text_done(&out);
}

Test(cli_headers, json_names_the_side_of_each)
{
    np_request_detail request = *sample_reused();
    struct text out = {0};
    struct json json = {.out = &out};
    request.headers = fields;
    request.header_count = sizeof fields / sizeof fields[0];
    json_open(&json, NULL, '{', false);
    header_json(&json, &request);
    json_close(&json, '}');
    cr_assert(json_valid(out.data, out.length), "%s", text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "\"direction\": \"to_proxy\""));
    cr_expect_not_null(strstr(text_string(&out), "\"direction\": \"unknown\""));
    text_done(&out);
}

/* ------------------------------------------------------------------------------------- many spans */

Test(cli_waterfall, moments_of_one_kind_share_a_line)
{
    static const np_span spans[] = {
        {.id = 1,
         .start_ns = 200000,
         .duration_ns = 100000,
         .phase = NP_PHASE_WAIT,
         .kind = "application",
         .name = "body not taken",
         .outcome = "ok",
         .detail = ""                                 },
        {.id = 2,
         .start_ns = 400000,
         .duration_ns = 50000,
         .phase = NP_PHASE_WAIT,
         .kind = "application",
         .name = "body not taken",
         .outcome = "ok",
         .detail = ""                                 },
        {.id = 3,
         .start_ns = 500000,
         .duration_ns = 300000,
         .phase = NP_PHASE_WAIT,
         .kind = "application",
         .name = "body not taken",
         .outcome = "ok",
         .detail = "{\"pauses\":10,\"held_ns\":40000}"},
        {.id = 4,
         .start_ns = 600000,
         .duration_ns = 60000,
         .phase = NP_PHASE_WAIT,
         .kind = "lateness",
         .name = "loop busy",
         .outcome = "ok",
         .detail = ""                                 },
    };
    np_request_detail request = *sample_reused();
    request.spans = spans;
    request.span_count = sizeof spans / sizeof spans[0];
    const struct look look = {.columns = 80, .ascii = true};
    struct text out = {0};
    waterfall_write(&request, &look, &out);
    cr_expect_not_null(strstr(text_string(&out), "  application       |--|  || |--------|       "
                                                 "190.0   body not taken, 12 times\n"),
                       "%s", text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "  lateness                      |-|           "
                                                 " 60.0   loop busy\n"),
                       "%s", text_string(&out));
    text_done(&out);
}

Test(cli_waterfall, what_a_proxy_answered_goes_first)
{
    np_span span = {.kind = "connect_request",
                    .name = "CONNECT api.example:443",
                    .outcome = "failed",
                    .detail = "{\"status\":403}"};
    assert_words(span, NULL, "403 api.example:443");
    span.detail = "";
    assert_words(span, NULL, "✗ CONNECT api.example:443");
    span = (np_span){.kind = "proxy_try",
                     .name = "http://px:3128",
                     .outcome = "failed",
                     .detail = "{\"index\":0,\"of\":2,\"error\":\"…\"}"};
    assert_words(span, NULL, "✗ http://px:3128 (1 of 2)");
    span = (np_span){.kind = "attempt",
                     .name = "127.0.0.1:1",
                     .outcome = "refused",
                     .detail = "{\"errno\":\"ECONNREFUSED\"}"};
    assert_words(span, NULL, "127.0.0.1:1 refused");
    span.detail = "{\"errno\":\"EMFILE\"}";
    assert_words(span, NULL, "127.0.0.1:1 refused: EMFILE");
    span = (np_span){.kind = "handshake",
                     .name = "api.example",
                     .outcome = "ok",
                     .detail = "{\"resumed\":true,\"last\":\"ours\",\"source\":\"callback\"}"};
    assert_words(span, NULL, "api.example: resumed");
    span = (np_span){.kind = "lookup",
                     .name = "localhost",
                     .outcome = "ok",
                     .detail = "{\"source\":\"localhost\",\"addresses\":[\"::1\"]}"};
    assert_words(span, NULL, "localhost → ::1");
}

Test(cli_report, json_is_valid_and_leaves_out_what_did_not_happen)
{
    struct text out = {0};
    report_json(sample_report(), &out);
    cr_assert(json_valid(out.data, out.length), "%s", text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "\"schema\": \"netphase.report/1\""));
    const char *reused = strstr(text_string(&out), "\"connection_state\": \"reused\"");
    cr_assert_not_null(reused);
    cr_expect_null(strstr(reused, "\"dns\""));
    text_done(&out);
}

Test(cli_report, csv_has_as_many_cells_in_every_row)
{
    struct text out = {0};
    report_csv(sample_report(), &out);
    char *copy = strdup(text_string(&out));
    char *rest = copy;
    int rows = 0;
    for (char *line = strsep(&rest, "\r\n"); line; line = strsep(&rest, "\r\n")) {
        if (!*line)
            continue;
        int commas = 0;
        for (const char *at = line; *at; at++)
            commas += *at == ',';
        cr_expect_eq(commas, 17, "%s", line);
        rows++;
    }
    cr_expect_eq(rows, 1 + 2 * REPORT_ROWS);
    free(copy);
    text_done(&out);
}

Test(cli_report, markdown_escapes_what_came_from_outside)
{
    static const char *const by[] = {"path"};
    static const char *const values[] = {"/<b>|`x`"};
    np_report report = *sample_report();
    np_report_group group = report.groups[1];
    group.by = values;
    report.by = by;
    report.by_count = 1;
    report.groups = &group;
    report.group_count = 1;
    struct text out = {0};
    report_markdown(&report, 0, &out);
    cr_expect_null(strstr(text_string(&out), "<b>"), "%s", text_string(&out));
    cr_expect_not_null(strstr(text_string(&out), "| **total** |"), "%s", text_string(&out));
    text_done(&out);
}
