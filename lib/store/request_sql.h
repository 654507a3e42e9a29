/*
 * Requests in SQL: `request r` with its row of `request_more m`, where there is one, and what the
 * columns of the two come to (schema/0001_trace.sql says what stands for a value that is not
 * stored). Floor 2; constant texts.
 */
#ifndef NP_STORE_REQUEST_SQL_H
#define NP_STORE_REQUEST_SQL_H

#define NP_SQL_REQUEST "request r LEFT JOIN request_more m ON m.id = r.id"

#define NP_SQL_COUNTED "(r.flags & 2048)" /* NP_FLAG_COUNTED */

#define NP_SQL_HOP          "coalesce(m.hop, 0)"
#define NP_SQL_HOP_REASON   "coalesce(m.hop_reason, 0)"
#define NP_SQL_PROXY_SOURCE "coalesce(m.proxy_source, 0)"
#define NP_SQL_SPAN_COUNT   "coalesce(m.span_count, 0)"
#define NP_SQL_WAIT_AT                                                                             \
    "(CASE WHEN r.wait_ns IS NOT NULL THEN coalesce(m.wait_at_ns, r.send_at_ns + r.send_ns) END)"
#define NP_SQL_RECEIVE_AT                                                                          \
    "(CASE WHEN r.receive_ns IS NOT NULL THEN coalesce(m.receive_at_ns, coalesce(m.wait_at_ns, "   \
    "r.send_at_ns + r.send_ns) + r.wait_ns) END)"
#define NP_SQL_SEND_APPLICATION                                                                    \
    "coalesce(m.send_application_ns, CASE WHEN " NP_SQL_COUNTED                                    \
    " AND r.send_ns IS NOT NULL THEN 0 END)"
#define NP_SQL_RECEIVE_APPLICATION                                                                 \
    "coalesce(m.receive_application_ns, CASE WHEN " NP_SQL_COUNTED                                 \
    " AND r.receive_ns IS NOT NULL THEN 0 END)"
#define NP_SQL_SENT_BYTES  "nullif(coalesce(m.sent_bytes, r.received_bytes * 0), -1)"
#define NP_SQL_DNS_QUERIES "coalesce(m.dns_queries, CASE WHEN " NP_SQL_COUNTED " THEN 0 END)"
#define NP_SQL_CONNECT_ATTEMPTS                                                                    \
    "coalesce(m.connect_attempts, CASE WHEN " NP_SQL_COUNTED " THEN 0 END)"

#endif
