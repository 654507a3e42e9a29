#!/bin/bash
# What netphase lab does, seen from outside: names, servers, refusals, exit statuses, signals, nothing left behind.
#   lab.sh NETPHASE-LAB LAB_ASK
set -u
lab=$1
ask=$2
failed=0
scratch=$(mktemp -d)
export TMPDIR=$scratch
trap 'rm -rf "$scratch"' EXIT
command -v curl >/dev/null || { echo "SKIP: no curl (package curl)"; exit 77; }

# is WHAT FOUND EXPECTED
is() {
    if [ "$2" == "$3" ]; then return; fi
    printf 'FAILED: %s\n  found:    %s\n  expected: %s\n' "$1" "$2" "$3"
    failed=1
}

# has WHAT TEXT PART
has() {
    case $2 in *"$3"*) return ;; esac
    printf 'FAILED: %s\n  found:       %s\n  expected in: %s\n' "$1" "$2" "$3"
    failed=1
}

# until_true COMMAND…: waits for it, 10 s at most
until_true() {
    for _ in $(seq 1000); do
        if "$@" 2>/dev/null; then return 0; fi
        sleep 0.01
    done
    return 1
}
gone() { ! kill -0 "$1" 2>/dev/null; }
is_empty() { [ -z "$(ls -A "$scratch")" ]; }

# A curl that finds the lab: to the origin's address, whatever its ports.
cat > "$scratch/get" <<'GET'
#!/bin/bash
origin=${NETPHASE_DNS_SERVER%:*}
https=443 http=80
case ${NETPHASE_CONNECT_TO:-} in *origin.lab:443:*) https=${NETPHASE_CONNECT_TO#*origin.lab:443:*:}; https=${https%%,*} ;; esac
case ${NETPHASE_CONNECT_TO:-} in *origin.lab:80:*) http=${NETPHASE_CONNECT_TO#*origin.lab:80:*:}; http=${http%%,*} ;; esac
exec curl -sS -m 20 --connect-to ":443:$origin:$https" --connect-to ":80:$origin:$http" "$@"
GET
chmod +x "$scratch/get"
mkdir "$scratch/t" && mv "$scratch/get" "$scratch/t/" && get=$scratch/t/get
export TMPDIR=$scratch/t/tmp && mkdir "$TMPDIR" && scratch_tmp=$TMPDIR
is_empty() { [ -z "$(ls -A "$scratch_tmp")" ]; }
in_lab() { "$lab" lab -q "$@" 2>&1; }

# --- names
answers=$(in_lab -- bash -c '"$0" origin.lab A; "$0" ORIGIN.lab A; "$0" --tcp v4.lab A; "$0" --edns dual.lab A
    "$0" origin.lab AAAA; "$0" nx1.lab A; "$0" --tcp www.example A; "$0" v6.lab A; "$0" --garbage origin.lab A
    echo "ok ${NETPHASE_DNS_SERVER%:*} ttl 60"' "$ask")
expected=$(printf '%s\n' "$answers" | tail -n 1)
no_data=$(printf 'DNS server returned answer with no data')
not_found=$(printf 'Domain name not found')
is "names" "$answers" "$(printf '%s\n' "$expected" "$expected" "$expected" "$expected" "$no_data" "$not_found" \
    "$not_found" "$no_data" "$expected" "$expected")"
has "ttl" "$(in_lab --dns-ttl 7 -- "$ask" origin.lab A)" "ttl 7"
is "servfail" "$(in_lab --dns-fault servfail -- "$ask" origin.lab A)" "DNS server returned general failure"
is "refused" "$(in_lab --dns-fault refused -- "$ask" origin.lab A)" "DNS server refused query"
is "nxdomain" "$(in_lab --dns-fault nxdomain -- "$ask" origin.lab A)" "$not_found"
is "drop" "$(in_lab --dns-fault drop -- "$ask" origin.lab A)" "Timeout while contacting DNS servers"
has "drop-first" "$(in_lab --dns-fault drop-first=1 -- "$ask" origin.lab A)" "ok 127."
has "tc, then tcp" "$(in_lab --dns-fault tc -- "$ask" origin.lab A)" "ok 127."
has "formerr-edns, then without" "$(in_lab --dns-fault formerr-edns -- "$ask" --edns origin.lab A)" "ok 127."
has "cname" "$(in_lab --dns-fault cname=5 -- "$ask" origin.lab A)" "ok 127."
is "AAAA dropped" "$(in_lab --dns-aaaa drop -- bash -c '"$0" origin.lab A | cut -c1-6; "$0" origin.lab AAAA' "$ask")" \
    "$(printf 'ok 127\nTimeout while contacting DNS servers')"

# --- origin
page='%{http_code} %{size_download} %{num_connects} '
is "https, http, keep-alive" "$(in_lab -- "$get" https://origin.lab/bytes/100000 https://v4.lab/bytes/0 \
    http://origin.lab/bytes/3000000 http://origin.lab/drip/5/2 http://origin.lab/hdrgap/3 -o /dev/null -o /dev/null \
    -o /dev/null -o /dev/null -o /dev/null -w "$page")" "200 100000 1 200 0 1 200 3000000 1 200 500 0 200 119 0 "
is "tls 1.2" "$(in_lab -- "$get" --tls-max 1.2 https://origin.lab/ -o /dev/null -w "$page")" "200 119 1 "
is "tls-max" "$(in_lab --tls-max 1.2 -- "$get" --tlsv1.3 https://origin.lab/ 2>&1 -o /dev/null -w '%{exitcode}' | tail -c 2)" "35"
for fault in expired wrong-name unknown-ca; do
    is "tls-fault $fault" "$(in_lab --tls-fault $fault -- "$get" https://origin.lab/ -o /dev/null -w '%{exitcode}' | tail -c 2)" "60"
done
is "redirects" "$(in_lab -- "$get" -L http://origin.lab/redirect/3 -o /dev/null -w '%{num_redirects} %{http_code}')" "3 200"
is "statuses" "$(in_lab -- "$get" http://origin.lab/status/503 http://origin.lab/status/204 http://origin.lab/none \
    -o /dev/null -o /dev/null -o /dev/null -w '%{http_code} ')" "503 204 404 "
is "reset" "$(in_lab -- "$get" http://origin.lab/reset -o /dev/null -w '%{exitcode}' | tail -c 2)" "56"
is "early hints" "$(in_lab -- "$get" -i http://origin.lab/early | grep -c '^HTTP/1.1 [12]0')" "2"
head -c 300000 /dev/zero > "$scratch/t/body"
is "bodies up" "$(in_lab -- "$get" -H Expect: --data-binary @"$scratch/t/body" http://origin.lab/ https://origin.lab/ \
    -o /dev/null -o /dev/null -w '%{http_code} %{size_upload} ')" "200 300000 200 300000 "
is "chunked up, with 100-continue" "$(in_lab --continue 30ms -- "$get" -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue' \
    -T "$scratch/t/body" https://origin.lab/status/200 -o /dev/null -w '%{http_code} %{size_upload}' | cut -c1-9)" "200 30004"
cat > "$scratch/t/resume" <<'RESUME'
#!/bin/bash
https=443
case ${NETPHASE_CONNECT_TO:-} in *origin.lab:443:*) https=${NETPHASE_CONNECT_TO#*origin.lab:443:*:}; https=${https%%,*} ;; esac
printf 'GET / HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n' |
    timeout 10 openssl s_client -connect "${NETPHASE_DNS_SERVER%:*}:$https" -servername origin.lab -CAfile "$SSL_CERT_FILE" \
        -ign_eof "$@" 2>/dev/null
RESUME
chmod +x "$scratch/t/resume"
if command -v openssl >/dev/null; then
    for version in tls1_2 tls1_3; do
        is "resumption $version" "$(in_lab -- bash -c '"$0" "$1" -sess_out "$2" >/dev/null; "$0" "$1" -sess_in "$2" | grep -c ^Reused' \
            "$scratch/t/resume" "-$version" "$scratch/t/session")" "1"
    done
fi
pipelined='exec 3<>/dev/tcp/${NETPHASE_DNS_SERVER%:*}/$(p=${NETPHASE_CONNECT_TO:-,origin.lab:80:x:80}; p=${p#*origin.lab:80:*:}; echo ${p%%,*})
printf "$0" >&3; cat <&3'
is "pipelined" "$(in_lab -- bash -c "$pipelined" 'GET /bytes/1 HTTP/1.1\r\nHost: o\r\n\r\nGET /bytes/2 HTTP/1.1\r\nHost: o\r\n\r\nGET / HTTP/1.0\r\n\r\n' | grep -ao 'HTTP/1.1 200' | wc -l)" "3"
has "malformed" "$(in_lab -- bash -c "$pipelined" 'NONSENSE\r\n\r\n' | head -n 1)" "400"
has "a client that only sends a FIN" "$(in_lab -- bash -c "${pipelined%; cat*}; exec 3>&-; $pipelined" 'GET / HTTP/1.0\r\n\r\n')" "200 OK"

# --- refusals by name
for condition in --rtt=1ms --loss=1% --jitter=1ms --connect=1ms --connect-fault=refused --drop=up:syn --hold=up:syn:1ms \
    --mtu=1400 --queue=1000 --dup=1% --reorder=1% --pcap=x --proxy=http --pac=1ms --seed=1; do
    text=$(in_lab $condition -- true)
    is "status of $condition" "$?" 2
    has "text of $condition" "$text" "loopback mode cannot keep ${condition%%=*}: it needs"
done
has "namespaces" "$(in_lab --mode namespaces -- true)" "not built yet"
has "mode auto" "$(in_lab --mode auto -- echo it runs)" "it runs"
is "bad time" "$("$lab" lab --dns fast -- true 2>/dev/null; echo $?)" 2

# --- CMD: statuses, words for strangers, the environment
for status in 0 1 42; do is "exit $status" "$(in_lab -- bash -c "exit $status"; echo $?)" "$status"; done
is "killed CMD" "$(in_lab -- bash -c 'kill -9 $$'; echo $?)" 137
is "missing CMD" "$(in_lab -- no-such-program >/dev/null; echo $?)" 127
is "CMD that is none" "$(in_lab -- "$scratch/t/body" >/dev/null; echo $?)" 126
has "a stranger is told" "$("$lab" lab -- true 2>&1)" "certificate variables only"
is "ours is told nothing" "$(ln -s "$(type -P true)" "$scratch/t/netphase-x"; "$lab" lab -- "$scratch/t/netphase-x" 2>&1)" ""
is "proxies lead out" "$(https_proxy=http://127.0.0.1:9 in_lab -- bash -c 'echo "${https_proxy:-none}"')" "none"
is "no folder is left" "$(ls -A "$scratch_tmp")" ""

# --- two at once
is "two labs" "$(in_lab -- "$lab" lab -q -- "$get" https://origin.lab/ -o /dev/null -w '%{http_code}')" "200"

# --- where the well-known ports may not be bound
if [ "$(id -u)" = 0 ] && setpriv --bounding-set -net_bind_service true 2>/dev/null; then
    is "free ports" "$(setpriv --bounding-set -net_bind_service "$lab" lab -q -- bash -c '
        echo "${NETPHASE_CONNECT_TO:-no mapping}" | tr , "\n" | sed "s/:[a-z0-9]*\.lab:[0-9]*\$//" | sort
        "$0" https://origin.lab/ http://origin.lab/ -o /dev/null -o /dev/null -w "%{http_code} "
        "$1" origin.lab A | cut -c1-6
        r=${NETPHASE_CONNECT_TO#*refused.lab:80:*:} a=${NETPHASE_DNS_SERVER%:*}
        curl -s -m 5 --connect-to "::${a%.*}.$((${a##*.} + 1)):${r%%,*}" http://refused.lab/; echo $?' "$get" "$ask" 2>&1)" \
        "$(printf '%s\n' dual.lab:443 dual.lab:80 origin.lab:443 origin.lab:80 refused.lab:443 refused.lab:80 \
            v4.lab:443 v4.lab:80 '200 200 ok 127' 7)"
fi

# --- signals, and nothing left behind
cat > "$scratch/t/waiter" <<'WAITER'
#!/bin/bash
trap 'echo got USR1 >> "$1.log"' USR1
trap 'echo got TERM >> "$1.log"; exit 9' TERM
sleep 300 & echo $! > "$1.grandchild"
echo $$ > "$1.pid"
while :; do wait; done
WAITER
chmod +x "$scratch/t/waiter"
file=$scratch/t/w
"$lab" lab -q -- "$scratch/t/waiter" "$file" & pid=$!
until_true test -s "$file.pid"
servers=$(pgrep -P $pid | grep -v "$(cat "$file.pid")")
kill -USR1 $pid
until_true grep -qs USR1 "$file.log"
is "USR1 is forwarded" "$?" 0
kill -TERM $pid
wait $pid
is "TERM is forwarded, the status comes back" "$?" 9
is "what CMD left is ended" "$(until_true gone "$(cat "$file.grandchild")"; echo $?)" 0
is "the servers are gone" "$(until_true gone "$servers"; echo $?)" 0
is "the folder is gone" "$(ls -A "$scratch_tmp")" ""

rm -f "$file".*
"$lab" lab -q -- "$scratch/t/waiter" "$file" & pid=$!
until_true test -s "$file.pid"
servers=$(pgrep -P $pid | grep -v "$(cat "$file.pid")")
sleeper=$(cat "$file.grandchild")
kill -KILL $pid
wait $pid 2>/dev/null
is "KILL: CMD is gone" "$(until_true gone "$(cat "$file.pid")"; echo $?)" 0
is "KILL: the servers are gone" "$(until_true gone "$servers"; echo $?)" 0
is "KILL: the folder is gone" "$(until_true is_empty; echo $?)" 0
kill "$sleeper" 2>/dev/null

# --- without CMD
"$lab" lab > "$scratch/t/use" 2>&1 & pid=$!
until_true grep -qs '^#   curl' "$scratch/t/use"
is "what it prints is for a shell" "$(. "$scratch/t/use"; "$get" https://origin.lab/ -o /dev/null -w '%{http_code}')" "200"
kill -INT $pid
wait $pid
is "an interrupt ends it" "$?" 0
is "no folder is left after that" "$(ls -A "$scratch_tmp")" ""
truth=$("$lab" lab --print-truth --dns 80ms --tls 5ms --ttfb 120ms)
has "truth" "$truth" '"dns_ns": 80000000'
has "truth" "$truth" '"wait_ns": 120000000'

[ $failed = 0 ] && echo "all is as it should be"
exit $failed
