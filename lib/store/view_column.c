/* The columns of the view `requests`; see view_column.h. Floor 2. */
#include "view_column.h"

#include "request_sql.h"

#include <string.h>
#include <strings.h>

#define CODE(domain, column)                                                                       \
    "(SELECT name FROM code WHERE domain = '" domain "' AND code = " column ")",                   \
        "SELECT name FROM code WHERE domain = '" domain "' AND code = ?1"
#define WORD(column)                                                                               \
    "(SELECT value FROM text WHERE id = " column ")", "SELECT value FROM text WHERE id = ?1"
#define ORIGIN(expression)                                                                         \
    "(SELECT " expression " FROM origin WHERE id = r.origin_id)",                                  \
        "SELECT " expression " FROM origin WHERE id = ?1"
#define CONNECTION(column)                                                                         \
    "(SELECT " column " FROM connection WHERE id = r.connection_id)",                              \
        "SELECT " column " FROM connection WHERE id = ?1"
#define SHORT_ORIGIN                                                                               \
    "scheme || '://' || host || CASE WHEN (scheme = 'http' AND port = 80) OR (scheme = 'https' "   \
    "AND port = 443) THEN '' "                                                                     \
    "ELSE ':' || port END"
#define STARTED                                                                                    \
    "(strftime('%Y-%m-%dT%H:%M:', r.start_ns / 1000000000, 'unixepoch') || "                       \
    "printf('%02d.%09dZ', r.start_ns / 1000000000 % 60, r.start_ns % 1000000000))"
#define STATE                                                                                      \
    "CASE WHEN r.connection_use > 1 THEN 'reused' "                                                \
    "WHEN (SELECT tls_resumed FROM connection WHERE id = r.connection_id) THEN 'resumed-tls' "     \
    "WHEN r.connection_use = 1 THEN 'new' END"
#define SETUP                                                                                      \
    "(coalesce(r.queue_ns, 0) + coalesce(m.proxy_ns, 0) + coalesce(m.dns_ns, 0) + "                \
    "coalesce(m.connect_ns, 0) + "                                                                 \
    "coalesce(m.tunnel_ns, 0) + coalesce(m.tls_ns, 0))"

/* clang-format off */
const np_view_column np_view_columns[NP_VIEW_COLUMNS] = {
    {"id", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_ID}, "r.id", NULL},
    {"run_id", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_RUN}, "r.run_id", NULL},
    {"process_id", NP_VIEW_NUMBER, NP_FROM_ROWS, {0}, "r.process_id", NULL},
    {"number", NP_VIEW_NUMBER, NP_FROM_ROWS, {0}, "r.number", NULL},
    {"started", NP_VIEW_TEXT, NP_FROM_ROWS, {0}, STARTED, NULL},
    {"start_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_START}, "r.start_ns", NULL},
    {"hop_of", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_HOP_OF}, "m.hop_of", NULL},
    {"hop", NP_VIEW_NUMBER, NP_FROM_ROWS, {0}, NP_SQL_HOP, NULL},
    {"hop_reason", NP_VIEW_TEXT, NP_FROM_ROWS, {0}, CODE("hop", NP_SQL_HOP_REASON)},
    {"method", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_METHOD}, WORD("r.method_id")},
    {"url", NP_VIEW_TEXT, NP_FROM_PAIR, {NP_COLUMN_ORIGIN, NP_COLUMN_PATH},
     "((SELECT " SHORT_ORIGIN " FROM origin WHERE id = r.origin_id) || (SELECT value FROM text WHERE id = r.path_id))",
     "SELECT (SELECT " SHORT_ORIGIN " FROM origin WHERE id = ?1) || (SELECT value FROM text WHERE id = ?2)"},
    {"origin", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_ORIGIN}, ORIGIN("scheme || '://' || host || ':' || port")},
    {"scheme", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_ORIGIN}, ORIGIN("scheme")},
    {"host", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_ORIGIN}, ORIGIN("host")},
    {"port", NP_VIEW_NUMBER, NP_FROM_LOOKUP, {NP_COLUMN_ORIGIN}, ORIGIN("port")},
    {"path", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_PATH}, WORD("r.path_id")},
    {"route", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_ROUTE}, WORD("r.route_id")},
    {"status", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_STATUS}, "r.status", NULL},
    {"outcome", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_OUTCOME}, CODE("outcome", "r.outcome")},
    {"failed", NP_VIEW_BOOLEAN, NP_FROM_FAILED, {NP_COLUMN_OUTCOME}, "(r.outcome <> 0)", NULL},
    {"error", NP_VIEW_TEXT, NP_FROM_ROWS, {0}, WORD("m.error_id")},
    {"web_status", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_WEB_STATUS}, "m.web_status", NULL},
    {"error_layer", NP_VIEW_TEXT, NP_FROM_ROWS, {0}, "m.error_layer", NULL},
    {"error_code", NP_VIEW_NUMBER, NP_FROM_ROWS, {0}, "m.error_code", NULL},
    {"protocol", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_PROTOCOL}, CODE("protocol", "r.protocol")},
    {"connection_id", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_CONNECTION}, "r.connection_id", NULL},
    {"connection_use", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_CONNECTION_USE}, "r.connection_use", NULL},
    {"reused", NP_VIEW_BOOLEAN, NP_FROM_REUSED, {NP_COLUMN_CONNECTION_USE}, "(r.connection_use > 1)", NULL},
    {"connection_state", NP_VIEW_TEXT, NP_FROM_STATE, {NP_COLUMN_CONNECTION_USE, NP_COLUMN_TLS_RESUMED}, STATE, NULL},
    {"remote", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_CONNECTION}, CONNECTION("remote")},
    {"tls_version", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_CONNECTION}, CONNECTION("tls_version")},
    {"tls_resumed", NP_VIEW_BOOLEAN, NP_FROM_VALUE, {NP_COLUMN_TLS_RESUMED}, CONNECTION("tls_resumed")},
    {"proxy", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_PROXY_TEXT}, WORD("m.proxy_id")},
    {"proxy_source", NP_VIEW_TEXT, NP_FROM_ROWS, {0}, CODE("proxy_source", NP_SQL_PROXY_SOURCE)},
    {"queue_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_QUEUE}, "r.queue_ns", NULL},
    {"proxy_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_PROXY}, "m.proxy_ns", NULL},
    {"dns_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_DNS}, "m.dns_ns", NULL},
    {"connect_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_CONNECT}, "m.connect_ns", NULL},
    {"tunnel_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_TUNNEL}, "m.tunnel_ns", NULL},
    {"tls_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_TLS}, "m.tls_ns", NULL},
    {"send_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_SEND}, "r.send_ns", NULL},
    {"wait_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_WAIT}, "r.wait_ns", NULL},
    {"receive_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_RECEIVE}, "r.receive_ns", NULL},
    {"gap_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_GAP}, "r.gap_ns", NULL},
    {"setup_ns", NP_VIEW_DURATION, NP_FROM_SETUP, {0}, SETUP, NULL},
    {"total_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_TOTAL}, "r.total_ns", NULL},
    {"first_byte_ns", NP_VIEW_DURATION, NP_FROM_ROWS, {0}, NP_SQL_RECEIVE_AT, NULL},
    {"caller_blocked_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_CALLER_BLOCKED}, "r.caller_blocked_ns", NULL},
    {"send_application_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_SEND_APPLICATION}, NP_SQL_SEND_APPLICATION, NULL},
    {"receive_application_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_RECEIVE_APPLICATION}, NP_SQL_RECEIVE_APPLICATION, NULL},
    {"late_ns", NP_VIEW_DURATION, NP_FROM_VALUE, {NP_COLUMN_LATE}, "r.late_ns", NULL},
    {"sent_bytes", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_SENT_BYTES}, NP_SQL_SENT_BYTES, NULL},
    {"received_bytes", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_RECEIVED_BYTES}, "r.received_bytes", NULL},
    {"dns_queries", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_DNS_QUERIES}, NP_SQL_DNS_QUERIES, NULL},
    {"connect_attempts", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_CONNECT_ATTEMPTS}, NP_SQL_CONNECT_ATTEMPTS, NULL},
    {"flags", NP_VIEW_NUMBER, NP_FROM_VALUE, {NP_COLUMN_FLAGS}, "r.flags", NULL},
};

const np_view_column np_view_label = {"label", NP_VIEW_TEXT, NP_FROM_LOOKUP, {NP_COLUMN_RUN},
    "(SELECT value FROM label WHERE run_id = r.run_id AND key = ?)", "SELECT value FROM label WHERE run_id = ?1 AND key = ?2"};
/* clang-format on */

const np_view_column *np_view_column_find(const char *name, size_t length)
{
    for (size_t i = 0; i < NP_VIEW_COLUMNS; i++)
        if (strlen(np_view_columns[i].name) == length &&
            !strncasecmp(np_view_columns[i].name, name, length))
            return &np_view_columns[i];
    return NULL;
}

uint64_t np_view_column_needs(const np_view_column *column)
{
    uint64_t needs = 0;
    switch (column->from) {
    case NP_FROM_ROWS:
        return 0;
    case NP_FROM_SETUP:
        for (int c = NP_COLUMN_QUEUE; c <= NP_COLUMN_TLS; c++)
            needs |= NP_COLUMN_BIT(c);
        break;
    case NP_FROM_PAIR:
    case NP_FROM_STATE:
        needs = NP_COLUMN_BIT(column->key[0]) | NP_COLUMN_BIT(column->key[1]);
        break;
    case NP_FROM_VALUE:
    case NP_FROM_FAILED:
    case NP_FROM_REUSED:
    case NP_FROM_LOOKUP:
        needs = NP_COLUMN_BIT(column->key[0]);
        break;
    }
    return np_columns_with_present(needs);
}

const char *np_view_state_text(int state)
{
    static const char *const texts[] = {NULL, "new", "resumed-tls", "reused"};
    return state >= 0 && state <= NP_STATE_REUSED ? texts[state] : NULL;
}
