#!/usr/bin/env bash
# What record's options make of a request: what was typed, what a real nginx saw, what the trace says.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
need openssl openssl
mkdir -p www/put
printf 'me:%s\n' "$(openssl passwd -apr1 geheim5)" >passwd
h2_port=$(free_port)
start_nginx "$(sed "s/H2_PORT/$h2_port/" <<'CONF'
        listen 127.0.0.1:H2_PORT ssl http2;
        location /put/ { dav_methods PUT; client_max_body_size 0; }
        location /small { dav_methods PUT; client_max_body_size 1k; }
        location /post { client_max_body_size 0; client_body_buffer_size 1m; proxy_pass http://127.0.0.1:$server_port/sink; }
        location = /sink { access_log off; client_max_body_size 0; return 200 "taken\n"; }
        location = /early { client_max_body_size 0; gzip on; gzip_types text/plain; gzip_min_length 1; return 200 "an answer before the body was read\n"; }
        location /private { auth_basic "test"; auth_basic_user_file $document_root/../passwd; try_files /index.html =404; }
CONF
)"
base_http="http://127.0.0.1:$http_port"
base_https="https://localhost:$https_port"

truncate -s 100M www/huge

record() { "$netphase" record "$@" >out.txt 2>err.txt; }
# refuses WHAT STATUS TEXT ARGUMENTS…: ends with STATUS, says TEXT, sends and stores nothing
refuses() {
    local what=$1 status=$2 text=$3
    shift 3
    record -o refused.db "$@" </dev/null
    equal "exit of $what" $? "$status"
    contains "what is said of $what" "$(cat err.txt)" "$text"
    equal "lines about $what" "$(grep -vc '^  ' err.txt)" 1
    [ ! -e refused.db ] || fail "$what: a trace was made"
}

# --- URLs from files
printf '# two of them\n\n  %s/a \r\n%s/b' "$base_http" "$base_http" >urls.txt
record -n 2 --urls urls.txt -o urls.db || fail "--urls: $(cat err.txt)"
equal "URLs of the file" "$(sql urls.db 'SELECT group_concat(path, " ") FROM (SELECT DISTINCT path FROM requests ORDER BY path)')" "/a /b"
equal "requests to each" "$(sql urls.db "SELECT count(*) FROM requests WHERE path = '/a'")" 2
printf '%s/c\n' "$base_http" | record "$base_http/x" - "$base_http/y" -o order.db || fail "- as a URL: $(cat err.txt)"
equal "URLs of standard input stand where - is" "$(sql order.db 'SELECT group_concat(path, " ") FROM requests')" "/x /c /y"
printf '%s/d\n' "$base_http" | record --urls - -o input.db || fail "--urls -: $(cat err.txt)"
equal "URLs of --urls -" "$(sql input.db 'SELECT group_concat(path, " ") FROM requests')" "/d"
printf '%s/a\n\n# x\nhtp:/wrong\n' "$base_http" >wrong.txt
head -c 70000 /dev/zero | tr '\0' 'a' >long.txt
printf 'http://a/\nhttp://b\0/\n' >nul.txt
: >none.txt
refuses "a wrong line" 2 "wrong.txt line 4: the scheme htp is not supported" --urls wrong.txt
refuses "a long line" 2 "long.txt line 1: more than 65536 bytes" --urls long.txt
refuses "a NUL byte" 2 "nul.txt line 2: a NUL byte" --urls nul.txt
refuses "a file without URLs" 2 "none.txt has no URL" --urls none.txt
refuses "a folder of URLs" 4 "cannot be read: Is a directory" --urls .
refuses "a missing file" 4 "cannot be read: No such file" --urls missing.txt
refuses "nothing at all" 2 "expected a URL"
refuses "URLs of standard input twice" 2 "standard input is named 2 times" - -

# --- what is never stored
record --detail headers -H 'X-Tenant: geheim1' -H 'Authorization: Bearer geheim2' --redact x-tenant -o some.db "$base_http/?q=geheim3" || fail "--redact: $(cat err.txt)"
equal "redacted by default and by name" "$(cat some.db some.db-wal 2>/dev/null | grep -ac geheim)" 0
record --detail headers --no-redact --redact X-Tenant --redact Code -H 'X-Tenant: geheim1' -H 'Authorization: Bearer offen' -o all.db "$base_http/?page=2&code=geheim3" || fail "--no-redact: $(cat err.txt)"
equal "what --redact names with --no-redact" "$(cat all.db all.db-wal 2>/dev/null | grep -ac geheim)" 0
equal "a query value that is kept" "$(sql all.db 'SELECT url FROM requests')" "$base_http/?page=2&code=*"
equal "a header value that is kept" "$(sql all.db "SELECT count(*) FROM header WHERE value = 'Bearer offen'")" 1
contains "all of it was sent" "$(tail -n 1 access.log)" "code=geheim3"
refuses "--redact of no name" 2 "expected the name of a header field" --redact 'a: b' "$base_http/"

# --- the wire: pieces of what was sent and received, header blocks redacted, bodies up to 1 KiB a piece
printf 'body with \033[31m and more\n' >www/odd
record --detail wire --cacert ca.pem -H 'Authorization: Bearer geheim1' -H 'X-One: 1' -o wire.db "$base_https/odd?token=geheim2" || fail "--detail wire: $(cat err.txt)"
equal "secrets on the kept wire" "$(cat wire.db wire.db-wal 2>/dev/null | grep -ac geheim)" 0
equal "pieces" "$(sql wire.db 'SELECT group_concat(direction || part, " ") FROM (SELECT * FROM wire ORDER BY ordinal)')" "00 10 11"
contains "the request's header block" "$(sql wire.db 'SELECT CAST(data AS TEXT) FROM wire WHERE ordinal = 0' | tr -d '\r')" "GET /odd?token=* HTTP/1.1
Host: localhost:$https_port"
contains "a redacted field" "$(sql wire.db 'SELECT CAST(data AS TEXT) FROM wire WHERE ordinal = 0')" "Authorization: Bearer *"
holds "the whole is longer than what is stored" "$(sql wire.db 'SELECT length > length(data) FROM wire WHERE ordinal = 0')"
equal "the body" "$(sql wire.db 'SELECT hex(data) FROM wire WHERE part = 1')" "$(od -An -v -tx1 www/odd | tr -d ' \n' | tr a-f A-F)"
"$netphase" show wire.db >show.txt 2>&1 || fail "show of a wire: $(cat show.txt)"
contains "show" "$(cat show.txt)" "  0000  47 45 54 20 2f 6f 64 64  3f 74 6f 6b 65 6e 3d 2a  GET /odd?token=*"
contains "an escape is no escape" "$(cat show.txt)" "body with .[31m"
equal "wire of show --format json" "$("$netphase" show --format json wire.db | grep -c data_hex)" 3
record --detail wire -o wire.db "$base_http/large" || fail "--detail wire of a large body: $(cat err.txt)"
equal "no piece has more than 1 KiB" "$(sql wire.db 'SELECT max(length(data)) FROM wire')" 1024
equal "all of the body is counted" "$(sql wire.db 'SELECT sum(length) FROM wire WHERE part <> 0 AND request_id = 2')" 1000000
contains "n of m" "$("$netphase" show wire.db)" "body, 1,024 of "
record --detail wire -o huge.db "$base_http/huge" || fail "--detail wire of a huge body: $(cat err.txt)"
equal "pieces of a huge body" "$(sql huge.db 'SELECT count(*) FROM wire')" 1025
equal "those left out are counted" "$(sql huge.db 'SELECT sum(length) FROM wire WHERE part <> 0')" $((100 * 1024 * 1024))
contains "what show says of them" "$("$netphase" show --format json huge.db)" '"part": "left_out"'
record -o off.db "$base_http/" || fail "spans: $(cat err.txt)"
equal "nothing is kept unasked" "$(sql off.db 'SELECT count(*) FROM wire')" 0
trace_is_sound wire.db
trace_is_sound huge.db

# --- methods and bodies: what was typed is what the server sees
seen() { tail -n 1 full.log; }
record -X DELETE -o body.db "$base_http/post" || fail "-X: $(cat err.txt)"
contains "-X without a body" "$(seen)" "DELETE /post 200 type= length= coding= expect="
record -d a=1 -d 'b=2 3' -o body.db "$base_http/post" || fail "-d: $(cat err.txt)"
contains "-d" "$(seen)" "POST /post 200 type=application/x-www-form-urlencoded length=9 coding= expect= "
contains "the body of -d" "$(seen)" "body=a=1&b=2 3"
printf 'line one\r\nline two\n' >lines.txt
record -d @lines.txt -H 'Content-Type: text/plain' -X PATCH -o body.db "$base_http/post" || fail "-d @FILE: $(cat err.txt)"
contains "-d @FILE takes line ends out" "$(seen)" "PATCH /post 200 type=text/plain length=16 "
contains "the body of -d @FILE" "$(seen)" "body=line oneline two"
printf 'from input' | record -d @- -o body.db "$base_http/post" || fail "-d @-: $(cat err.txt)"
contains "the body of -d @-" "$(seen)" "body=from input"
record -d '' -o body.db "$base_http/post" || fail "-d '': $(cat err.txt)"
contains "an empty body" "$(seen)" "POST /post 200 type=application/x-www-form-urlencoded length=0 "
record -d x=1 --chunked -o body.db "$base_http/post" || fail "--chunked: $(cat err.txt)"
contains "--chunked" "$(seen)" " coding=chunked expect= "
contains "the body of --chunked" "$(seen)" "body=x=1"
record -d x=1 -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue' -o body.db "$base_http/post" || fail "by header: $(cat err.txt)"
contains "chunked and Expect by header" "$(seen)" "coding=chunked expect=100-continue"
: >full.log
record -n 20 -c 4 -d 'n=1' -o many.db "$base_http/post" || fail "-n 20 -c 4 -d: $(cat err.txt)"
equal "bodies of twenty requests" "$(grep -c 'body=n=1$' full.log)" 20
holds "connections for them" "$(sql many.db 'SELECT count(*) FROM connections') <= 4"
equal "bytes of their bodies" "$(sql many.db 'SELECT sum(sent_bytes) FROM requests')" 60
equal "the command line has no body" "$(sql many.db 'SELECT command FROM runs')" "netphase record -n 20 -c 4 -d * -o many.db $base_http/post"
trace_is_sound body.db
trace_is_sound many.db

# --- uploads: a file of any size in constant memory, standard input in chunks
head -c 75000 /dev/urandom | base64 -w0 >'some file'
record -n 3 -c 3 -T 'some file' -o up.db "$base_http/put/" || fail "-T: $(cat err.txt)"
contains "-T" "$(seen)" "PUT /put/some%20file 20"
contains "-T says its length" "$(seen)" "length=100000 coding= expect= "
cmp -s 'some file' 'www/put/some file' || fail "what arrived of -T is something else"
record -T 'some file' -X POST -o up.db "$base_http/post?x=1" || fail "-T with -X: $(cat err.txt)"
contains "-T to a URL with a query" "$(seen)" "POST /post?x=1 200 type= length=100000 "
head -c 200000 /dev/urandom >piped
record -T - -o up.db "$base_http/put/piped" <piped || fail "-T - of a file: $(cat err.txt)"
cat piped | record -T - -o up.db "$base_http/put/piped" || fail "-T -: $(cat err.txt)"
contains "-T -" "$(seen)" "coding=chunked expect=100-continue"
cmp -s piped www/put/piped || fail "what arrived of -T - is something else"
record -T /dev/null -o up.db "$base_http/put/none" || fail "-T of a device: $(cat err.txt)"
equal "statuses of uploads" "$(sql up.db 'SELECT count(*) FROM requests WHERE status NOT IN (200, 201, 204)')" 0
holds "send is a phase of its own" "$(sql up.db 'SELECT min(send_ns) FROM requests') > 0"
"$netphase" record -o up.db -T www/huge "$base_http/put/huge" >out.txt 2>err.txt &
recorder=$!
most=0
while kill -0 "$recorder" 2>/dev/null; do
    child=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$recorder/status" 2>/dev/null)
    [ "${child:-0}" -gt "$most" ] && most=$child
    sleep 0.01
done
wait "$recorder" || fail "a large upload: $(cat err.txt)"
equal "all of a large file" "$(stat -c %s www/put/huge)" $((100 * 1024 * 1024))
equal "sent bytes of a large file" "$(sql up.db 'SELECT sent_bytes FROM requests ORDER BY id DESC LIMIT 1')" $((100 * 1024 * 1024))
holds "kB of memory for a file of 100 MiB" "most < 90000 || ${NP_SANITIZED:-0}"
record -T www/huge -o up.db "$base_http/small" || fail "an upload that is refused: $(cat err.txt)"
equal "413 is a status" "$(sql up.db 'SELECT status FROM requests ORDER BY id DESC LIMIT 1')" 413
trace_is_sound up.db
# what blocks a request does not block an interrupt
mkfifo never
"$netphase" record -T never -o stop.db "$base_http/put/never" >stop.out 2>&1 &
recorder=$!
exec 7>never
stop_begun() { [ -e stop.db ] && [ -n "$(find . -name 'stop.db-ring-*')" ]; }
until_true 10 stop_begun || fail "no run began"
kill -INT "$recorder"
wait "$recorder"
equal "exit of an interrupted upload" $? 130
exec 7>&-
trace_is_sound stop.db

# --- credentials: a challenge is answered, and never stored
record -u me:geheim5 -o user.db "$base_http/private" || fail "-u: $(cat err.txt)"
contains "the summary tells hops" "$(cat out.txt)" "1 call took 2 requests"
equal "hops of a challenge" "$(sql user.db 'SELECT group_concat(status || coalesce(" of " || hop_of, ""), " ") FROM requests')" "401 200 of 1"
record "http://me:gehe%69m5@127.0.0.1:$http_port/private" -o user.db || fail "credentials in a URL: $(cat err.txt)"
equal "the last status" "$(sql user.db 'SELECT status FROM requests ORDER BY id DESC LIMIT 1')" 200
equal "the stored command line" "$(sql user.db 'SELECT command FROM runs WHERE id = 1')" "netphase record -u * -o user.db $base_http/private"
record --user=me:wrong --fail -o user.db "$base_http/private"
equal "exit of wrong credentials with --fail" $? 1
record -u me:geheim5 --fail -o user.db "$base_http/private" || fail "a hop with 401 is no failure: $(cat err.txt)"
record -u me:geheim5 -d big=1 -o user.db "$base_http/private" || fail "-u with a body: $(cat err.txt)"
equal "secrets in the file" "$(cat user.db user.db-wal 2>/dev/null | grep -acE 'geheim5|gehe%69m5')" 0
trace_is_sound user.db

# --- versions and the rest
record --http1.0 -o version.db "$base_http/post" || fail "--http1.0: $(cat err.txt)"
contains "--http1.0" "$(seen)" "HTTP/1.0"
record --http1.1 -o version.db "$base_http/post" || fail "--http1.1: $(cat err.txt)"
contains "--http1.1" "$(seen)" "HTTP/1.1"
record --compressed -o version.db "$base_http/post" || fail "--compressed: $(cat err.txt)"
contains "--compressed" "$(seen)" "accept=gzip, deflate"
record -n 2 -H 'Connection: close' -o version.db "$base_http/post" || fail "Connection: close: $(cat err.txt)"
equal "nothing is reused" "$(sql version.db 'SELECT sum(reused) FROM requests')" 0

# --- HTTP/2 where the server has it: one connection for what goes at once, bodies too
record -n 12 -c 4 --cacert ca.pem -o h2.db "https://localhost:$h2_port/" || fail "HTTP/2: $(cat err.txt)"
equal "protocol and connections" "$(sql h2.db 'SELECT protocol, count(*), count(DISTINCT connection_id) FROM requests GROUP BY 1')" "h2|12|1"
record --http1.1 --cacert ca.pem -o h2.db "https://localhost:$h2_port/" || fail "--http1.1 to an h2 server: $(cat err.txt)"
equal "--http1.1 holds" "$(sql h2.db 'SELECT protocol FROM requests ORDER BY id DESC LIMIT 1')" http/1.1
record --http2 -n 3 -c 3 -T piped --cacert ca.pem -o h2.db "https://localhost:$h2_port/put/by-h2" || fail "an upload over HTTP/2: $(cat err.txt)"
cmp -s piped www/put/by-h2 || fail "what arrived over HTTP/2 is something else"
# an answer of unknown length that is complete before the body is: the server takes no more of it, and that is no failure
record -n 10 -T www/huge -H 'Accept-Encoding: gzip' --fail --cacert ca.pem -o early.db "https://localhost:$h2_port/early" || fail "an early answer over HTTP/2: $(cat out.txt err.txt)"
equal "statuses of early answers" "$(sql early.db 'SELECT status, count(*), sum(failed), max(protocol) FROM requests GROUP BY 1')" "200|10|0|h2"
holds "bodies that were not sent whole" "$(sql early.db 'SELECT max(sent_bytes) FROM requests') < 100 * 1024 * 1024"
trace_is_sound early.db
record --detail wire -H 'Authorization: Bearer geheim6' -d x=1 --cacert ca.pem -o h2.db "https://localhost:$h2_port/sink" || fail "the wire of HTTP/2: $(cat err.txt)"
equal "secrets of HTTP/2" "$(cat h2.db h2.db-wal 2>/dev/null | grep -ac geheim6)" 0
contains "show of HTTP/2" "$("$netphase" show h2.db)" "200  h2"
contains "a request over HTTP/2 as text" "$("$netphase" show h2.db)" "POST /sink HTTP/"
trace_is_sound h2.db

# --- what is not as one hopes for is told at once
record "$base_http/" "$base_http/missing" "$base_http/error" -n 2 -o statuses.db || fail "statuses: $(cat err.txt)"
contains "the summary tells statuses" "$(cat out.txt)" "statuses: 200 × 2, 404 × 2, 500 × 2"
record "$base_http/" -o statuses.db || fail "statuses: $(cat err.txt)"
case "$(cat out.txt)" in *"statuses: "*) fail "statuses are told where all are well: $(cat out.txt)" ;; esac

# --- words that make no request
printf 'no certificate\n' >no.pem
refuses "a file without certificates" 4 "no.pem has no certificate" --cacert no.pem "$base_https/"
refuses "a proxy's file without certificates" 4 "no.pem has no certificate" --proxy-cacert no.pem "$base_https/"
refuses "a missing file of certificates" 4 "cannot be read" --cacert missing.pem "$base_https/"
mkdir folder
refuses "-d and -T" 2 "--data and --upload exclude each other" -d a -T lines.txt "$base_http/"
refuses "-T of a folder" 4 "folder cannot be read: Is a directory" -T folder "$base_http/"
refuses "-T of a missing file" 4 "nothing.txt cannot be read: No such file" -T nothing.txt "$base_http/"
refuses "-d of a missing file" 4 "nothing.txt cannot be read: No such file" -d @nothing.txt "$base_http/"
refuses "-d @" 2 "expected a file behind it" -d @ "$base_http/"
refuses "--chunked of nothing" 2 "nothing to send in chunks" --chunked "$base_http/"
refuses "a GET with a body" 2 "a GET has no body" -X GET -d a "$base_http/"
refuses "chunks of HTTP/1.0" 2 "HTTP/1.0 has no chunks" --http1.0 --chunked -d a "$base_http/"
refuses "standard input twice" 2 "can be sent once" -n 2 -T - "$base_http/"
refuses "a pipe to two URLs" 2 "can be sent once" -T never "$base_http/" "$base_http/a" 7<>never
refuses "URLs and body from standard input" 2 "is read for URLs already" -T - -
refuses "-u without a password" 2 "--user without a password" -u me "$base_http/"
refuses "a length by hand" 2 "is counted" -H 'Content-Length: 3' -d a "$base_http/"
refuses "an odd Expect" 2 "expected 100-continue or nothing" -H 'Expect: x' -d a "$base_http/"
refuses "an odd method" 2 "method" -X 'G T' "$base_http/"

# --- TLS versions
record --tlsv1.2 --cacert ca.pem -o tls.db "$base_https/" || fail "--tlsv1.2: $(cat err.txt)"
record --tlsv1.3 --cacert ca.pem -o tls.db "$base_https/" || fail "--tlsv1.3: $(cat err.txt)"
equal "versions" "$(sql tls.db 'SELECT group_concat(tls_version, " ") FROM requests')" "TLSv1.3 TLSv1.3"
trace_is_sound tls.db

# --- the system's resolver: in a mount namespace with an nsswitch.conf and a hosts file of our own
printf '127.0.0.1 origin.test\n' >hosts
printf 'hosts: mdns4_minimal [NOTFOUND=return] files dns\n' >nsswitch.conf
elsewhere() {
    unshare -rm sh -c 'mount --bind hosts /etc/hosts && mount --bind "$0" /etc/nsswitch.conf && exec "$@"' "$@"
}
source_of() { sql "$1" "SELECT json_extract(detail, '$.source') FROM spans WHERE kind = 'lookup' ORDER BY id DESC LIMIT 1"; }
if elsewhere nsswitch.conf true 2>/dev/null; then
    elsewhere nsswitch.conf "$netphase" record -q -o nss.db "http://origin.test:$http_port/" >out.txt 2>err.txt || fail "nsswitch.conf: $(cat err.txt)"
    equal "status through the system's resolver" "$(sql nss.db 'SELECT status FROM requests')" 200
    equal "who answered" "$(source_of nss.db)" nss
    equal "spans of an opaque lookup" "$(sql nss.db "SELECT count(*) FROM spans WHERE phase = 'dns'")" 1
    elsewhere nsswitch.conf "$netphase" record -q --resolver c-ares -o nss.db "http://origin.test:$http_port/" >out.txt 2>err.txt || fail "--resolver c-ares: $(cat err.txt)"
    equal "who answered with --resolver c-ares" "$(source_of nss.db)" dns
    printf 'hosts: files dns\n' >plain.conf
    elsewhere plain.conf "$netphase" record -q -o nss.db "http://origin.test:$http_port/" >out.txt 2>err.txt || fail "files dns: $(cat err.txt)"
    equal "who answered with files dns" "$(source_of nss.db)" hosts
    elsewhere plain.conf "$netphase" record -q --resolver system --fresh -n 3 -o nss.db "http://origin.test:$http_port/" >out.txt 2>err.txt || fail "--resolver system: $(cat err.txt)"
    equal "who answered with --resolver system" "$(source_of nss.db)" nss
    trace_is_sound nss.db
else
    echo "SKIPPED in part: no user namespaces here for an nsswitch.conf of our own"
fi
refuses "--resolver of nothing" 2 "expected automatic, c-ares or system" --resolver curl "$base_http/"
refuses "a server for the system's resolver" 2 "DNS servers are asked by our own resolver" --resolver system --dns-server 127.0.0.1 "$base_http/"

done_ok
