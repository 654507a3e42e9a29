#!/usr/bin/env bash
# netphase record against a real nginx: what was sent, what the server saw and what the trace says agree.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
need openssl openssl
start_nginx
base_http="http://127.0.0.1:$http_port"
base_https="https://localhost:$https_port"

log_lines() { wc -l <access.log; }
record() { "$netphase" record "$@" >out.txt 2>err.txt; }

# --- http, keep-alive: one connection, as many rows as lines in the server's log
record -n 50 -o http.db "$base_http/" || fail "record over http: $(cat err.txt)"
equal "requests in the trace" "$(sql http.db 'SELECT count(*) FROM requests')" 50
equal "lines in the access log" "$(log_lines)" 50
equal "connections" "$(sql http.db 'SELECT count(*) FROM connections')" 1
equal "why the first was made" "$(sql http.db 'SELECT new_because FROM connections')" first
equal "reused" "$(sql http.db 'SELECT sum(reused) FROM requests')" 49
equal "set-up phases on reused requests" "$(sql http.db 'SELECT count(*) FROM requests WHERE reused AND coalesce(dns_ns, connect_ns, tls_ns) IS NOT NULL')" 0
equal "dns of a literal" "$(sql http.db 'SELECT count(dns_ns) FROM requests')" 0
equal "received" "$(sql http.db 'SELECT sum(received_bytes) FROM requests')" 300
equal "caller blocked is known" "$(sql http.db 'SELECT count(caller_blocked_ns) FROM requests')" 50
equal "mode of the file" "$(stat -c %a http.db)" 600
equal "application id" "$(sql http.db 'PRAGMA application_id')" 1313887314
contains "the summary" "$(cat out.txt)" "50 requests"
contains "the next commands" "$(cat out.txt)" "netphase report"
trace_is_sound http.db

# --- https: TLS 1.3, handshake and certificate known; --fresh resumes, --cold does not
record -n 5 --fresh --cacert ca.pem -o https.db "$base_https/" || fail "record over https: $(cat err.txt)"
equal "tls on every one" "$(sql https.db 'SELECT count(tls_ns) FROM requests')" 5
equal "connections" "$(sql https.db "SELECT count(*) FROM connections WHERE new_because IN ('first', 'forced')")" 5
equal "version" "$(sql https.db 'SELECT DISTINCT tls_version FROM requests')" TLSv1.3
holds "resumed" "$(sql https.db 'SELECT sum(tls_resumed) FROM requests') >= 3"
record -n 5 --cold --cacert ca.pem -o https.db "$base_https/" || fail "record --cold: $(cat err.txt)"
equal "resumed when cold" "$(sql https.db 'SELECT sum(tls_resumed) FROM requests WHERE run_id = 2')" 0
equal "runs" "$(sql https.db 'SELECT count(*) FROM runs')" 2
equal "connection states" "$(sql https.db 'SELECT DISTINCT connection_state FROM requests WHERE run_id = 2')" new
equal "tls ends with the last message of the handshake" "$(sql https.db "SELECT count(*) FROM phases p JOIN spans s USING (request_id)
    WHERE p.phase = 'tls' AND s.kind = 'handshake' AND p.start_ns + p.duration_ns = s.start_ns + s.duration_ns")" 10
equal "what came after it is in gap" "$(sql https.db "SELECT count(*) FROM requests r JOIN spans s ON s.request_id = r.id
    WHERE s.kind = 'handshake' AND json_extract(s.detail, '\$.usable_after_ns') BETWEEN 1 AND r.gap_ns")" 10
trace_is_sound https.db

# --- many at once: nothing lost, nothing doubled, the limit of connections is -c
: >access.log
record -n 500 -c 20 -o many.db "$base_http/" || fail "record -c 20: $(cat err.txt)"
equal "requests at once" "$(sql many.db 'SELECT count(*) FROM requests')" 500
equal "lines in the log" "$(log_lines)" 500
holds "connections" "$(sql many.db 'SELECT count(*) FROM connections') <= 20"
trace_is_sound many.db

# --- two programs into one file at once
"$netphase" record -n 300 -c 4 -o both.db --label who=one "$base_http/" >/dev/null 2>one.txt &
first=$!
"$netphase" record -n 300 -c 4 -o both.db --label who=two "$base_http/" >/dev/null 2>two.txt || fail "second recorder: $(cat two.txt)"
wait "$first" || fail "first recorder: $(cat one.txt)"
equal "requests of both" "$(sql both.db 'SELECT count(*) FROM requests')" 600
equal "their runs" "$(sql both.db 'SELECT count(*) FROM runs WHERE requests = 300')" 2
trace_is_sound both.db

# --- statuses and failures: a row each, --fail decides the exit status
record -n 2 -o status.db "$base_http/missing" "$base_http/moved" "$base_http/error" || fail "statuses: $(cat err.txt)"
equal "statuses" "$(sql status.db 'SELECT group_concat(status, " ") FROM (SELECT DISTINCT status FROM requests ORDER BY status)')" "302 404 500"
equal "a status is no failure" "$(sql status.db 'SELECT sum(failed) FROM requests')" 0
record -L -n 2 -o hops.db "$base_http/moved" || fail "redirects: $(cat err.txt)"
equal "hops" "$(sql hops.db 'SELECT group_concat(status || " " || hop || " " || hop_reason, ", ") FROM requests')" "302 0 first, 200 1 redirect, 302 0 first, 200 1 redirect"
equal "their first hop" "$(sql hops.db 'SELECT count(*) FROM requests a JOIN requests b ON a.hop_of = b.id WHERE b.hop = 0 AND b.hop_of IS NULL')" 2
equal "calls" "$(sql hops.db 'SELECT count(*) || " " || min(hops) || " " || sum(total_ns = hops_total_ns) FROM calls')" "2 2 2"
contains "show tells all hops" "$("$netphase" show hops.db 2)" "call #1: 2 hops"
contains "and why" "$("$netphase" show hops.db 1)" "hop 1 of #1: redirected"
trace_is_sound hops.db
record --fail -o status.db "$base_http/missing"
equal "exit with --fail and 404" $? 1
record --fail -o status.db "$base_http/"
equal "exit with --fail and 200" $? 0
closed=$(free_port)
record -o status.db "http://127.0.0.1:$closed/" || fail "a refused connection without --fail"
equal "refused" "$(sql status.db 'SELECT outcome || " " || web_status || " " || (connect_ns IS NOT NULL) FROM requests ORDER BY id DESC LIMIT 1')" "failed 2 1"
contains "the reason" "$(sql status.db 'SELECT error FROM requests ORDER BY id DESC LIMIT 1')" "$closed"
record -o status.db "$base_https/"
equal "untrusted certificate" "$(sql status.db 'SELECT web_status FROM requests ORDER BY id DESC LIMIT 1')" 9
record -k -o status.db "$base_https/"
equal "-k" "$(sql status.db 'SELECT status FROM requests ORDER BY id DESC LIMIT 1')" 200
trace_is_sound status.db

# --- headers, redaction, labels, detail
record -o head.db --detail headers --label commit=abc --label branch=x -H 'Authorization: Bearer s3cr3t' -H 'X-One: 1' -H 'User-Agent: me' "$base_http/?token=t0ps3cret" || fail "headers: $(cat err.txt)"
equal "secrets in the file" "$(cat head.db head.db-wal 2>/dev/null | grep -acE 's3cr3t|t0ps3cret')" 0
equal "labels" "$(sql head.db 'SELECT labels FROM runs')" '{"branch":"x","commit":"abc"}'
holds "header rows" "$(sql head.db 'SELECT count(*) FROM header') > 3"
contains "the agent the server saw" "$(tail -n 1 access.log)" '"me"'
contains "what was really sent" "$(tail -n 1 access.log)" 'token=t0ps3cret'

# --- names: --resolve and --connect-to
record --resolve "origin.test:$https_port:127.0.0.1" --cacert ca.pem -o name.db "https://origin.test:$https_port/" || fail "--resolve"
record --connect-to "origin.test:443:127.0.0.1:$https_port" --cacert ca.pem -o name.db "https://origin.test/" || fail "--connect-to"
equal "both answered" "$(sql name.db 'SELECT group_concat(status, " ") FROM requests')" "200 200"
trace_is_sound name.db

# --- schedule and duration
: >access.log
record --rate 200 -n 40 -c 8 -o rate.db "$base_http/" || fail "--rate"
holds "an open loop of 40 at 200 a second spans 195 ms" "$(sql rate.db 'SELECT (max(start_ns) - min(start_ns)) / 1000000 FROM requests') >= 190"
record -D 300ms -c 2 -o rate.db "$base_http/" || fail "--duration"
equal "log and trace agree" "$(log_lines)" "$(sql rate.db 'SELECT count(*) FROM requests')"

# --- a body that outruns its reader: constant memory, a bounded number of spans, and the time is known
truncate -s 300M www/huge
record -o huge.db "$base_http/huge" || fail "a large body: $(cat err.txt)"
equal "all of it" "$(sql huge.db 'SELECT received_bytes FROM requests')" $((300 * 1024 * 1024))
holds "spans of one request" "$(sql huge.db 'SELECT count(*) FROM span') <= 40"
equal "the application's part lies within receive" "$(sql huge.db 'SELECT receive_application_ns BETWEEN 0 AND receive_ns FROM requests')" 1
trace_is_sound huge.db

# --- read while it is written, with the plain shell
"$netphase" record -D 3s -c 4 -o live.db "$base_http/" >/dev/null 2>&1 &
recorder=$!
grows() { [ -e live.db ] && [ "$(sqlite3 live.db 'SELECT count(*) FROM requests' 2>/dev/null || echo 0)" -gt "$1" ]; }
until_true 10 grows 0 || fail "nothing to read while recording"
seen=$(sqlite3 live.db 'SELECT count(*) FROM requests')
until_true 10 grows "$seen" || fail "the count does not grow"
wait "$recorder"
trace_is_sound live.db

# --- interrupted: what was recorded is there
"$netphase" record -D 60s -c 4 -o stop.db "$base_http/" >stop.out 2>&1 &
recorder=$!
stop_grows() { [ -e stop.db ] && [ "$(sqlite3 stop.db 'SELECT count(*) FROM requests' 2>/dev/null || echo 0)" -gt 10 ]; }
until_true 10 stop_grows || fail "nothing recorded before the interrupt"
kill -INT "$recorder"
wait "$recorder"
equal "exit when interrupted" $? 130
contains "what an interrupt leaves" "$(cat stop.out)" "interrupted: what was sent until then is in the trace"
contains "the summary of an interrupted run" "$(cat stop.out)" "trace: stop.db, run 1"
trace_is_sound stop.db

done_ok
