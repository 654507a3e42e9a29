#!/usr/bin/env bash
# Boundaries of the trace against a packet capture taken beside it: fresh connections over plain TCP, TLS 1.2 and TLS 1.3 to nginx, client and
# server in two network namespaces of our own. Prints how far each boundary lies from its packet. NETPHASE_TEST_LONG: 400 connections each and the goals;
# otherwise a few, with limits that only a wrong boundary breaks.
#
# It needs two network namespaces: as root, or as root of a user namespace, or by sudo where that asks for no password (the first that works).
PATH=$PATH:/usr/sbin:/sbin
if [ -z "${NETPHASE_TEST_INSIDE:-}" ] && ! unshare --net true 2>/dev/null && command -v unshare >/dev/null; then
    self=$(readlink -f "$0")
    if why_user=$(unshare --user --map-root-user --net true 2>&1); then
        exec unshare --user --map-root-user env NETPHASE_TEST_INSIDE=1 bash "$self" "$@"
    elif why_sudo=$(sudo -n unshare --net true 2>&1); then
        exec sudo -n env NETPHASE_TEST_INSIDE=1 NP_BIN="$NP_BIN" NETPHASE_TEST_LONG="${NETPHASE_TEST_LONG:-}" \
            NETPHASE_TEST_CONNECTIONS="${NETPHASE_TEST_CONNECTIONS:-}" bash "$self" "$@"
    fi
    printf 'SKIPPED: a network namespace is missing: as user %s it is not permitted, nor in a user namespace (%s), nor by sudo (%s): run as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)\n' \
        "$(id -un)" "$why_user" "$why_sudo"
    exit 77
fi
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
need ip iproute2
need unshare util-linux
need nsenter util-linux
need openssl openssl
[ -n "$(nginx_program)" ] || { echo "SKIPPED: nginx is missing (install nginx)"; exit 77; }
capture=$(readlink -f "${1:-$NP_BIN/capture}")
[ -x "$capture" ] || fail "the program that captures is not there: $capture (build the tests)"
build=${NETPHASE_TEST_LONG:+long}
count=30
[ -n "$build" ] && count=400
count=${NETPHASE_TEST_CONNECTIONS:-$count}

# Namespaces of processes of our own: they are gone when those are.
start_namespace() { # VARIABLE
    unshare --net sleep 1000 2>unshare.err &
    pids+=($!)
    printf -v "$1" %s $!
    until_true 5 in_own_namespace $! || {
        printf 'SKIPPED: a network namespace is missing: not permitted, though this is root (a container without CAP_SYS_ADMIN?): %s\n' "$(cat unshare.err)"
        exit 77
    }
}
in_own_namespace() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ] 2>/dev/null; }
in_client() { nsenter -t "$client" -n "$@"; }
in_server() { nsenter -t "$server" -n "$@"; }

start_namespace client
start_namespace server
{
    in_client ip link add np-client type veth peer name np-server netns "$server" &&
        in_client ip address add 198.51.100.1/24 dev np-client && in_client ip link set np-client up && in_client ip link set lo up &&
        in_server ip address add 198.51.100.2/24 dev np-server && in_server ip link set np-server up && in_server ip link set lo up
} >link.log 2>&1 || {
    printf 'SKIPPED: a pair of network interfaces is missing: not permitted, or the kernel has no veth: %s\n' "$(tail -n 1 link.log)"
    exit 77
}
is_up() { in_client ip -o link show np-client | grep -q 'state UP'; }
until_true 5 is_up || fail "the interfaces do not come up"

make_certificates
mkdir -p www temp
head -c 1000 /dev/urandom >www/short
head -c 40000 /dev/urandom >www/long
cat >nginx.conf <<CONF
user root; daemon off; master_process off; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 1024; }
http {
    access_log off; client_body_temp_path $work/temp/body; proxy_temp_path $work/temp/proxy; fastcgi_temp_path $work/temp/fastcgi;
    uwsgi_temp_path $work/temp/uwsgi; scgi_temp_path $work/temp/scgi;
    ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem; root $work/www;
    server { listen 198.51.100.2:80; }
    server { listen 198.51.100.2:8012 ssl; ssl_protocols TLSv1.2; }
    server { listen 198.51.100.2:8013 ssl; ssl_protocols TLSv1.3; }
}
CONF
program=$(nginx_program)
nsenter -t "$server" -n "$program" -p "$work" -c "$work/nginx.conf" >nginx.out 2>&1 &
pids+=($!)
answers() { in_client bash -c "exec 3<>/dev/tcp/198.51.100.2/$1" 2>/dev/null; }
for port in 80 8012 8013; do until_true 10 answers $port || fail "nginx does not start: $(cat nginx.out error.log)"; done

nsenter -t "$client" -n "$capture" np-client packets.csv >capture.out 2>capture.err &
capture_pid=$!
pids+=($capture_pid)
is_listening() { grep -q ready capture.out 2>/dev/null; }
until_true 10 is_listening || { printf 'SKIPPED: a packet socket is missing: packets cannot be captured here: %s\n' "$(cat capture.err)"; exit 77; }
resolve=(--resolve origin.test:80:198.51.100.2 --resolve origin.test:8012:198.51.100.2 --resolve origin.test:8013:198.51.100.2)
in_client "$netphase" record -q -n "$count" --cold -o trace.db --cacert ca.pem "${resolve[@]}" \
    http://origin.test/short https://origin.test:8012/short https://origin.test:8013/short \
    http://origin.test/long https://origin.test:8012/long https://origin.test:8013/long >record.out 2>&1 || fail "record: $(cat record.out)"
kill -TERM $capture_pid
wait $capture_pid || fail "capture: $(cat capture.err)"
equal "requests" "$(sql trace.db "SELECT count(*) FROM requests WHERE outcome = 'ok' AND status = 200 AND received_bytes IN (1000, 40000)")" $((6 * count))
equal "TLS versions" "$(sql trace.db 'SELECT group_concat(v) FROM (SELECT DISTINCT tls_version AS v FROM connections WHERE tls_version IS NOT NULL ORDER BY 1)')" "TLSv1.2,TLSv1.3"
trace_is_sound trace.db

# The instants of both sides, by client port. Packets: flags 18 is SYN and ACK. A response's first packet is the first long one (a ticket is short).
cat >compare.sql <<'SQL'
ATTACH 'trace.db' AS t;
CREATE TABLE packet (at_ns INTEGER, is_sent INTEGER, client INTEGER, server INTEGER, flags INTEGER, payload INTEGER, first INTEGER);
.import --csv --skip 1 packets.csv packet
-- a port may come again: connections are counted by their SYN
ALTER TABLE packet RENAME TO raw;
CREATE TABLE packet AS SELECT *, sum(is_sent AND flags = 2) OVER (PARTITION BY client, server ORDER BY at_ns, is_sent DESC ROWS UNBOUNDED PRECEDING) AS turn FROM raw;
CREATE INDEX by_client ON packet (client, server, turn, at_ns);
CREATE TABLE seen AS SELECT client, server AS kind, turn, min(CASE WHEN flags = 18 AND NOT is_sent THEN at_ns END) AS syn_ack,
  min(CASE WHEN is_sent AND first = 22 THEN at_ns END) AS hello,
  min(CASE WHEN is_sent AND first = 23 OR is_sent AND server = 80 AND payload > 0 THEN at_ns END) AS request,
  min(CASE WHEN NOT is_sent AND payload >= 1000 AND (server = 80 OR first = 23) THEN at_ns END) AS first_byte,
  min(CASE WHEN is_sent AND flags & 1 THEN at_ns END) AS closed FROM packet GROUP BY client, server, turn;
-- TLS 1.3 writes its Finished with a change of cipher (20) in front of it, and 1.2 too: there the peer's comes after it, the last before the request
UPDATE seen SET request = (SELECT min(at_ns) FROM packet p WHERE p.client = seen.client AND p.server = seen.kind AND p.turn = seen.turn AND is_sent AND first = 23 AND p.at_ns > (SELECT min(at_ns)
  FROM packet q WHERE q.client = seen.client AND q.server = seen.kind AND q.turn = seen.turn AND q.is_sent AND q.first = 20)) WHERE kind = 8013;
ALTER TABLE seen ADD COLUMN tls_end; ALTER TABLE seen ADD COLUMN last_byte;
UPDATE seen SET tls_end = (SELECT min(at_ns) FROM packet p WHERE p.client = seen.client AND p.server = seen.kind AND p.turn = seen.turn AND is_sent AND payload > 0 AND at_ns > hello) WHERE kind = 8013;
UPDATE seen SET tls_end = (SELECT max(at_ns) FROM packet p WHERE p.client = seen.client AND p.server = seen.kind AND p.turn = seen.turn AND NOT is_sent AND payload > 0 AND at_ns < request) WHERE kind = 8012;
UPDATE seen SET first_byte = (SELECT min(at_ns) FROM packet p WHERE p.client = seen.client AND p.server = seen.kind AND p.turn = seen.turn AND NOT is_sent AND payload >= 1000 AND at_ns > request),
  last_byte = (SELECT max(at_ns) FROM packet p WHERE p.client = seen.client AND p.server = seen.kind AND p.turn = seen.turn AND NOT is_sent AND payload > 0 AND (closed IS NULL OR at_ns < closed));
CREATE TABLE told AS SELECT r.id, CAST(substr(c.local, instr(c.local, ':') + 1) AS INTEGER) AS client,
  CAST(substr(c.remote, instr(c.remote, ':') + 1) AS INTEGER) AS kind, r.late_ns, r.start_ns - o.offset AS start_ns, r.gap_ns, r.total_ns, CASE WHEN r.received_bytes > 1000 THEN 'long' ELSE 'short' END AS size,
  (SELECT s.start_ns - o.offset FROM t.span s WHERE s.request_id = r.id AND s.kind = 4) AS hello_ns,
  (SELECT s.start_ns + s.duration_ns - o.offset FROM t.span s WHERE s.request_id = r.id AND s.kind = 4) AS finished_ns,
  (SELECT json_extract(s.detail, '$.usable_after_ns') FROM t.span s WHERE s.request_id = r.id AND s.kind = 4) AS usable_after_ns
  FROM t.request r JOIN t.connection c ON c.id = r.connection_id CROSS JOIN (SELECT unix_ns - mono_ns AS offset FROM t.clock ORDER BY mono_ns LIMIT 1) o;
CREATE TABLE edge AS SELECT request_id AS id, phase, start_ns AS begins, start_ns + duration_ns AS ends, boundary FROM t.phases WHERE present;
CREATE INDEX edge_by_id ON edge (id, phase);
CREATE TABLE pair AS SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY client, kind ORDER BY syn_ack) AS nth FROM seen WHERE request IS NOT NULL)
  JOIN (SELECT *, row_number() OVER (PARTITION BY client, kind ORDER BY start_ns) AS nth FROM told) USING (client, kind, nth);
CREATE TABLE off AS
  SELECT kind, size, 1 AS n, 'connect end' AS boundary, start_ns + ends - syn_ack AS off, boundary AS how FROM pair JOIN edge USING (id) WHERE phase = 'connect'
  UNION ALL SELECT kind, size, 2, 'ClientHello', hello_ns - hello, '' FROM pair WHERE kind <> 80
  UNION ALL SELECT kind, size, 3, 'TLS end', start_ns + ends - tls_end, boundary FROM pair JOIN edge USING (id) WHERE phase = 'tls'
  UNION ALL SELECT kind, size, 7, '(TLS usable)', finished_ns + usable_after_ns - tls_end, '' FROM pair WHERE kind <> 80
  UNION ALL SELECT kind, size, 4, 'request sent', start_ns + begins - request, '' FROM pair JOIN edge USING (id) WHERE phase = 'send'
  UNION ALL SELECT kind, size, 5, 'first byte', start_ns + ends - first_byte, boundary FROM pair JOIN edge USING (id) WHERE phase = 'wait'
  UNION ALL SELECT kind, size, 6, 'last byte', start_ns + ends - last_byte, boundary FROM pair JOIN edge USING (id) WHERE phase = 'receive' AND coalesce(late_ns, 0) = 0;
CREATE VIEW ranked AS SELECT kind, size, n, boundary, off, how, row_number() OVER (PARTITION BY kind, size, n ORDER BY abs(off)) AS at, row_number() OVER (PARTITION BY kind, size, n ORDER BY off) AS signed_at,
  count(*) OVER (PARTITION BY kind, size, n) AS total, sum(how LIKE '3%') OVER (PARTITION BY kind, size, n) AS kernel,
  sum(how NOT LIKE '_0' AND length(how) = 2) OVER (PARTITION BY kind, size, n) AS stated,
  sum(length(how) = 2 AND how NOT LIKE '_0' AND abs(off) <= 1 << 2 * (instr('0123456789ABCDEF', substr(how, 2)) - 1)) OVER (PARTITION BY kind, size, n) AS covered FROM off WHERE off IS NOT NULL;
CREATE TABLE result AS SELECT kind, size, n, boundary, max(total) AS total, max(CASE WHEN at = (total * 50 + 99) / 100 THEN abs(off) END) AS p50, max(CASE WHEN at = (total * 99 + 99) / 100 THEN abs(off) END) AS p99,
  max(CASE WHEN signed_at = (total + 1) / 2 THEN off END) AS middle, min(off) AS least, max(off) AS most, max(kernel) AS kernel, max(stated) AS stated, max(covered) AS covered FROM ranked GROUP BY kind, size, n;
SQL
sqlite3 compare.db <compare.sql 2>sql.err || fail "the comparison: $(cat sql.err)"
[ -s sql.err ] && fail "the comparison: $(cat sql.err)"
echo "$count connections each; us from the packet to the boundary (negative: before it)"
sqlite3 compare.db ".mode box" "SELECT CASE kind WHEN 80 THEN 'plain' WHEN 8012 THEN 'TLS 1.2' ELSE 'TLS 1.3' END AS over, size, boundary, total AS n, printf('%.1f', p50 / 1e3) AS \"|p50|\",
  printf('%.1f', p99 / 1e3) AS \"|p99|\", printf('%.1f', middle / 1e3) AS median, printf('%.1f', least / 1e3) AS least, printf('%.1f', most / 1e3) AS most, kernel AS \"by kernel\", covered || ' of ' || stated AS covered FROM result ORDER BY size DESC, kind, n"

# What must hold. Few connections on a machine that does other things as well: only a boundary that is wrong is that far off.
if [ -n "$build" ]; then goal_middle=50000 goal_most=300000 kernel_middle=10000; else goal_middle=1000000 goal_most=0 kernel_middle=1000000; fi
equal "boundaries compared" "$(sqlite3 compare.db 'SELECT count(*) FROM result')" 36
equal "boundaries that no packet was found for" "$(sqlite3 compare.db "SELECT group_concat(kind || ' ' || boundary) FROM result WHERE total < $count * 9 / 10 AND boundary <> 'last byte'")" ""
missed=$(sqlite3 compare.db "SELECT group_concat(printf('%d %s %s: p50 %d us, p99 %d us', kind, size, boundary, p50 / 1000, p99 / 1000), '; ') FROM result
  WHERE boundary IN ('connect end', 'ClientHello', 'TLS end', 'first byte', 'last byte') AND NOT (size = 'long' AND boundary = 'first byte')
    AND (p50 > $goal_middle OR ($goal_most > 0 AND p99 > $goal_most) OR (boundary IN ('connect end', 'first byte') AND p50 > $kernel_middle))")
if [ -n "$missed" ] && [ -n "$build" ] && [ "$(cut -d. -f1 /proc/loadavg)" -ge "$(nproc)" ]; then
    echo "not judged: this machine is busy with other things (load $(cut -d' ' -f1 /proc/loadavg) on $(nproc) processors); beyond the goals: $missed"
    exit 77
fi
equal "boundaries beyond their limits" "$missed" ""
# A few connections say nothing of a share: of 90 one or two were not covered in one run of fourteen.
uncovered_most=$((count / 20))
[ -n "$build" ] || uncovered_most=$((count / 6))
equal "first bytes of the kernel, of long responses, that their uncertainty does not cover" \
    "$(sqlite3 compare.db "SELECT coalesce(sum(stated - covered), 0) <= $uncovered_most FROM result WHERE boundary = 'first byte' AND size = 'long'")" 1
done_ok
