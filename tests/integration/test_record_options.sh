#!/usr/bin/env bash
# What record's options make of a request: what was typed, what a real nginx saw, what the trace says.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
need openssl openssl
start_nginx
base_http="http://127.0.0.1:$http_port"
base_https="https://localhost:$https_port"

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
