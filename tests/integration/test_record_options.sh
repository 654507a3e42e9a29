#!/usr/bin/env bash
# What record's options make of a request: what was typed, what a real nginx saw, what the trace says.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
need openssl openssl
start_nginx
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
refuses "standard input twice" 2 "standard input is named 2 times" - -

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
