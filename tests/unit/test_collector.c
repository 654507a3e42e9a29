/* From events in a ring to rows, the whole way: np_trace_* with a producer of the test's own. */
#include "folder.h"
#include "trace_builder.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <sys/stat.h>

static char folder[256];
static char path[300];

static void setup(void)
{
    folder_make(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/t.db", folder);
}

static void teardown(void)
{
    folder_remove(folder);
}

TestSuite(collector, .init = setup, .fini = teardown);

static void cr_nothing_wrong(void)
{
    char text[256];
    cr_assert_eq(query_int(path, "SELECT count(*) FROM problems"), 0, "%s",
                 query_text(path, "SELECT problem || ' ' || id FROM problems", text, sizeof text));
    cr_assert_str_eq(query_text(path, "PRAGMA integrity_check", text, sizeof text), "ok");
}

Test(collector, a_trace_without_requests_is_whole)
{
    np_trace *trace;
    np_error err = {0};
    const np_label labels[] = {
        {"commit", "abc"}
    };
    const char *const words[] = {"curl", "-u", "me:secret", "http://h/?token=x"};
    const np_trace_options options = {.size = sizeof options,
                                      .tool = "test 1",
                                      .arguments = words,
                                      .argument_count = 4,
                                      .labels = labels,
                                      .label_count = 1};
    char text[512];

    cr_assert_eq(np_trace_open(path, &options, &trace, &err), NP_OK, "%s", err.text);
    cr_assert_eq(np_trace_close(trace, 3, &err), NP_OK, "%s", err.text);

    cr_nothing_wrong();
    cr_assert_eq(query_int(path, "SELECT count(*) FROM run WHERE state = 1 AND exit_status = 3 AND "
                                 "tool = 'test 1' AND ended_ns >= started_ns"),
                 1);
    cr_assert_str_eq(query_text(path, "SELECT labels FROM runs", text, sizeof text),
                     "{\"commit\":\"abc\"}");
    cr_assert_not_null(
        strstr(query_text(path, "SELECT json_extract(environment, '$.sqlite') FROM run", text,
                          sizeof text),
               "3."));
    cr_assert_null(
        strstr(query_text(path, "SELECT command FROM run", text, sizeof text), "secret"));
    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
    cr_assert_eq(folder_count(folder, ""), 1, "only the trace itself is left");
}

Test(collector, a_request_becomes_a_row_with_all_its_parts)
{
    const struct built_span spans[] = {
        {NP_PHASE_DNS,     NP_SPAN_QUERY,       "A h.example",    10,   1000, NP_SPAN_OK, "{\"rcode\":0}"},
        {NP_PHASE_CONNECT, NP_SPAN_ATTEMPT,     "127.0.0.1:8080", 2000, -1,   NP_SPAN_OK, NULL           },
        {NP_PHASE_RECEIVE, NP_SPAN_APPLICATION, "read",           9000, 77,   NP_SPAN_OK, NULL           },
        {NP_PHASE_WAIT,    NP_SPAN_LATENESS,    "loop",           8000, 5,    NP_SPAN_OK, NULL           },
    };
    const struct built_header headers[] = {
        {0, "Accept", "*/*"  },
        {1, "Server", "nginx"}
    };
    const np_trace_options options = {.size = sizeof options,
                                      .detail_plus_1 = NP_DETAIL_HEADERS + 1};
    struct trace_builder *builder = trace_builder_open(path, &options);
    trace_builder_add(builder, &(struct built_request){
                                   .origin = "https://h.example:443",
                                   .path = "/items/7?page=*",
                                   .status = 200,
                                   .phase_ns = {[NP_PHASE_QUEUE] = 11,
                                                [NP_PHASE_DNS] = 1100,
                                                [NP_PHASE_CONNECT] = 500,
                                                [NP_PHASE_TLS] = 900,
                                                [NP_PHASE_SEND] = 13,
                                                [NP_PHASE_WAIT] = 4000,
                                                [NP_PHASE_RECEIVE] = 600},
                                   .received_bytes = 1234,
                                   .spans = spans,
                                   .span_count = 4,
                                   .headers = headers,
                                   .header_count = 2,
    });
    trace_builder_add(
        builder,
        &(struct built_request){
            .origin = "https://h.example:443",
            .path = "/items/8",
            .status = 404,
            .phase_ns = {[NP_PHASE_SEND] = 5, [NP_PHASE_WAIT] = 70, [NP_PHASE_RECEIVE] = 1}
    });
    trace_builder_close(builder);

    char text[512];
    cr_nothing_wrong();
    cr_assert_eq(query_int(path, "SELECT count(*) FROM requests WHERE id = 1 AND queue_ns = 11 AND "
                                 "dns_ns = 1100 AND connect_ns = 500 AND tls_ns = 900"
                                 " AND send_ns = 13 AND wait_ns = 4000 AND receive_ns = 600 AND "
                                 "gap_ns = 0 AND total_ns = 7124 AND tunnel_ns IS NULL"
                                 " AND first_byte_ns = 6524 AND caller_blocked_ns = 1500 AND "
                                 "status = 200 AND received_bytes = 1234 AND NOT failed"),
                 1);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM requests WHERE method = 'GET' AND url = "
                                 "'https://h.example/items/7?page=*' AND route = '/items/{}'"
                                 " AND connection_state = 'new' AND protocol = 'http/1.1' AND "
                                 "tls_version = 'TLSv1.3' AND dns_queries = 1"
                                 " AND connect_attempts = 1 AND receive_application_ns = 77 AND "
                                 "late_ns = 5 AND send_application_ns = 0"),
                 1);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM requests WHERE id = 2 AND reused AND "
                                 "connection_use = 2 AND dns_ns IS NULL AND status = 404"),
                 1);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM connections WHERE dns_ns = 1100 AND "
                                 "connect_ns = 500 AND tls_ns = 900 AND remote = '127.0.0.1:8080'"
                                 " AND new_because = 'first' AND alpn = 'http/1.1' AND tls_resumed "
                                 "= 0 AND setup_ns = 2500"),
                 1);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request r JOIN span s ON s.id >= "
                                 "r.first_span AND s.id < r.first_span + r.span_count"
                                 " AND s.request_id = r.id WHERE r.id = 1"),
                 4);
    cr_assert_str_eq(query_text(path,
                                "SELECT group_concat(kind || ' ' || name || ' ' || outcome || ' ' "
                                "|| coalesce(duration_ns, 'open'), '|') FROM spans",
                                text, sizeof text),
                     "query A h.example ok 1000|attempt 127.0.0.1:8080 unfinished open|application "
                     "read ok 77|lateness loop ok 5");
    cr_assert_str_eq(
        query_text(path, "SELECT detail FROM spans WHERE kind = 'query'", text, sizeof text),
        "{\"rcode\":0}");
    cr_assert_str_eq(query_text(path,
                                "SELECT group_concat(h.direction || t.value || ':' || h.value, "
                                "'|') FROM header h JOIN text t ON t.id = h.name_id"
                                " WHERE request_id = 1",
                                text, sizeof text),
                     "0Accept:*/*|1Server:nginx");
    cr_assert_eq(query_int(path, "SELECT requests * 100 + failed FROM run"), 200);
    cr_assert_eq(
        query_int(path,
                  "SELECT count(*) FROM ring WHERE closed = 1 AND consumed > 0 AND dropped = 0"),
        1);
    cr_assert_eq(query_int(path, "SELECT abs(start_ns - (SELECT started_ns FROM run)) < "
                                 "10000000000 FROM request WHERE id = 1"),
                 1);
    cr_assert_eq(folder_count(folder, ""), 1, "no ring and no WAL is left");
}
