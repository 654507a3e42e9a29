-- ---------------------------------------------------------------------------------------------------------- documented views
-- Stable: columns are only added, at the end. `--where` and `--by` know exactly the columns of `requests`, and label.KEY (--by also minute).
CREATE VIEW requests AS                      -- scalar look-ups, not joins: SQLite does not compute those nobody asked for (count(*) 4 x faster)
SELECT r.id, r.run_id, r.process_id, r.number,
  strftime('%Y-%m-%dT%H:%M:', r.start_ns / 1000000000, 'unixepoch') || printf('%02d.%09dZ', r.start_ns / 1000000000 % 60, r.start_ns % 1000000000) AS started,
  r.start_ns, r.hop_of, r.hop, (SELECT name FROM code WHERE domain = 'hop' AND code = r.hop_reason) AS hop_reason,
  (SELECT value FROM text WHERE id = r.method_id) AS method,
  (SELECT scheme || '://' || host || CASE WHEN (scheme = 'http' AND port = 80) OR (scheme = 'https' AND port = 443) THEN '' ELSE ':' || port END
     FROM origin WHERE id = r.origin_id) || (SELECT value FROM text WHERE id = r.path_id) AS url,
  (SELECT scheme || '://' || host || ':' || port FROM origin WHERE id = r.origin_id) AS origin,
  (SELECT scheme FROM origin WHERE id = r.origin_id) AS scheme, (SELECT host FROM origin WHERE id = r.origin_id) AS host,
  (SELECT port FROM origin WHERE id = r.origin_id) AS port,
  (SELECT value FROM text WHERE id = r.path_id) AS path, (SELECT value FROM text WHERE id = r.route_id) AS route,
  r.status, (SELECT name FROM code WHERE domain = 'outcome' AND code = r.outcome) AS outcome, r.outcome <> 0 AS failed,
  (SELECT value FROM text WHERE id = r.error_id) AS error, r.web_status, r.error_layer, r.error_code,
  (SELECT name FROM code WHERE domain = 'protocol' AND code = r.protocol) AS protocol,
  r.connection_id, r.connection_use, r.connection_use > 1 AS reused,
  CASE WHEN r.connection_use > 1 THEN 'reused' WHEN (SELECT tls_resumed FROM connection WHERE id = r.connection_id) THEN 'resumed-tls'
       WHEN r.connection_use = 1 THEN 'new' END AS connection_state,
  (SELECT remote FROM connection WHERE id = r.connection_id) AS remote, (SELECT tls_version FROM connection WHERE id = r.connection_id) AS tls_version,
  (SELECT tls_resumed FROM connection WHERE id = r.connection_id) AS tls_resumed,
  (SELECT value FROM text WHERE id = r.proxy_id) AS proxy, (SELECT name FROM code WHERE domain = 'proxy_source' AND code = r.proxy_source) AS proxy_source,
  r.queue_ns, r.proxy_ns, r.dns_ns, r.connect_ns, r.tunnel_ns, r.tls_ns, r.send_ns, r.wait_ns, r.receive_ns, r.gap_ns,
  coalesce(r.queue_ns,0) + coalesce(r.proxy_ns,0) + coalesce(r.dns_ns,0) + coalesce(r.connect_ns,0) + coalesce(r.tunnel_ns,0) + coalesce(r.tls_ns,0) AS setup_ns,
  r.total_ns, r.receive_at_ns AS first_byte_ns, r.caller_blocked_ns, r.send_application_ns, r.receive_application_ns, r.late_ns,
  r.sent_bytes, r.received_bytes, r.dns_queries, r.connect_attempts, r.flags
FROM request r
WHERE r.purpose = 0;                         -- the downloads of proxy scripts are in `request` and in `internal_requests`, and are never counted

CREATE VIEW internal_requests AS
SELECT r.id, r.run_id, (SELECT name FROM code WHERE domain = 'purpose' AND code = r.purpose) AS purpose, o.scheme || '://' || o.host || ':' || o.port || p.value AS url,
  r.status, r.outcome, r.start_ns, r.total_ns FROM request r JOIN origin o ON o.id = r.origin_id JOIN text p ON p.id = r.path_id WHERE r.purpose <> 0;

CREATE VIEW phases AS                        -- ten rows a request, in order, absent ones with present = 0
SELECT id AS request_id, run_id, 0 AS ordinal, 'queue' AS phase, 0 AS start_ns, coalesce(queue_ns, 0) AS duration_ns, queue_ns IS NOT NULL AS present,
  nullif(substr(hex(sources), 1, 2), '') AS boundary FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 1, 'proxy', proxy_at_ns, coalesce(proxy_ns, 0), proxy_ns IS NOT NULL, nullif(substr(hex(sources), 3, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 2, 'dns', dns_at_ns, coalesce(dns_ns, 0), dns_ns IS NOT NULL, nullif(substr(hex(sources), 5, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 3, 'connect', connect_at_ns, coalesce(connect_ns, 0), connect_ns IS NOT NULL, nullif(substr(hex(sources), 7, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 4, 'tunnel', tunnel_at_ns, coalesce(tunnel_ns, 0), tunnel_ns IS NOT NULL, nullif(substr(hex(sources), 9, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 5, 'tls', tls_at_ns, coalesce(tls_ns, 0), tls_ns IS NOT NULL, nullif(substr(hex(sources), 11, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 6, 'send', send_at_ns, coalesce(send_ns, 0), send_ns IS NOT NULL, nullif(substr(hex(sources), 13, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 7, 'wait', wait_at_ns, coalesce(wait_ns, 0), wait_ns IS NOT NULL, nullif(substr(hex(sources), 15, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 8, 'receive', receive_at_ns, coalesce(receive_ns, 0), receive_ns IS NOT NULL, nullif(substr(hex(sources), 17, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT id, run_id, 9, 'gap', NULL, gap_ns, gap_ns > 0, nullif(substr(hex(sources), 19, 2), '') FROM request WHERE purpose = 0;                               -- boundary: `sources` of its end, two hex digits: source, uncertainty

CREATE VIEW spans AS
SELECT s.id, s.request_id, s.connection_id, s.run_id, s.parent_id, (SELECT name FROM code WHERE domain = 'phase' AND code = s.phase) AS phase,
  (SELECT name FROM code WHERE domain = 'span' AND code = s.kind) AS kind, n.value AS name, s.start_ns - r.start_ns AS start_ns, s.duration_ns,
  (SELECT name FROM code WHERE domain = 'span_outcome' AND code = s.outcome) AS outcome, s.detail, s.start_ns AS unix_ns
FROM span s LEFT JOIN text n ON n.id = s.name_id LEFT JOIN request r ON r.id = s.request_id;

CREATE VIEW connections AS
SELECT c.id, c.run_id, o.scheme || '://' || o.host || ':' || o.port AS origin, x.value AS proxy, c.remote, c.local,
  (SELECT name FROM code WHERE domain = 'protocol' AND code = c.protocol) AS protocol, c.opened_ns, c.ready_ns - c.opened_ns AS setup_ns, c.closed_ns,
  c.dns_ns, c.connect_ns, c.tunnel_ns, c.tls_ns, c.tls_version, c.tls_cipher, c.alpn, c.tls_resumed, c.requests,
  (SELECT name FROM code WHERE domain = 'new_because' AND code = c.new_because) AS new_because, c.unlike_id, c.close_reason, c.sent_bytes, c.received_bytes
FROM connection c LEFT JOIN origin o ON o.id = c.origin_id LEFT JOIN text x ON x.id = c.proxy_id;

CREATE VIEW runs AS
SELECT n.id, n.uuid, n.started_ns, n.ended_ns, (SELECT name FROM code WHERE domain = 'run_state' AND code = n.state) AS state,
  (SELECT name FROM code WHERE domain = 'mode' AND code = n.mode) AS mode, n.tool, n.command, n.exit_status, n.block, n.variant, n.warmup, n.requests, n.failed, n.dropped,
  (SELECT json_group_object(key, value) FROM label WHERE run_id = n.id) AS labels, n.environment
FROM run n;

CREATE VIEW calls AS                         -- the logical request: what the caller began, all hops together
SELECT coalesce(r.hop_of, r.id) AS id, r.run_id, count(*) AS hops, min(r.start_ns) AS start_ns, max(r.start_ns + r.total_ns) - min(r.start_ns) AS total_ns,
  sum(r.total_ns) AS hops_total_ns, max(r.caller_blocked_ns) AS caller_blocked_ns, max(r.id) AS last_id
FROM request r WHERE r.purpose = 0 GROUP BY coalesce(r.hop_of, r.id);

CREATE VIEW unfinished AS
SELECT n.process_id, n.number, n.run_id, n.start_ns, n.seen_ns - n.start_ns AS age_ns, (SELECT name FROM code WHERE domain = 'phase' AND code = n.phase) AS phase, n.method, n.url
FROM running n;

CREATE VIEW problems AS                      -- must be empty: what `netphase info` and the tests ask
SELECT 'phases do not add up' AS problem, id FROM request WHERE total_ns <> gap_ns + coalesce(queue_ns,0) + coalesce(proxy_ns,0) + coalesce(dns_ns,0)
    + coalesce(connect_ns,0) + coalesce(tunnel_ns,0) + coalesce(tls_ns,0) + coalesce(send_ns,0) + coalesce(wait_ns,0) + coalesce(receive_ns,0)
UNION ALL SELECT 'negative phase', id FROM request WHERE min(gap_ns, coalesce(queue_ns,0), coalesce(proxy_ns,0), coalesce(dns_ns,0), coalesce(connect_ns,0),
    coalesce(tunnel_ns,0), coalesce(tls_ns,0), coalesce(send_ns,0), coalesce(wait_ns,0), coalesce(receive_ns,0), total_ns) < 0
UNION ALL SELECT 'a value is missing', id FROM request WHERE run_id + process_id + number + start_ns + total_ns + gap_ns + outcome + purpose + hop
    + method_id + origin_id + path_id + route_id + flags IS NULL              -- the table has no NOT NULL: it is the hot one
UNION ALL SELECT 'set-up phases on a reused connection', id FROM request WHERE connection_use > 1 AND coalesce(connect_ns, tunnel_ns, tls_ns) IS NOT NULL AND flags & 1024 = 0
UNION ALL SELECT 'no such run', id FROM request WHERE run_id NOT IN (SELECT id FROM run)
UNION ALL SELECT 'hop of nothing', id FROM request WHERE hop_of IS NOT NULL AND hop_of NOT IN (SELECT id FROM request)
UNION ALL SELECT 'run counter', n.id FROM run n WHERE n.state <> 0 AND n.requests <> (SELECT count(*) FROM request WHERE run_id = n.id AND purpose = 0)
UNION ALL SELECT 'chunks overlap', b.id FROM chunk a JOIN chunk b ON b.id = a.id + 1 WHERE b.first_id <= a.last_id;

-- --------------------------------------------------------------------------------------------------- questions it must answer
-- newest 60 rows, and the next page by key:     SELECT * FROM requests WHERE id < :last ORDER BY id DESC LIMIT 60;
-- follow:                                       SELECT * FROM requests WHERE id > :last ORDER BY id LIMIT 200;  SELECT * FROM unfinished;
-- one request:                                  SELECT * FROM phases WHERE request_id = :id;
--                                               SELECT s.* FROM request r JOIN spans s ON s.id >= r.first_span AND s.id < r.first_span + r.span_count WHERE r.id = :id;
-- slow and failing:                             SELECT id, url, total_ns FROM requests WHERE host = 'api.example' AND setup_ns > 50000000 AND status >= 500;
-- report by origin (small traces, by hand):     SELECT origin, count(*), sum(dns_ns), max(total_ns) FROM requests GROUP BY origin;
-- share of each phase:                          SELECT phase, sum(duration_ns), sum(present) FROM phases GROUP BY ordinal;
-- which connection served what:                 SELECT c.id, c.origin, c.new_because, r.id FROM connections c JOIN request r ON r.connection_id = c.id ORDER BY c.id, r.connection_use;
-- rows behind the last chunk:                   SELECT * FROM request WHERE id > (SELECT coalesce(max(last_id), 0) FROM chunk);
-- one column of all chunks:                     SELECT q.* FROM chunk c JOIN chunk_column q ON q.id = c.id * 64 + :column;
-- a gate's samples of one run and series:       SELECT connect_ns FROM requests WHERE run_id = 3 AND route = '/items/{}' AND connection_state = 'new' AND connect_ns IS NOT NULL;
