-- ---------------------------------------------------------------------------------------------------------- documented views
-- Stable: columns are only added, at the end. `--where` and `--by` know exactly the columns of `requests`, and label.KEY (--by also minute).
CREATE VIEW requests AS                      -- scalar look-ups, not joins: SQLite does not compute those nobody asked for (count(*) 4 x faster)
SELECT r.id, r.run_id, r.process_id, r.number,
  strftime('%Y-%m-%dT%H:%M:', r.start_ns / 1000000000, 'unixepoch') || printf('%02d.%09dZ', r.start_ns / 1000000000 % 60, r.start_ns % 1000000000) AS started,
  r.start_ns, (SELECT hop_of FROM request_more WHERE id = r.id) AS hop_of, coalesce((SELECT hop FROM request_more WHERE id = r.id), 0) AS hop,
  (SELECT name FROM code WHERE domain = 'hop' AND code = coalesce((SELECT hop_reason FROM request_more WHERE id = r.id), 0)) AS hop_reason,
  (SELECT value FROM text WHERE id = r.method_id) AS method,
  (SELECT scheme || '://' || host || CASE WHEN (scheme = 'http' AND port = 80) OR (scheme = 'https' AND port = 443) THEN '' ELSE ':' || port END
     FROM origin WHERE id = r.origin_id) || (SELECT value FROM text WHERE id = r.path_id) AS url,
  (SELECT scheme || '://' || host || ':' || port FROM origin WHERE id = r.origin_id) AS origin,
  (SELECT scheme FROM origin WHERE id = r.origin_id) AS scheme, (SELECT host FROM origin WHERE id = r.origin_id) AS host,
  (SELECT port FROM origin WHERE id = r.origin_id) AS port,
  (SELECT value FROM text WHERE id = r.path_id) AS path, (SELECT value FROM text WHERE id = r.route_id) AS route,
  r.status, (SELECT name FROM code WHERE domain = 'outcome' AND code = r.outcome) AS outcome, r.outcome <> 0 AS failed,
  (SELECT value FROM text WHERE id = (SELECT error_id FROM request_more WHERE id = r.id)) AS error, (SELECT web_status FROM request_more WHERE id = r.id) AS web_status,
  (SELECT error_layer FROM request_more WHERE id = r.id) AS error_layer, (SELECT error_code FROM request_more WHERE id = r.id) AS error_code,
  (SELECT name FROM code WHERE domain = 'protocol' AND code = r.protocol) AS protocol,
  r.connection_id, r.connection_use, r.connection_use > 1 AS reused,
  CASE WHEN r.connection_use > 1 THEN 'reused' WHEN (SELECT tls_resumed FROM connection WHERE id = r.connection_id) THEN 'resumed-tls'
       WHEN r.connection_use = 1 THEN 'new' END AS connection_state,
  (SELECT remote FROM connection WHERE id = r.connection_id) AS remote, (SELECT tls_version FROM connection WHERE id = r.connection_id) AS tls_version,
  (SELECT tls_resumed FROM connection WHERE id = r.connection_id) AS tls_resumed,
  (SELECT value FROM text WHERE id = (SELECT proxy_id FROM request_more WHERE id = r.id)) AS proxy,
  (SELECT name FROM code WHERE domain = 'proxy_source' AND code = coalesce((SELECT proxy_source FROM request_more WHERE id = r.id), 0)) AS proxy_source,
  r.queue_ns, (SELECT proxy_ns FROM request_more WHERE id = r.id) AS proxy_ns, (SELECT dns_ns FROM request_more WHERE id = r.id) AS dns_ns,
  (SELECT connect_ns FROM request_more WHERE id = r.id) AS connect_ns, (SELECT tunnel_ns FROM request_more WHERE id = r.id) AS tunnel_ns,
  (SELECT tls_ns FROM request_more WHERE id = r.id) AS tls_ns, r.send_ns, r.wait_ns, r.receive_ns, r.gap_ns,
  coalesce(r.queue_ns, 0) + coalesce((SELECT coalesce(proxy_ns, 0) + coalesce(dns_ns, 0) + coalesce(connect_ns, 0) + coalesce(tunnel_ns, 0) + coalesce(tls_ns, 0)
    FROM request_more WHERE id = r.id), 0) AS setup_ns,
  r.total_ns, CASE WHEN r.receive_ns IS NOT NULL THEN coalesce((SELECT coalesce(m.receive_at_ns, coalesce(m.wait_at_ns, r.send_at_ns + r.send_ns) + r.wait_ns)
    FROM request_more m WHERE m.id = r.id), r.send_at_ns + r.send_ns + r.wait_ns) END AS first_byte_ns, r.caller_blocked_ns,
  coalesce((SELECT send_application_ns FROM request_more WHERE id = r.id), CASE WHEN r.flags & 2048 AND r.send_ns IS NOT NULL THEN 0 END) AS send_application_ns,
  coalesce((SELECT receive_application_ns FROM request_more WHERE id = r.id), CASE WHEN r.flags & 2048 AND r.receive_ns IS NOT NULL THEN 0 END) AS receive_application_ns,
  r.late_ns, nullif(coalesce((SELECT sent_bytes FROM request_more WHERE id = r.id), r.received_bytes * 0), -1) AS sent_bytes, r.received_bytes,
  coalesce((SELECT dns_queries FROM request_more WHERE id = r.id), CASE WHEN r.flags & 2048 THEN 0 END) AS dns_queries,
  coalesce((SELECT connect_attempts FROM request_more WHERE id = r.id), CASE WHEN r.flags & 2048 THEN 0 END) AS connect_attempts, r.flags
FROM request r
WHERE r.purpose = 0;                         -- the downloads of proxy scripts are in `request` and in `internal_requests`, and are never counted

CREATE VIEW internal_requests AS
SELECT r.id, r.run_id, (SELECT name FROM code WHERE domain = 'purpose' AND code = r.purpose) AS purpose, o.scheme || '://' || o.host || ':' || o.port || p.value AS url,
  r.status, r.outcome, r.start_ns, r.total_ns FROM request r JOIN origin o ON o.id = r.origin_id JOIN text p ON p.id = r.path_id WHERE r.purpose <> 0;

CREATE VIEW phases AS                        -- ten rows a request, in order, absent ones with present = 0; boundary: `sources` of its end, two hex digits: source, uncertainty
SELECT id AS request_id, run_id, 0 AS ordinal, 'queue' AS phase, 0 AS start_ns, coalesce(queue_ns, 0) AS duration_ns, queue_ns IS NOT NULL AS present,
  nullif(substr(hex(sources), 1, 2), '') AS boundary FROM request WHERE purpose = 0
UNION ALL SELECT r.id, r.run_id, 1, 'proxy', m.proxy_at_ns, coalesce(m.proxy_ns, 0), m.proxy_ns IS NOT NULL, nullif(substr(hex(r.sources), 3, 2), '')
  FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0
UNION ALL SELECT r.id, r.run_id, 2, 'dns', m.dns_at_ns, coalesce(m.dns_ns, 0), m.dns_ns IS NOT NULL, nullif(substr(hex(r.sources), 5, 2), '')
  FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0
UNION ALL SELECT r.id, r.run_id, 3, 'connect', m.connect_at_ns, coalesce(m.connect_ns, 0), m.connect_ns IS NOT NULL, nullif(substr(hex(r.sources), 7, 2), '')
  FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0
UNION ALL SELECT r.id, r.run_id, 4, 'tunnel', m.tunnel_at_ns, coalesce(m.tunnel_ns, 0), m.tunnel_ns IS NOT NULL, nullif(substr(hex(r.sources), 9, 2), '')
  FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0
UNION ALL SELECT r.id, r.run_id, 5, 'tls', m.tls_at_ns, coalesce(m.tls_ns, 0), m.tls_ns IS NOT NULL, nullif(substr(hex(r.sources), 11, 2), '')
  FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0
UNION ALL SELECT id, run_id, 6, 'send', send_at_ns, coalesce(send_ns, 0), send_ns IS NOT NULL, nullif(substr(hex(sources), 13, 2), '') FROM request WHERE purpose = 0
UNION ALL SELECT r.id, r.run_id, 7, 'wait', CASE WHEN r.wait_ns IS NOT NULL THEN coalesce(m.wait_at_ns, r.send_at_ns + r.send_ns) END, coalesce(r.wait_ns, 0),
  r.wait_ns IS NOT NULL, nullif(substr(hex(r.sources), 15, 2), '') FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0
UNION ALL SELECT r.id, r.run_id, 8, 'receive', CASE WHEN r.receive_ns IS NOT NULL THEN coalesce(m.receive_at_ns, coalesce(m.wait_at_ns, r.send_at_ns + r.send_ns) + r.wait_ns) END,
  coalesce(r.receive_ns, 0), r.receive_ns IS NOT NULL, nullif(substr(hex(r.sources), 17, 2), '') FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0
UNION ALL SELECT id, run_id, 9, 'gap', NULL, gap_ns, gap_ns > 0, nullif(substr(hex(sources), 19, 2), '') FROM request WHERE purpose = 0;

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
SELECT coalesce(m.hop_of, r.id) AS id, r.run_id, count(*) AS hops, min(r.start_ns) AS start_ns, max(r.start_ns + r.total_ns) - min(r.start_ns) AS total_ns,
  sum(r.total_ns) AS hops_total_ns, max(r.caller_blocked_ns) AS caller_blocked_ns, max(r.id) AS last_id
FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.purpose = 0 GROUP BY coalesce(m.hop_of, r.id);

CREATE VIEW unfinished AS
SELECT n.process_id, n.number, n.run_id, n.start_ns, n.seen_ns - n.start_ns AS age_ns, (SELECT name FROM code WHERE domain = 'phase' AND code = n.phase) AS phase, n.method, n.url
FROM running n;

CREATE VIEW problems AS                      -- must be empty: what `netphase info` and the tests ask
SELECT 'phases do not add up' AS problem, r.id FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE r.total_ns <> r.gap_ns + coalesce(r.queue_ns, 0)
    + coalesce(m.proxy_ns, 0) + coalesce(m.dns_ns, 0) + coalesce(m.connect_ns, 0) + coalesce(m.tunnel_ns, 0) + coalesce(m.tls_ns, 0) + coalesce(r.send_ns, 0)
    + coalesce(r.wait_ns, 0) + coalesce(r.receive_ns, 0)
UNION ALL SELECT 'negative phase', r.id FROM request r LEFT JOIN request_more m ON m.id = r.id WHERE min(r.gap_ns, coalesce(r.queue_ns, 0), coalesce(m.proxy_ns, 0),
    coalesce(m.dns_ns, 0), coalesce(m.connect_ns, 0), coalesce(m.tunnel_ns, 0), coalesce(m.tls_ns, 0), coalesce(r.send_ns, 0), coalesce(r.wait_ns, 0),
    coalesce(r.receive_ns, 0), r.total_ns) < 0
UNION ALL SELECT 'a value is missing', id FROM request WHERE run_id + process_id + number + start_ns + total_ns + gap_ns + outcome + purpose
    + method_id + origin_id + path_id + route_id + flags IS NULL              -- the table has no NOT NULL: it is the hot one
UNION ALL SELECT 'set-up phases on a reused connection', r.id FROM request_more m JOIN request r ON r.id = m.id WHERE r.connection_use > 1
    AND coalesce(m.connect_ns, m.tunnel_ns, m.tls_ns) IS NOT NULL AND r.flags & 1024 = 0
UNION ALL SELECT 'more of nothing', id FROM request_more WHERE id NOT IN (SELECT id FROM request)
UNION ALL SELECT 'no such run', id FROM request WHERE run_id NOT IN (SELECT id FROM run)
UNION ALL SELECT 'hop of nothing', id FROM request_more WHERE hop_of IS NOT NULL AND hop_of NOT IN (SELECT id FROM request)
UNION ALL SELECT 'run counter', n.id FROM run n WHERE n.state <> 0 AND n.requests <> (SELECT count(*) FROM request WHERE run_id = n.id AND purpose = 0)
UNION ALL SELECT 'chunks overlap', b.id FROM chunk a JOIN chunk b ON b.id = a.id + 1 WHERE b.first_id <= a.last_id;

-- --------------------------------------------------------------------------------------------------- questions it must answer
-- newest 60 rows, and the next page by key:     SELECT * FROM requests WHERE id < :last ORDER BY id DESC LIMIT 60;
-- follow:                                       SELECT * FROM requests WHERE id > :last ORDER BY id LIMIT 200;  SELECT * FROM unfinished;
-- one request:                                  SELECT * FROM phases WHERE request_id = :id;
--                                               SELECT s.* FROM request_more m JOIN spans s ON s.id >= m.first_span AND s.id < m.first_span + m.span_count WHERE m.id = :id;
-- slow and failing:                             SELECT id, url, total_ns FROM requests WHERE host = 'api.example' AND setup_ns > 50000000 AND status >= 500;
-- report by origin (small traces, by hand):     SELECT origin, count(*), sum(dns_ns), max(total_ns) FROM requests GROUP BY origin;
-- share of each phase:                          SELECT phase, sum(duration_ns), sum(present) FROM phases GROUP BY ordinal;
-- which connection served what:                 SELECT c.id, c.origin, c.new_because, r.id FROM connections c JOIN request r ON r.connection_id = c.id ORDER BY c.id, r.connection_use;
-- rows behind the last chunk:                   SELECT * FROM request WHERE id > (SELECT coalesce(max(last_id), 0) FROM chunk);
-- one column of all chunks:                     SELECT q.* FROM chunk c JOIN chunk_column q ON q.id = c.id * 64 + :column;
-- a gate's samples of one run and series:       SELECT connect_ns FROM requests WHERE run_id = 3 AND route = '/items/{}' AND connection_state = 'new' AND connect_ns IS NOT NULL;
