/* The columns of a chunk; see chunk_column.h. Floor 2. */
#include "chunk_column.h"

#include "request_sql.h"

#include <netphase/phase.h>

#include <stddef.h>

#define ALWAYS (-1)

static const struct column {
    const char *sql;
    int present_bit; /* stored: never changes */
} columns_table[NP_COLUMNS] = {
  /* clang-format off */
    [NP_COLUMN_ID]                  = {"r.id", ALWAYS},
    [NP_COLUMN_PRESENT]             = {NULL, ALWAYS},
    [NP_COLUMN_RUN]                 = {"r.run_id", ALWAYS},
    [NP_COLUMN_START]               = {"r.start_ns", ALWAYS},
    [NP_COLUMN_TOTAL]               = {"r.total_ns", ALWAYS},
    [NP_COLUMN_QUEUE]               = {"r.queue_ns", NP_PHASE_QUEUE},
    [NP_COLUMN_PROXY]               = {"m.proxy_ns", NP_PHASE_PROXY},
    [NP_COLUMN_DNS]                 = {"m.dns_ns", NP_PHASE_DNS},
    [NP_COLUMN_CONNECT]             = {"m.connect_ns", NP_PHASE_CONNECT},
    [NP_COLUMN_TUNNEL]              = {"m.tunnel_ns", NP_PHASE_TUNNEL},
    [NP_COLUMN_TLS]                 = {"m.tls_ns", NP_PHASE_TLS},
    [NP_COLUMN_SEND]                = {"r.send_ns", NP_PHASE_SEND},
    [NP_COLUMN_WAIT]                = {"r.wait_ns", NP_PHASE_WAIT},
    [NP_COLUMN_RECEIVE]             = {"r.receive_ns", NP_PHASE_RECEIVE},
    [NP_COLUMN_GAP]                 = {"r.gap_ns", NP_PHASE_GAP},
    [NP_COLUMN_CALLER_BLOCKED]      = {"r.caller_blocked_ns", 11},
    [NP_COLUMN_SEND_APPLICATION]    = {NP_SQL_SEND_APPLICATION, 18},
    [NP_COLUMN_RECEIVE_APPLICATION] = {NP_SQL_RECEIVE_APPLICATION, 19},
    [NP_COLUMN_LATE]                = {"r.late_ns", 20},
    [NP_COLUMN_METHOD]              = {"r.method_id", ALWAYS},
    [NP_COLUMN_ORIGIN]              = {"r.origin_id", ALWAYS},
    [NP_COLUMN_ROUTE]               = {"r.route_id", ALWAYS},
    [NP_COLUMN_PATH]                = {"r.path_id", ALWAYS},
    [NP_COLUMN_STATUS]              = {"r.status", 13},
    [NP_COLUMN_PROTOCOL]            = {"r.protocol", 16},
    [NP_COLUMN_CONNECTION]          = {"r.connection_id", 17},
    [NP_COLUMN_CONNECTION_USE]      = {"r.connection_use", 21},
    [NP_COLUMN_PROXY_TEXT]          = {"m.proxy_id", 22},
    [NP_COLUMN_OUTCOME]             = {"r.outcome", ALWAYS},
    [NP_COLUMN_PURPOSE]             = {"r.purpose", ALWAYS},
    [NP_COLUMN_HOP_OF]              = {"m.hop_of", 10},
    [NP_COLUMN_SENT_BYTES]          = {NP_SQL_SENT_BYTES, 23},
    [NP_COLUMN_RECEIVED_BYTES]      = {"r.received_bytes", 24},
    [NP_COLUMN_DNS_QUERIES]         = {NP_SQL_DNS_QUERIES, 14},
    [NP_COLUMN_CONNECT_ATTEMPTS]    = {NP_SQL_CONNECT_ATTEMPTS, 15},
    [NP_COLUMN_FLAGS]               = {"r.flags", ALWAYS},
    [NP_COLUMN_WEB_STATUS]          = {"m.web_status", 12},
    [NP_COLUMN_TLS_RESUMED]         = {"(SELECT tls_resumed FROM connection WHERE id = r.connection_id)", 25},
  /* clang-format on */
};

int np_chunk_present_bit(np_chunk_column column)
{
    return columns_table[column].present_bit;
}

const char *np_chunk_sql(np_chunk_column column)
{
    return columns_table[column].sql;
}

uint64_t np_columns_with_present(uint64_t mask)
{
    for (int c = 0; c < NP_COLUMNS; c++)
        if ((mask & NP_COLUMN_BIT(c)) && np_chunk_present_bit((np_chunk_column)c) >= 0)
            return mask | NP_COLUMN_BIT(NP_COLUMN_PRESENT);
    return mask;
}
