/* From events in a ring to rows, the whole way: np_trace_* with a producer of the test's own. */
#include "chunk.h"
#include "clock.h"
#include "db.h"
#include "folder.h"
#include "phases.h"
#include "random.h"
#include "trace_builder.h"
#include "trace_query.h"

#include <criterion/criterion.h>
#include <sys/stat.h>
#include <time.h>

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
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request_more r JOIN span s ON s.id >= "
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

static void say_proxy(struct trace_builder *builder, uint32_t number, int source, const char *text)
{
    np_producer *producer = trace_builder_producer(builder);
    np_emit(producer, &(np_event){
                          .time_ns = trace_builder_now(builder),
                          .request = number,
                          .type = NP_EVENT_PROXY,
                          .source = NP_SOURCE_CALL,
                          .word = {(uint64_t)source,
                                   text ? np_producer_word(producer, text, strlen(text)) : 0}
    });
}

Test(collector, the_last_proxy_that_a_request_names_is_its_proxy)
{
    struct trace_builder *builder = trace_builder_open(path, NULL);
    const struct built_request open = {
        .path = "/a", .unfinished = true, .status = 200, .phase_ns = {1, 0, 0, 0, 0, 0, 2, 3}
    };
    const uint32_t first = trace_builder_add(builder, &open);
    say_proxy(builder, first, 3, "http://one:3128");
    say_proxy(builder, first, 3, "http://two:3128");
    trace_builder_end(builder, first, 5);
    const uint32_t second = trace_builder_add(builder, &open);
    say_proxy(builder, second, 5, "http://one:3128");
    say_proxy(builder, second, 5, NULL);
    trace_builder_end(builder, second, 5);
    trace_builder_close(builder);

    char text[256];
    cr_assert_str_eq(query_text(path,
                                "SELECT group_concat(coalesce(proxy, 'none') || ' ' || "
                                "proxy_source, '|') FROM (SELECT * FROM requests ORDER BY id)",
                                text, sizeof text),
                     "http://two:3128 environment|none pac");
    cr_nothing_wrong();
}

static void add_many(struct trace_builder *builder, int count)
{
    for (int i = 0; i < count; i++) {
        struct built_request request = {
            .path = i % 2 ? "/a/1" : "/b",
            .status = 200 + i % 3,
            .phase_ns = {1 + i % 7, 0, 0, 0, 0, 0, 4, 5 + i, 6}
        };
        if (i % 40 == 0) {
            request.fresh = request.resumed = true;
            request.phase_ns[NP_PHASE_DNS] = 100;
            request.phase_ns[NP_PHASE_CONNECT] = 200 + i;
            request.phase_ns[NP_PHASE_TLS] = 300;
        }
        if (i % 11 == 0) {
            request.outcome = NP_OUTCOME_FAILED;
            request.layer = NP_LAYER_CURL;
            request.error_code = 56;
            request.web_status = 3;
            request.error = "the peer closed the connection";
        }
        (void)trace_builder_add(builder, &request);
    }
}

static const char chunks_sql[] =
    "SELECT group_concat(id || ':' || width || ':' || coalesce(low, 'x') || ':' || coalesce(high, "
    "'x') || ':' || base || ':' || hex(data))"
    " FROM (SELECT * FROM chunk_column ORDER BY id)";

Test(collector, chunks_made_from_memory_are_those_that_a_rebuild_makes)
{
    static char before[8 << 20], after[8 << 20];
    struct trace_builder *builder = trace_builder_open(path, NULL);
    add_many(builder, 9000);
    trace_builder_close(builder);
    builder = trace_builder_open(path, NULL); /* begins in the middle of a chunk */
    add_many(builder, 9000);
    trace_builder_close(builder);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM chunk"), 4);
    query_text(path, chunks_sql, before, sizeof before);
    cr_assert_gt(strlen(before), 100000);
    sqlite3 *db;
    cr_assert_eq(np_db_open(path, NP_DB_WRITE, 0, &db, NULL), NP_OK);

    cr_assert_eq(np_chunk_rebuild(db, NULL, NULL), NP_OK);

    np_db_close(db);
    query_text(path, chunks_sql, after, sizeof after);
    cr_assert(strcmp(before, after) == 0);
    cr_nothing_wrong();
    cr_assert_eq(query_int(path, "SELECT sum(requests) FROM run"), 18000);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM requests WHERE failed AND error_layer = "
                                 "'curl' AND error_code = 56 AND web_status = 3"
                                 " AND error = 'the peer closed the connection'"),
                 2 * 819);
}

Test(collector, two_traces_that_record_into_one_file_lose_nothing)
{
    struct trace_builder *first = trace_builder_open(path, NULL);
    struct trace_builder *second = trace_builder_open(path, NULL);

    for (int i = 0; i < 40; i++) {
        add_many(first, 150);
        add_many(second, 150);
    }
    trace_builder_close(first);
    trace_builder_close(second);

    cr_nothing_wrong();
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request"), 12000);
    cr_assert_eq(
        query_int(path,
                  "SELECT count(*) FROM run WHERE requests = 6000 AND dropped = 0 AND state = 1"),
        2);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM chunk"), 2);
    cr_assert_eq(folder_count(folder, ""), 1);
}

Test(collector, later_hops_point_at_the_first)
{
    struct trace_builder *builder = trace_builder_open(path, NULL);
    const uint32_t first =
        trace_builder_add(builder, &(struct built_request){
                                       .status = 302, .phase_ns = {1, 0, 0, 0, 0, 0, 2, 3, 4}
    });
    trace_builder_flush(builder);
    trace_builder_add(builder, &(struct built_request){.status = 401,
                                                       .hop_of = first,
                                                       .hop = 1,
                                                       .hop_reason = NP_HOP_REDIRECT,
                                                       .phase_ns = {1}});
    trace_builder_add(
        builder,
        &(struct built_request){
            .status = 200, .hop_of = first, .hop = 2, .hop_reason = NP_HOP_AUTH, .phase_ns = {1}});
    trace_builder_close(builder);

    cr_nothing_wrong();
    cr_assert_eq(
        query_int(path, "SELECT count(*) FROM requests WHERE hop_of = 1 AND hop IN (1, 2)"), 2);
    cr_assert_eq(query_int(path, "SELECT hops FROM calls WHERE id = 1"), 3);
}

Test(collector, a_phase_in_two_pieces_has_spans_for_them)
{
    struct trace_builder *builder = trace_builder_open(path, NULL);
    const uint32_t number = trace_builder_add(
        builder, &(struct built_request){
                     .unfinished = true, .phase_ns = {1, 0, 0, 0, 0, 0, 2, 3, 4, 0}
    });
    trace_builder_end(builder, number, 9);
    trace_builder_close(builder);

    char text[128];
    cr_nothing_wrong();
    cr_assert_str_eq(query_text(path,
                                "SELECT group_concat(phase || name || duration_ns || '@' || "
                                "start_ns) FROM spans WHERE kind = 'piece'",
                                text, sizeof text),
                     "receivereceive4@6,receivereceive9@10");
}

Test(collector, a_full_ring_drops_and_the_trace_says_so)
{
    np_trace *trace;
    np_producer *producer;
    np_error err = {0};
    const np_trace_options options = {.size = sizeof options, .ring_slots = 1024};
    cr_assert_eq(np_trace_open(path, &options, &trace, &err), NP_OK);
    cr_assert_eq(np_producer_attach(trace, &producer, &err), NP_OK);
    const np_text_ref word = np_producer_word(producer, "GET", 3);
    for (uint32_t i = 1; i <= 200000; i++)
        np_emit(producer, &(np_event){
                              .time_ns = np_now(),
                              .request = i,
                              .type = NP_EVENT_REQUEST_BEGIN,
                              .word = {word, word, word}
        });
    np_producer_detach(trace, producer);
    cr_assert_eq(np_trace_flush(trace, &err), NP_OK);
    np_trace_counters counters = NP_TRACE_COUNTERS_INIT;
    np_trace_counters_get(trace, &counters);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK);

    cr_nothing_wrong();
    cr_assert_gt(counters.dropped, 0);
    cr_assert_eq(query_int(path, "SELECT dropped FROM run"), (int64_t)counters.dropped);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request WHERE outcome = 4 AND flags & 32"),
                 (int64_t)counters.requests);
    cr_assert_eq(counters.requests + counters.dropped, 200000);
}

Test(collector, a_file_locked_for_too_long_is_told_and_the_ring_kept_until_the_next_opener)
{
    const np_trace_options options = {.size = sizeof options, .lock_wait_ns = 50 * NP_NS_PER_MS};
    np_trace *trace;
    np_producer *producer;
    np_error err = {0};
    cr_assert_eq(np_trace_open(path, &options, &trace, &err), NP_OK);
    cr_assert_eq(np_producer_attach(trace, &producer, &err), NP_OK);
    sqlite3 *db;
    cr_assert_eq(np_db_open(path, NP_DB_WRITE, 0, &db, &err), NP_OK);
    cr_assert_eq(np_db_exec(db, "BEGIN IMMEDIATE", &err), NP_OK);
    const np_text_ref word = np_producer_word(producer, "GET", 3);
    np_emit(producer, &(np_event){
                          .time_ns = np_now(),
                          .request = 1,
                          .type = NP_EVENT_REQUEST_BEGIN,
                          .word = {word, word, word}
    });
    np_emit(producer, &(np_event){
                          .time_ns = np_now(),
                          .request = 1,
                          .type = NP_EVENT_REQUEST_END,
                          .word = {0, 0, 0, 0, 0}
    });

    cr_assert_eq(np_trace_flush(trace, &err), NP_E_OUTPUT);
    cr_assert_not_null(strstr(err.text, "locked"), "%s", err.text);
    cr_assert_eq(np_trace_health(trace, &err), NP_E_OUTPUT);
    np_trace *other;
    cr_assert_eq(np_trace_open(path, &options, &other, &err), NP_E_OUTPUT);
    cr_assert_null(other);
    np_producer_detach(trace, producer);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_E_OUTPUT);
    cr_assert_eq(folder_count(folder, "-ring-"), 1);

    cr_assert_eq(np_db_exec(db, "ROLLBACK", &err), NP_OK);
    np_db_close(db);
    cr_assert_eq(np_trace_open(path, NULL, &trace, &err), NP_OK, "%s", err.text);
    np_trace_counters counters = NP_TRACE_COUNTERS_INIT;
    np_trace_counters_get(trace, &counters);
    cr_assert_eq(counters.recovered, 1);
    cr_assert_eq(np_trace_close(trace, 0, &err), NP_OK);
    cr_nothing_wrong();
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request WHERE outcome = 0"), 1);
    cr_assert_eq(folder_count(folder, ""), 1);
}

Test(collector, wrong_options_are_refused_with_what_was_expected)
{
    const np_label bad_key = {"a b", "x"};
    const struct {
        np_trace_options options;
        np_status status;
        const char *says;
    } cases[] = {
        {{.size = sizeof cases[0].options, .ring_slots = 1000},
         NP_E_ARGUMENT_RANGE,                                                                          "power of two"   },
        {{.size = sizeof cases[0].options, .lock_wait_ns = -1},                   NP_E_ARGUMENT_RANGE, "negative"       },
        {{.size = sizeof cases[0].options, .detail_plus_1 = 9},                   NP_E_ARGUMENT_RANGE, "detail 8"       },
        {{.size = sizeof cases[0].options, .labels = &bad_key, .label_count = 1},
         NP_E_ARGUMENT,                                                                                "label key 'a b'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_trace *trace;
        np_error err = {0};

        cr_assert_eq(np_trace_open(path, &cases[i].options, &trace, &err), cases[i].status,
                     "case %zu", i);

        cr_assert_null(trace);
        cr_assert_not_null(strstr(err.text, cases[i].says), "case %zu: %s", i, err.text);
        cr_assert_eq(folder_count(folder, ""), 0);
    }
}

/* --------------------------------------------------------------------------------------- where phases begin, exactly */

static np_event phase_event(uint64_t now_ns, uint32_t number, np_event_type type, int phase)
{
    return (np_event){.time_ns = now_ns,
                      .request = number,
                      .type = type,
                      .source = NP_SOURCE_CALLBACK,
                      .word = {(uint64_t)phase}};
}

static void push(np_producer *producer, np_cut *cut, np_event event)
{
    np_cut_add(cut, &event);
    np_emit(producer, &event);
}

/* Phases of `set` in their order, each with a gap before it where `gaps` has its bit. */
static void push_cut(np_producer *producer, np_random *random, np_cut *cut, uint32_t set,
                     uint32_t gaps, bool ok)
{
    static uint64_t now_ns;
    const uint32_t number = ++producer->last_request;
    now_ns = now_ns ? now_ns + 1000 : np_now();
    np_cut_init(cut);
    push(producer, cut,
         (np_event){
             .time_ns = now_ns,
             .request = number,
             .type = NP_EVENT_REQUEST_BEGIN,
             .source = NP_SOURCE_CALL,
             .word = {np_ring_word(producer->ring, "GET", 3),
                      np_ring_word(producer->ring, "http://h:80", 11),
                      np_ring_word(producer->ring, "/", 1)}
    });
    now_ns += 1 + np_random_below(random, 5000);
    push(producer, cut, phase_event(now_ns, number, NP_EVENT_PHASE_END, NP_PHASE_QUEUE));
    for (int phase = NP_PHASE_PROXY; phase < NP_PHASE_GAP; phase++) {
        if (!(set >> phase & 1))
            continue;
        if (gaps >> phase & 1)
            now_ns += 1 + np_random_below(random, 20000);
        push(producer, cut, phase_event(now_ns, number, NP_EVENT_PHASE_BEGIN, phase));
        now_ns += np_random_below(random, 3000000);
        push(producer, cut, phase_event(now_ns, number, NP_EVENT_PHASE_END, phase));
    }
    const uint64_t outcome = ok ? NP_OUTCOME_OK : NP_OUTCOME_FAILED;
    push(producer, cut,
         (np_event){.time_ns = now_ns + np_random_below(random, 900),
                    .request = number,
                    .type = NP_EVENT_REQUEST_END,
                    .source = NP_SOURCE_CALLBACK,
                    .word = {outcome | UINT64_C(200) << 32 | NP_PROTOCOL_HTTP_1_1 << 24}});
}

static void cr_reads_as_cut(sqlite3_stmt *statement, const np_cut *cut, int64_t id, uint64_t seed)
{
    cr_assert_eq(sqlite3_bind_int64(statement, 1, id), SQLITE_OK);
    for (int phase = 0; phase <= NP_PHASE_GAP; phase++) {
        cr_assert_eq(sqlite3_step(statement), SQLITE_ROW, "seed %llu", (unsigned long long)seed);
        const bool present = cut->present >> phase & 1;
        cr_assert_eq(sqlite3_column_int(statement, 0), present, "seed %llu: id %lld phase %d",
                     (unsigned long long)seed, (long long)id, phase);
        cr_assert_eq(sqlite3_column_int64(statement, 1), cut->duration_ns[phase],
                     "seed %llu: id %lld phase %d", (unsigned long long)seed, (long long)id, phase);
        if (present && phase != NP_PHASE_GAP)
            cr_assert(sqlite3_column_type(statement, 2) == SQLITE_INTEGER &&
                          sqlite3_column_int64(statement, 2) == cut->at_ns[phase],
                      "seed %llu: id %lld phase %d begins at %lld, not at %lld",
                      (unsigned long long)seed, (long long)id, phase, (long long)cut->at_ns[phase],
                      sqlite3_column_int64(statement, 2));
        else if (phase != NP_PHASE_QUEUE)
            cr_assert_eq(sqlite3_column_type(statement, 2), SQLITE_NULL);
    }
    sqlite3_reset(statement);
}

Test(collector, every_phase_begins_where_its_event_said)
{
    enum { COUNT = 600, WARM = 7 << NP_PHASE_SEND };
    const uint64_t seed = (uint64_t)time(NULL);
    static np_cut cuts[COUNT];
    np_random random;
    np_random_seed(&random, seed);
    struct trace_builder *builder = trace_builder_open(path, NULL);
    np_producer *producer = trace_builder_producer(builder);
    for (int i = 0; i < COUNT; i++) {
        const bool warm = i % 3 == 0; /* as the engine's: contiguous, but for a gap before send */
        const uint32_t set = warm ? WARM : (uint32_t)np_random_below(&random, 512) & ~1u;
        const uint32_t gaps = warm ? 1u << NP_PHASE_SEND : (uint32_t)np_random_next(&random);
        push_cut(producer, &random, &cuts[i], set, gaps, warm || np_random_below(&random, 2));
    }
    trace_builder_close(builder);

    cr_nothing_wrong();
    sqlite3 *db;
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db,
                                    "SELECT present, duration_ns, start_ns FROM phases WHERE "
                                    "request_id = ?1 ORDER BY ordinal",
                                    -1, &statement, NULL),
                 SQLITE_OK);
    for (int i = 0; i < COUNT; i++)
        cr_reads_as_cut(statement, &cuts[i], i + 1, seed);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    cr_assert_eq(query_int(path, "SELECT count(*) FROM request_more WHERE id % 3 = 1"), 0,
                 "a warm request is one row");
    cr_assert_gt(query_int(path, "SELECT count(*) FROM request_more WHERE wait_at_ns IS NOT NULL "
                                 "OR receive_at_ns IS NOT NULL"),
                 0);
}
