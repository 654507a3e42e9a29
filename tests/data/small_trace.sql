-- A small trace with round figures: 40 requests to two origins in two runs, the first eight on new connections (two of them resumed), the last one
-- failed while it connected. Loaded behind the schema. All phases add up; the view `problems` is empty.
INSERT INTO run (id, uuid, started_ns, ended_ns, state, mode, detail, tool, command, exit_status, environment, requests, failed, dropped) VALUES
 (1, '5f1c53d4-4a3b-4a6e-9f7e-0d6f3b1a0001', 1795435466000000000, 1795435468000000000, 1, 0, 1, 'netphase 0.1.0', 'netphase record https://api.example/v1/items', 0, '{"kernel":"6.1"}', 20, 0, 0),
 (2, '5f1c53d4-4a3b-4a6e-9f7e-0d6f3b1a0002', 1795435469000000000, 1795435471000000000, 1, 0, 1, 'netphase 0.1.0', NULL, 0, '{}', 20, 1, 0);
INSERT INTO label VALUES (1, 'commit', '91ab0e2'), (2, 'commit', '4be1c09'), (1, 'branch', 'main'), (2, 'branch', 'main');
INSERT INTO clock VALUES (1, 1000000000, 1795435466000000000), (2, 4000000000, 1795435469000000000);
INSERT INTO process VALUES (1, 1, 100, 1, 'netphase-net', 1795435466000000000), (2, 2, 101, 1, 'netphase-net', 1795435469000000000);
INSERT INTO origin VALUES (1, 'https', 'api.example', 443), (2, 'http', 'cdn.example', 8080);
INSERT INTO text VALUES (1, 'GET'), (2, '/v1/items'), (3, '/v1/orders?q=*'), (4, '/v1/orders'), (5, 'no answer from 192.0.2.9:443'), (6, 'http://px1.corp:3128'),
 (10, 'A api.example'), (11, 'AAAA api.example'), (12, '192.0.2.7:443'), (13, '[2001:db8::7]:443'), (14, 'api.example'), (15, '192.0.2.9:443');
INSERT INTO connection (id, run_id, origin_id, process_id, number, opened_ns, ready_ns, closed_ns, dns_ns, connect_ns, tls_ns, remote, local, protocol, new_because,
                        tls_version, tls_cipher, alpn, tls_resumed, requests, sent_bytes, received_bytes, close_reason)
 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8)
 SELECT i, CASE WHEN i <= 4 THEN 1 ELSE 2 END, 1 + (i % 4 = 0), CASE WHEN i <= 4 THEN 1 ELSE 2 END, i, 1795435466000000000 + i * 100000000, 1795435466000000000 + i * 100000000 + 75000000, NULL,
        2000000, 20000000, CASE WHEN i % 4 THEN 50000000 END, '192.0.2.7:443', '192.0.2.1:' || (50000 + i), CASE WHEN i % 4 THEN 20 ELSE 11 END, CASE WHEN i = 1 THEN 1 ELSE 3 END,
        CASE WHEN i % 4 THEN '1.3' END, CASE WHEN i % 4 THEN 'TLS_AES_256_GCM_SHA384' END, CASE WHEN i % 4 THEN 'h2' END, CASE WHEN i % 4 THEN i IN (3, 7) END, 5, 0, 6000, NULL FROM n;
-- ids 1 … 20 in run 1, 21 … 40 in run 2; every fifth is on a new connection
INSERT INTO request (id, run_id, process_id, number, start_ns, total_ns, outcome, purpose, method_id, origin_id, path_id, route_id, status, protocol, connection_id, connection_use,
                     queue_ns, send_ns, wait_ns, receive_ns, gap_ns, send_at_ns, caller_blocked_ns, received_bytes, flags)
 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 39),
  r AS (SELECT i, (i - 1) / 5 + 1 AS c, (i - 1) % 5 = 0 AS fresh, ((i - 1) / 5 + 1) % 4 = 0 AS plain FROM n),
  p AS (SELECT *, 100000 AS queue, CASE WHEN fresh THEN 2000000 + i * 100000 END AS dns, CASE WHEN fresh THEN 20000000 END AS tcp,
               CASE WHEN fresh AND NOT plain THEN CASE WHEN c IN (3, 7) THEN 20000000 ELSE 50000000 END END AS tls FROM r)
 SELECT i, CASE WHEN i <= 20 THEN 1 ELSE 2 END, CASE WHEN i <= 20 THEN 1 ELSE 2 END, i, 1795435466000000000 + i * 100000000,
        queue + coalesce(dns, 0) + coalesce(tcp, 0) + coalesce(tls, 0) + 50000 + 60000000 + i * 1000000 + 1200000 + 10000, 0, 0,
        1, 1 + plain, CASE WHEN i % 2 THEN 2 ELSE 3 END, CASE WHEN i % 2 THEN 2 ELSE 4 END, CASE WHEN i % 10 = 7 THEN 503 ELSE 200 END, CASE WHEN plain THEN 11 ELSE 20 END, c, (i - 1) % 5 + 1,
        queue, 50000, 60000000 + i * 1000000, 1200000, 10000, queue + coalesce(dns, 0) + coalesce(tcp, 0) + coalesce(tls, 0), 5000 + i * 10, 1310, 0 FROM p;
INSERT INTO request_more (id, dns_ns, connect_ns, tls_ns, dns_at_ns, connect_at_ns, tls_at_ns, dns_queries, connect_attempts)
 SELECT id, 2000000 + id * 100000, 20000000, total_ns - queue_ns - (2000000 + id * 100000) - 20000000 - send_ns - wait_ns - receive_ns - gap_ns, 100000, 2100000 + id * 100000,
        22100000 + id * 100000, 2, 1 FROM request WHERE connection_use = 1;
UPDATE request_more SET tls_ns = NULL, tls_at_ns = NULL WHERE tls_ns = 0;
INSERT INTO request_more (id, dns_queries, connect_attempts) SELECT id, 0, 0 FROM request WHERE connection_use > 1;
INSERT INTO request (id, run_id, process_id, number, start_ns, total_ns, outcome, purpose, method_id, origin_id, path_id, route_id, queue_ns, gap_ns, caller_blocked_ns, flags)
 VALUES (40, 2, 2, 40, 1795435470000000000, 30002100000, 3, 0, 1, 1, 2, 2, 100000, 0, 5400, 0);
INSERT INTO request_more (id, dns_ns, connect_ns, dns_at_ns, connect_at_ns, dns_queries, connect_attempts, web_status, error_layer, error_code, error_id, first_span, span_count)
 VALUES (40, 2000000, 30000000000, 100000, 2100000, 2, 1, 14, 'os', 110, 5, 7, 1);
INSERT INTO span (id, request_id, connection_id, run_id, parent_id, phase, kind, outcome, start_ns, duration_ns, name_id, detail) VALUES
 (1, 1, 1, 1, NULL, 2, 2, 0, 1795435466100100000, 2100000, 14, NULL),
 (2, 1, 1, 1, 1, 2, 1, 0, 1795435466100110000, 1900000, 10, '{"server":"192.0.2.53:53","ttl_s":60,"addresses":["192.0.2.7"]}'),
 (3, 1, 1, 1, 1, 2, 1, 4, 1795435466100120000, 2000000, 11, '{"server":"192.0.2.53:53"}'),
 (4, 1, 1, 1, NULL, 3, 3, 0, 1795435466102210000, 19990000, 12, NULL),
 (5, 1, 1, 1, NULL, 3, 3, 3, 1795435466105210000, 16990000, 13, NULL),
 (6, 1, 1, 1, NULL, 5, 4, 0, 1795435466122210000, 49900000, 14, NULL),
 (7, 40, NULL, 2, NULL, 3, 3, 2, 1795435470002100000, 30000000000, 15, '{"errno":110}');
UPDATE request_more SET first_span = 1, span_count = 6 WHERE id = 1;
