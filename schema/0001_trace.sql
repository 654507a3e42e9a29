-- netphase trace, schema version 1. Documented views: views.sql.
-- Loads in SQLite 3.40.1:  cat schema/0001_trace.sql schema/views.sql | sqlite3 t.db
--
-- The ideas, in order of weight
--  1. One row of `request` is one HOP: one request line on one connection. Redirect, 401/407 and retry hops are rows of their own that
--     point at the first (`hop_of`). The logical request (what the caller began) is the view `calls`. A proxy that is tried and fails
--     before any request byte was sent is no hop: its lookups and attempts are spans of the same row.
--  2. A connection is an entity with a life of its own: set-up once, any number of requests, at the same time with HTTP/2. dns, connect,
--     tunnel and tls belong to the one request that caused the set-up; a request that waits for a set-up another one started has that
--     time in `queue` and a span `wait_for_connection`; a reusing request has those phases absent (NULL), never 0.
--  3. Phases are sets of pieces of time that never overlap: `<phase>_ns` is their sum, `<phase>_at_ns` where the first begins. Usually
--     there is one piece. More come from proxy failover (dns and connect twice) and from a buffered upload (the time in which the program
--     fills its buffer is the first piece of `send`, tls follows it); then each is a span of kind `piece`.
--     queue + proxy + dns + connect + tunnel + tls + send + wait + receive + gap = total, in integers, for every row.
--  4. `id` is given out when a row is written, so it grows in the order of completion, and "what is new" is `id > last seen`, with several
--     writers too. The order of starts is `start_ns`. What the producer calls the request is (`process_id`, `number`).
--  5. Every request that ended is a row; one that has not is in `running`, so that a reader sees it and a killed process loses nothing:
--     the collector may move a ring's tail past a request's events only in the transaction that stores them, in `request` or in `running`,
--     and stores the new tail in that same transaction (`ring.consumed`). Hence recovery is exact: read the left-over ring from `consumed`,
--     skip numbers that are already among the newest rows (a ring holds a bounded number of them), add what `running` has, write the
--     unfinished ones as outcome `interrupted`. A short request never touches `running`: the tail waits for it, up to half the ring or 1 s.
--  6. `chunk` and `chunk_column` are a pure function of rows: as soon as 4,096 rows lie behind the last chunk, whoever commits next turns
--     them into columns, with the same code as `info --rebuild`. Readers take chunks, then step the rows behind the last chunk (never more than a few
--     thousand). So there are no small chunks to merge and nothing to repair. One row a column: a question reads only the columns it names.
--     Width 1, 2, 4 or 8 bytes is chosen per column and chunk: 4-byte nanoseconds end at 4.29 s, and a proxy script takes 60.
--  7. Spans are rows, not a packed BLOB: the plain sqlite3 shell must read them. A request on a reused connection has few or none, so the rate of rows
--     is that of connection set-ups, which cost 80 to 650 us of CPU each anyway; everything a warm request has fits in its row.
--  8. Names of small numbers are data (`code`), so an older reader shows a newer code by its name. A test compares `code` with phase.h.
--  9. Texts once, in `text`, without an index on the value: a writer keeps a bounded dictionary in memory; a value may stand there twice, so group
--     by the value, not by its id. Everything in it went through redaction before it came here.
-- Measured, synthetic, 2 % of the requests on new connections, 8 events a request: 14.7 bytes an event in rows and chunks together. count(*) over
-- `requests` does not look at `request_more`; sums over the view `phases` are for small traces.
--
-- Absolute times: Unix ns (made from CLOCK_MONOTONIC and the run's clock pairs). `*_at_ns`: ns since the row's start_ns. Durations: ns.
-- References are not enforced while recording (PRAGMA foreign_keys off); `info` checks them with the view `problems`.

PRAGMA page_size = 16384;                    -- before the first table
PRAGMA application_id = 1313887314;          -- 'NPTR'
PRAGMA user_version = 1;
-- PRAGMA journal_mode = WAL;                -- by the writer, on the new file; file mode 0600 before anything is written

-- ---------------------------------------------------------------------------------------------------------------- vocabulary
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('format', 'netphase trace'), ('schema', '1'), ('phases', '1');      -- 'phases': version of the rules that cut them

CREATE TABLE code (domain TEXT NOT NULL, code INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (domain, code)) STRICT, WITHOUT ROWID;
INSERT INTO code VALUES
 ('phase',0,'queue'),('phase',1,'proxy'),('phase',2,'dns'),('phase',3,'connect'),('phase',4,'tunnel'),('phase',5,'tls'),
 ('phase',6,'send'),('phase',7,'wait'),('phase',8,'receive'),('phase',9,'gap'),
 ('outcome',0,'ok'),                         -- a complete final response, whatever its status
 ('outcome',1,'failed'),('outcome',2,'aborted'),('outcome',3,'timeout'),
 ('outcome',4,'interrupted'),                -- the process ended first
 ('purpose',0,'request'),('purpose',1,'pac'),('purpose',2,'wpad'),('purpose',3,'crl'),       -- other than 0: sent by netphase itself
 ('hop',0,'first'),('hop',1,'redirect'),('hop',2,'auth'),('hop',3,'proxy_auth'),('hop',4,'retry'),('hop',5,'expect_failed'),
 ('protocol',9,'http/0.9'),('protocol',10,'http/1.0'),('protocol',11,'http/1.1'),('protocol',20,'h2'),('protocol',30,'h3'),
 ('mode',0,'library'),('mode',1,'attach'),('mode',2,'preload'),('mode',3,'import'),
 ('detail',0,'phases'),('detail',1,'spans'),('detail',2,'headers'),('detail',3,'wire'),
 ('run_state',0,'recording'),('run_state',1,'closed'),('run_state',2,'recovered'),
 ('proxy_source',0,'none'),('proxy_source',1,'explicit'),('proxy_source',2,'config'),('proxy_source',3,'environment'),
 ('proxy_source',4,'system'),('proxy_source',5,'pac'),('proxy_source',6,'wpad'),
 ('span',0,'piece'),('span',1,'query'),('span',2,'lookup'),('span',3,'attempt'),('span',4,'handshake'),('span',5,'proxy_handshake'),
 ('span',6,'connect_request'),('span',7,'socks'),('span',8,'source'),('span',9,'pac_fetch'),('span',10,'pac_eval'),('span',11,'pac_call'),
 ('span',12,'wpad_probe'),('span',13,'wait_for_connection'),('span',14,'wait_for_slot'),('span',15,'continue_wait'),
 ('span',16,'application'),                  -- the program gave or took no data
 ('span',17,'lateness'),                     -- the kernel had it, our loop had not looked
 ('span',18,'ca_load'),('span',19,'verify'),('span',20,'informational'),('span',21,'callback'),('span',22,'proxy_try'),('span',23,'rejected_call'),
 ('span_outcome',0,'ok'),('span_outcome',1,'failed'),('span_outcome',2,'timeout'),('span_outcome',3,'abandoned'),('span_outcome',4,'nodata'),
 ('span_outcome',5,'nxdomain'),('span_outcome',6,'refused'),('span_outcome',7,'unreachable'),('span_outcome',8,'skipped'),('span_outcome',9,'unfinished'),
 ('new_because',0,'unknown'),('new_because',1,'first'),('new_because',2,'forced'),('new_because',3,'all_busy'),('new_because',4,'peer_closed'),
 ('new_because',5,'dead_on_reuse'),('new_because',6,'too_old'),('new_because',7,'options_differ'),('new_because',8,'proxy_differs'),('new_because',9,'evicted'),('new_because',10,'lease_over'),('new_because',11,'group_differs'),
 ('source',0,'none'),('source',1,'call'),('source',2,'syscall'),('source',3,'kernel'),('source',4,'callback'),('source',5,'info'),('source',6,'text'),('source',7,'import');

CREATE TABLE text (id INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE origin (                        -- few rows, kept unique
  id INTEGER PRIMARY KEY, scheme TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL, UNIQUE (scheme, host, port)) STRICT;

-- ------------------------------------------------------------------------------------------------------- who recorded, and how
CREATE TABLE run (                           -- one `record`, one `run -- CMD` with its children, one side of an `ab` block, one import
  id INTEGER PRIMARY KEY, uuid TEXT NOT NULL,
  started_ns INTEGER NOT NULL, ended_ns INTEGER,
  state INTEGER NOT NULL DEFAULT 0, mode INTEGER NOT NULL DEFAULT 0, detail INTEGER NOT NULL DEFAULT 1,
  tool TEXT NOT NULL,                        -- "netphase 0.1.0"
  command TEXT,                              -- redacted
  exit_status INTEGER,
  environment TEXT NOT NULL DEFAULT '{}',    -- JSON: the fingerprint of the gate (kernel, processor, libcurl, tls, resolvers, proxy, network)
  block INTEGER, variant TEXT, warmup INTEGER NOT NULL DEFAULT 0,          -- `ab`: pair number, 'base' or 'head'
  requests INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,  -- counters kept by the collector: nobody waits for count(*)
  dropped INTEGER NOT NULL DEFAULT 0         -- events lost in full rings or when the file could not be written
) STRICT;
CREATE TABLE label (run_id INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run_id, key)) STRICT, WITHOUT ROWID;
CREATE TABLE clock (run_id INTEGER NOT NULL, mono_ns INTEGER NOT NULL, unix_ns INTEGER NOT NULL, PRIMARY KEY (run_id, mono_ns)) STRICT, WITHOUT ROWID;
-- One row a producer: a program that records with two contexts has two rows with one pid, so that (process, number) names one request.
CREATE TABLE process (id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, pid INTEGER NOT NULL, parent_pid INTEGER, command TEXT, started_ns INTEGER NOT NULL) STRICT;
CREATE TABLE ring (                          -- exactly-once: `consumed` moves in the transaction that stores what was consumed
  id INTEGER PRIMARY KEY, process_id INTEGER NOT NULL, thread INTEGER NOT NULL,
  file TEXT NOT NULL,                        -- name beside the trace; its owner holds a lock on it, so "no lock" means "left over"
  generation TEXT NOT NULL,                  -- random, also in the ring's header: a foreign or reused file is not taken for this one
  consumed INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0, closed INTEGER NOT NULL DEFAULT 0,
  rows_after INTEGER NOT NULL DEFAULT 0) STRICT; -- the last request id when the ring was made: its requests have larger ones

-- ------------------------------------------------------------------------------------------------------------ connections
CREATE TABLE connection (                    -- written when set-up ended (also when it failed), updated once when it is closed
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, origin_id INTEGER NOT NULL, proxy_id INTEGER,
  process_id INTEGER NOT NULL DEFAULT 0, number INTEGER NOT NULL DEFAULT 0,   -- what the producer calls it: events of a left-over ring find their row by it
  opened_ns INTEGER NOT NULL, ready_ns INTEGER, closed_ns INTEGER,
  dns_ns INTEGER, connect_ns INTEGER, tunnel_ns INTEGER, tls_ns INTEGER,
  remote TEXT, local TEXT,                   -- "192.0.2.1:443", "[2001:db8::1]:443"
  protocol INTEGER, new_because INTEGER NOT NULL DEFAULT 0, unlike_id INTEGER,   -- the idle connection that did not fit, where there is one
  tls_version TEXT, tls_cipher TEXT, alpn TEXT, tls_resumed INTEGER, early_data INTEGER, certificate TEXT,   -- JSON, short
  requests INTEGER NOT NULL DEFAULT 0, sent_bytes INTEGER, received_bytes INTEGER, close_reason TEXT) STRICT;

-- ------------------------------------------------------------------------------------------------------------ the hot table
-- One row of `request` is what every request has; what only some have (set-up, hops, proxies, failures, spans) is the row of `request_more` with the
-- same id, which is there only where one of its values differs from what stands behind it in the comments: a warm request has none. Read both through
-- the views. Not STRICT and without NOT NULL, alone of all tables: SQLite would check every value of every row that only the writer makes.
CREATE TABLE request (
  run_id INTEGER, process_id INTEGER,
  number INTEGER,                            -- the producer's number, unique in the process
  start_ns INTEGER,                          -- Unix ns; hop 0: the entry of the begin call; later hops: the end of the hop before
  total_ns INTEGER,
  outcome INTEGER, purpose INTEGER,
  method_id INTEGER, origin_id INTEGER,
  path_id INTEGER,                           -- path and query, redacted, as sent
  route_id INTEGER,                          -- path without query, numbers, UUIDs and long hex words as {}: the gate's series
  status INTEGER,                            -- final HTTP status; NULL: none came
  protocol INTEGER, connection_id INTEGER,   -- NULL: none was ever ready
  connection_use INTEGER,                    -- 1: this request caused the set-up; n: the n-th request on it
  -- the partition: durations, NULL when the phase did not happen; proxy, dns, connect, tunnel and tls are in request_more
  queue_ns INTEGER, send_ns INTEGER, wait_ns INTEGER, receive_ns INTEGER, gap_ns INTEGER,
  send_at_ns INTEGER,                        -- where send begins (queue begins at 0)
  caller_blocked_ns INTEGER,                 -- how long the begin call held its thread (hop 0)
  late_ns INTEGER,                           -- part of wait and receive in which the kernel had data and our loop had not looked
  received_bytes INTEGER,                    -- of the body, as on the wire
  flags INTEGER,                             -- 1 early_response 2 send_in_wait 4 summed_hops 8 tunnel_in_tls 16 preconnect 32 events_lost
                                             -- 64 dns_cached 128 body_truncated 256 inconsistent_import 512 clamped (a negative piece was cut to 0)
                                             -- 1024 connect_left (took a connection that became idle while its own connect was under way)
                                             -- 2048 counted (spans were kept: what is counted from them is 0, not unknown, where it is not told)
  sources BLOB,                              -- one byte a phase boundary (end of queue … end of receive): high half `source`, low half u: uncertainty <= 4^u ns;
                                             -- NULL: the usual ones of the run's mode (lib/store/sources.h)
  id INTEGER PRIMARY KEY                     -- order of completion; the last column, so that an INSERT that leaves it out has the others in their order:
                                             -- SQLite then makes the row where the values are, which saves a tenth of its cost
);
CREATE TABLE request_more (                  -- the same id as in `request`; not there: every value is what "else" says, NULL where nothing is said
  id INTEGER PRIMARY KEY,
  hop_of INTEGER,                            -- id of hop 0; NULL on hop 0 itself
  hop INTEGER, hop_reason INTEGER,           -- else 0
  proxy_id INTEGER, proxy_source INTEGER,    -- proxy_source: else 0
  proxy_ns INTEGER, dns_ns INTEGER, connect_ns INTEGER, tunnel_ns INTEGER, tls_ns INTEGER,
  proxy_at_ns INTEGER, dns_at_ns INTEGER, connect_at_ns INTEGER, tunnel_at_ns INTEGER, tls_at_ns INTEGER,
  wait_at_ns INTEGER,                        -- else send_at_ns + send_ns, where there is a wait
  receive_at_ns INTEGER,                     -- else where wait begins + wait_ns, where there is a receive
  send_application_ns INTEGER,               -- part of send in which the program gave no data (a buffered body: until it was complete); else 0 where
                                             -- there is a send and the request has flag 2048
  receive_application_ns INTEGER,            -- part of receive in which the program took no data; else likewise
  sent_bytes INTEGER,                        -- of the body, as on the wire; -1: not known; else 0 where received_bytes is known
  dns_queries INTEGER, connect_attempts INTEGER,                                -- else 0 with flag 2048
  web_status INTEGER, error_layer TEXT, error_code INTEGER, error_id INTEGER,   -- NULL when outcome is ok
  first_span INTEGER, span_count INTEGER,                                       -- its spans are consecutive rows; span_count: else 0
  detail BLOB                                -- packed events, version byte first (lib/trace/pack.h), where columns and spans do not say all; NULL today
);

CREATE TABLE span (                          -- in the order of requests; no index: first_span and span_count of request_more find them
  id INTEGER PRIMARY KEY, request_id INTEGER, connection_id INTEGER, -- request NULL: belongs to no request (preconnect, refresh of a script, late ticket)
  run_id INTEGER NOT NULL, parent_id INTEGER,
  phase INTEGER NOT NULL, kind INTEGER NOT NULL, outcome INTEGER NOT NULL DEFAULT 0,
  start_ns INTEGER NOT NULL, duration_ns INTEGER,                    -- Unix ns; NULL: no end was seen
  name_id INTEGER NOT NULL,                  -- "AAAA api.example", "[2001:db8::1]:443"
  detail TEXT                                -- JSON object by kind: server, transport, attempt, rcode, ttl_s, addresses, answered_bytes, errno, …
) STRICT;

CREATE TABLE header (                        -- --detail headers
  request_id INTEGER NOT NULL, direction INTEGER NOT NULL, ordinal INTEGER NOT NULL, name_id INTEGER NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (request_id, direction, ordinal)) STRICT, WITHOUT ROWID;   -- direction 0 request, 1 response, 2 informational, 3 trailer, 4 to proxy, 5 from proxy
CREATE TABLE wire (                          -- --detail wire: what libcurl read or wrote at a time, behind TLS, before decompression
  request_id INTEGER NOT NULL, ordinal INTEGER NOT NULL,
  direction INTEGER NOT NULL,                -- 0 sent, 1 received
  part INTEGER NOT NULL,                     -- 0 header block (redacted), 1 body, 2 the pieces behind the 1,024th, which are only counted
  at_ns INTEGER NOT NULL,                    -- Unix ns
  length INTEGER NOT NULL,                   -- bytes of the whole piece (part 2: of all of them)
  kept INTEGER NOT NULL,                     -- of these, how many `data` stands for (part 2: how many pieces)
  data BLOB NOT NULL,                        -- up to 1 KiB
  PRIMARY KEY (request_id, ordinal)) STRICT, WITHOUT ROWID;
CREATE TABLE server_timing (request_id INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL, duration_ns INTEGER, description TEXT,
  PRIMARY KEY (request_id, ordinal)) STRICT, WITHOUT ROWID;
CREATE TABLE tcp_sample (                    -- where it explains something, not on every warm request: one costs as much as 25 events
  request_id INTEGER NOT NULL, at_ns INTEGER NOT NULL, boundary INTEGER NOT NULL, rtt_us INTEGER, min_rtt_us INTEGER, retransmits INTEGER, unacked INTEGER,
  unsent_bytes INTEGER, busy_us INTEGER, receiver_limited_us INTEGER, buffer_limited_us INTEGER, delivery_rate INTEGER, window INTEGER,
  PRIMARY KEY (request_id, at_ns)) STRICT, WITHOUT ROWID;
CREATE TABLE log (                           -- "network tracing": enter, exit, associations, dumps; empty unless a level asks for it
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, unix_ns INTEGER NOT NULL, thread INTEGER NOT NULL, category INTEGER NOT NULL, level INTEGER NOT NULL,
  request_number INTEGER, operation INTEGER, text TEXT NOT NULL, data BLOB, data_total INTEGER) STRICT;

CREATE TABLE running (                       -- unfinished requests that waited longer than the ring should hold them; gone when they end
  process_id INTEGER NOT NULL, number INTEGER NOT NULL, run_id INTEGER NOT NULL, start_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL,
  phase INTEGER NOT NULL, method TEXT, url TEXT,
  hop_of INTEGER,                            -- the producer's number of hop 0, not a row id
  connection_id INTEGER,
  events BLOB NOT NULL,                      -- 8 bytes little-endian: the ring position up to which they are in here; then its packed events
  PRIMARY KEY (process_id, number)) STRICT, WITHOUT ROWID;

-- ------------------------------------------------------------------------------------------- derived: can be dropped and rebuilt
CREATE TABLE chunk (id INTEGER PRIMARY KEY, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL, rows INTEGER NOT NULL,
  version INTEGER NOT NULL) STRICT;          -- rows < last_id - first_id + 1 only after a deletion; then column `id` is stored too
CREATE TABLE chunk_column (
  id INTEGER PRIMARY KEY,                    -- chunk * 64 + column: one column is found without an index
  width INTEGER NOT NULL,                    -- bytes a value, 0: every value equals `low`
  low INTEGER, high INTEGER,                 -- over the values that are there; NULL: none. They let --where skip the chunk
  base INTEGER NOT NULL DEFAULT 0,           -- value = base + stored
  data BLOB NOT NULL                         -- the values that are there, width bytes each, little-endian
) STRICT;
-- columns: 0 id 1 present (bit a phase, then the other columns that may be NULL) 2 run 3 start 4 total 5 queue 6 proxy 7 dns 8 connect 9 tunnel 10 tls 11 send 12 wait 13 receive 14 gap
--  15 caller_blocked 16 send_application 17 receive_application 18 late 19 method 20 origin 21 route 22 path 23 status 24 protocol 25 connection
--  26 connection_use 27 proxy 28 outcome 29 purpose 30 hop_of 31 sent_bytes 32 received_bytes 33 dns_queries 34 connect_attempts 35 flags 36 web_status
--  37 tls_resumed. Never renumbered.

