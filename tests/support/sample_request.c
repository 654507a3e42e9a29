/* A request and a report with round figures. */
#include "sample_request.h"
#include <string.h>

#define MS(value) ((int64_t)((value)*1e6 + 0.5))

static const np_span spans[] = {
    {.id = 1,
     .start_ns = MS(0.2),
     .duration_ns = 0,
     .phase = NP_PHASE_PROXY,
     .kind = "pac_fetch",
     .name = "http://wpad.corp/wpad.dat",
     .outcome = "skipped",
     .detail = "{\"cached\":true}"                    },
    {.id = 2,
     .start_ns = MS(1),
     .duration_ns = MS(199.8),
     .phase = NP_PHASE_PROXY,
     .kind = "pac_eval",
     .name = "",
     .outcome = "ok",
     .detail = "{\"lookups\":3,\"script_ns\":1200000}"},
    {.id = 3,
     .parent_id = 2,
     .start_ns = MS(1.5),
     .duration_ns = MS(187.2),
     .phase = NP_PHASE_PROXY,
     .kind = "lookup",
     .name = "api.example A",
     .outcome = "timeout",
     .detail = "{\"server\":\"10.0.0.1:53\",\"attempt\":2}"},
    {.id = 4,
     .start_ns = MS(202),
     .duration_ns = MS(1),
     .phase = NP_PHASE_DNS,
     .kind = "query",
     .name = "A px1.corp",
     .outcome = "ok",
     .detail = "{\"addresses\":[\"10.0.0.7\"],\"ttl_s\":60}"                                  },
    {.id = 5,
     .start_ns = MS(203.2),
     .duration_ns = MS(20.1),
     .phase = NP_PHASE_CONNECT,
     .kind = "attempt",
     .name = "10.0.0.7:3128",
     .outcome = "ok",
     .detail = ""                                  },
    {.id = 6,
     .start_ns = MS(210),
     .duration_ns = MS(13),
     .phase = NP_PHASE_CONNECT,
     .kind = "attempt",
     .name = "[2001:db8::7]:3128",
     .outcome = "abandoned",
     .detail = ""                           },
    {.id = 8,
     .start_ns = MS(244.2),
     .duration_ns = -1,
     .phase = NP_PHASE_TLS,
     .kind = "verify",
     .name = "",
     .outcome = "unfinished",
     .detail = ""                          },
    {.id = 7,
     .start_ns = MS(244.5),
     .duration_ns = MS(61),
     .phase = NP_PHASE_TLS,
     .kind = "ca_load",
     .name = "",
     .outcome = "ok",
     .detail = ""                                  },
};

static const np_connection_info connection = {
    .id = 7,
    .origin = "https://api.example:443",
    .remote = "10.0.0.7:3128",
    .local = "10.0.0.9:50124",
    .protocol = "h2",
    .new_because = "first",
    .tls_version = "1.3",
    .tls_cipher = "TLS_AES_256_GCM_SHA384",
    .alpn = "h2",
    .close_reason = "",
    .certificate = "",
    .tls_resumed = 0,
    .requests = 1,
};

static np_row base_row(void)
{
    np_row row = {.id = 118,
                  .run_id = 3,
                  .start_ns = INT64_C(1795435469118000000),
                  .caller_blocked_ns = 6000,
                  .send_application_ns = -1,
                  .receive_application_ns = -1,
                  .late_ns = -1,
                  .connection_id = 7,
                  .connection_use = 1,
                  .sent_bytes = 0,
                  .received_bytes = 1310,
                  .status = 200,
                  .dns_queries = 1,
                  .connect_attempts = 2,
                  .method = "GET",
                  .url = "https://api.example/v1/items",
                  .origin = "https://api.example:443",
                  .host = "api.example",
                  .path = "/v1/items",
                  .route = "/v1/items",
                  .outcome = "ok",
                  .error = "",
                  .error_layer = "",
                  .protocol = "h2",
                  .connection_state = "new",
                  .remote = "10.0.0.7:3128",
                  .tls_version = "1.3",
                  .proxy = "http://px1.corp:3128"};
    for (int i = 0; i < NP_PHASE_COUNT; i++)
        row.phase_ns[i] = row.phase_at_ns[i] = -1;
    return row;
}

static void put_phase(np_row *row, np_phase phase, int64_t at_ns, int64_t duration_ns)
{
    row->phase_at_ns[phase] = at_ns;
    row->phase_ns[phase] = duration_ns;
    row->total_ns += duration_ns;
    if (phase <= NP_PHASE_TLS)
        row->setup_ns += duration_ns;
}

const np_request_detail *sample_request(void)
{
    static np_request_detail request;
    request = (np_request_detail){.row = base_row(),
                                  .spans = spans,
                                  .span_count = sizeof spans / sizeof spans[0],
                                  .connection = &connection};
    put_phase(&request.row, NP_PHASE_QUEUE, 0, MS(0.1));
    put_phase(&request.row, NP_PHASE_PROXY, MS(0.1), MS(201.7));
    put_phase(&request.row, NP_PHASE_DNS, MS(201.8), MS(1.1));
    put_phase(&request.row, NP_PHASE_CONNECT, MS(202.9), MS(20.3));
    put_phase(&request.row, NP_PHASE_TUNNEL, MS(223.2), MS(20.9));
    put_phase(&request.row, NP_PHASE_TLS, MS(244.1), MS(167.8));
    put_phase(&request.row, NP_PHASE_SEND, MS(411.9), MS(0.1));
    put_phase(&request.row, NP_PHASE_WAIT, MS(412), MS(112.4));
    put_phase(&request.row, NP_PHASE_RECEIVE, MS(524.4), MS(9.3));
    put_phase(&request.row, NP_PHASE_GAP, -1, MS(0.02));
    return &request;
}

const np_request_detail *sample_reused(void)
{
    static np_request_detail request;
    request = (np_request_detail){.row = base_row(), .connection = &connection};
    np_row *row = &request.row;
    row->id = 119;
    row->reused = true;
    row->connection_use = 2;
    row->connection_state = "reused";
    put_phase(row, NP_PHASE_QUEUE, 0, 45000);
    put_phase(row, NP_PHASE_SEND, 45000, 12000);
    put_phase(row, NP_PHASE_WAIT, 57000, 803000);
    put_phase(row, NP_PHASE_RECEIVE, 860000, 140000);
    put_phase(row, NP_PHASE_GAP, -1, 0);
    return &request;
}

const np_request_detail *sample_failed(void)
{
    static const np_span attempts[] = {
        {.id = 9,
         .start_ns = MS(0.4),
         .duration_ns = MS(30000.5),
         .phase = NP_PHASE_CONNECT,
         .kind = "attempt",
         .name = "192.0.2.9:443",
         .outcome = "timeout",
         .detail = "{\"errno\":110}"},
    };
    static np_request_detail request;
    request = (np_request_detail){.row = base_row(), .spans = attempts, .span_count = 1};
    np_row *row = &request.row;
    row->id = 120;
    row->failed = true;
    row->status = 0;
    row->connection_id = 0;
    row->connection_use = 0;
    row->outcome = "timeout";
    row->error = "no answer from 192.0.2.9:443\033[31m";
    row->error_layer = "os";
    row->error_code = 110;
    row->web_status = NP_WEB_TIMEOUT;
    row->protocol = row->connection_state = row->tls_version = row->proxy = row->remote = "";
    row->received_bytes = -1;
    put_phase(row, NP_PHASE_QUEUE, 0, MS(0.1));
    put_phase(row, NP_PHASE_DNS, MS(0.1), MS(0.3));
    put_phase(row, NP_PHASE_CONNECT, MS(0.4), MS(30001));
    put_phase(row, NP_PHASE_GAP, -1, MS(12));
    return &request;
}

/* -----------------------------------------------------------------------------------------------------------------
 * report */

static np_figures figures(uint64_t count, double min, double p50, double p95, double p99,
                          double max, double share)
{
    return (np_figures){.count = count,
                        .sum_ns = MS(p50) * (int64_t)count,
                        .share = share,
                        .min_ns = MS(min),
                        .p50_ns = MS(p50),
                        .p90_ns = MS(p50 + (p95 - p50) / 2),
                        .p95_ns = MS(p95),
                        .p99_ns = MS(p99),
                        .max_ns = MS(max),
                        .mean_ns = (double)MS(p50),
                        .stddev_ns = (double)MS((max - min) / 4)};
}

const np_report *sample_report(void)
{
    static const char *const by[] = {"origin", "method", "connection_state"};
    static const char *const new_values[] = {"https://api.example:443", "GET", "new"};
    static const char *const reused_values[] = {"https://api.example:443", "GET", "reused"};
    static np_report_group groups[2];
    np_report_group *fresh = &groups[0];
    np_report_group *reused = &groups[1];
    memset(groups, 0, sizeof groups);
    *fresh = (np_report_group){.by = new_values, .requests = 192, .failed = 1};
    fresh->phases[NP_PHASE_QUEUE] = figures(192, 0.02, 0.05, 0.31, 0.92, 1.4, 0.0004);
    fresh->phases[NP_PHASE_PROXY] = figures(192, 41, 66.2, 201.7, 398.1, 402.3, 0.22);
    fresh->phases[NP_PHASE_DNS] = figures(192, 0.8, 1.1, 121.4, 5003.9, 5004.2, 0.08);
    fresh->phases[NP_PHASE_CONNECT] = figures(192, 19.8, 20.2, 21, 220.9, 221.3, 0.07);
    fresh->phases[NP_PHASE_TUNNEL] = figures(192, 20.1, 20.6, 22.9, 40.2, 41, 0.07);
    fresh->phases[NP_PHASE_TLS] = figures(191, 41.2, 93.4, 140.9, 151.3, 190.2, 0.31);
    fresh->phases[NP_PHASE_SEND] = figures(191, 0.03, 0.05, 0.11, 0.3, 0.32, 0.0003);
    fresh->phases[NP_PHASE_WAIT] = figures(191, 60.2, 71.8, 88, 141.9, 160.4, 0.21);
    fresh->phases[NP_PHASE_RECEIVE] = figures(191, 0.3, 1.2, 9.7, 20.9, 21.5, 0.039);
    fresh->phases[NP_PHASE_GAP] = figures(180, 0.001, 0.01, 0.03, 0.05, 0.09, 0.0003);
    fresh->setup = figures(192, 0.1, 212, 600.9, 5401.2, 5478, 0.75);
    fresh->total = figures(192, 62.1, 296.9, 688.3, 5480.1, 5552.8, 1);
    fresh->caller_blocked = figures(192, 0.004, 0.006, 0.011, 0.03, 0.031, 0);
    *reused = (np_report_group){.by = reused_values, .requests = 8, .reused = 8};
    reused->phases[NP_PHASE_QUEUE] = figures(8, 0, 0.02, 0.05, 0.05, 0.05, 0.02);
    reused->phases[NP_PHASE_SEND] = figures(8, 0.02, 0.03, 0.05, 0.05, 0.05, 0.03);
    reused->phases[NP_PHASE_WAIT] = figures(8, 0.4, 0.81, 1.2, 1.2, 1.2, 0.85);
    reused->phases[NP_PHASE_RECEIVE] = figures(8, 0.02, 0.11, 0.3, 0.3, 0.3, 0.1);
    reused->setup = figures(8, 0, 0.02, 0.05, 0.05, 0.05, 0.02);
    reused->total = figures(8, 0.5, 0.97, 1.5, 1.5, 1.5, 1);
    static np_report report;
    report = (np_report){.file = "netphase.db",
                         .runs = 1,
                         .requests = 200,
                         .failed = 1,
                         .from_ns = INT64_C(1795435466000000000),
                         .to_ns = INT64_C(1795435471000000000),
                         .labels = "{\"commit\":\"4be1c09\"}",
                         .by = by,
                         .by_count = 3,
                         .groups = groups,
                         .group_count = 2};
    return &report;
}
