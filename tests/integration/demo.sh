#!/bin/bash
# netphase demo, from the lab to the table: with the well-known ports and with free ones.
#   demo.sh NETPHASE
set -u
netphase=$1
failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TMPDIR=$folder/tmp
mkdir "$TMPDIR"
cd "$folder" || exit 1

# must WHAT COMMAND…
must() {
    local what=$1
    shift
    "$@" && return
    echo "FAILED: $what"
    failed=1
}

# The last table has the median of a phase in column N.
# measured FILE PHASE COLUMN
measured() {
    awk -v phase="$2" -v column="$3" '/^What the lab was told/ { on = 1 }
        on && $1 == phase { found = 1; exit !($column ~ /^[0-9.]+$/) }
        END { if (!found) exit 1 }' "$1"
}

# A delay that was told is never early. On a busy machine its begin may be seen late, and what was seen late is missing from it: the end of send
# from wait, the first byte from receive. Together with the phase before they are whole.
never_early() { # never_early TRACE
    local early
    command -v sqlite3 >/dev/null || { echo "SKIPPED in part: sqlite3 is missing"; return 0; }
    early=$(sqlite3 -readonly "$1" "SELECT group_concat(id || ': ' || coalesce(dns_ns, '-') || ' ' || send_ns || ' ' || wait_ns || ' ' || receive_ns)
        FROM requests WHERE dns_ns < 79500000 OR send_ns + wait_ns < 119500000 OR send_ns + wait_ns + receive_ns < 169500000")
    [ -z "$early" ] || echo "early, in ns of dns, send, wait and receive: $early"
    [ -z "$early" ]
}

check() { # check HOW COMMAND…
    local how=$1
    shift
    "$@" demo -n 3 -o "$how.db" > "$how.out" 2> "$how.err"
    must "$how: exit status" test $? = 0
    must "$how: dns" measured "$how.out" dns 3
    must "$how: wait, new" measured "$how.out" wait 3
    must "$how: wait, kept" measured "$how.out" wait 4
    must "$how: receive" measured "$how.out" receive 3
    must "$how: no delay is early" never_early "$how.db"
    must "$how: the report" grep -q 'new connections' "$how.out"
    must "$how: the commands are shown" grep -q '^\$ netphase record -n 3' "$how.err"
    [ $failed = 0 ] || cat "$how.out" "$how.err"
}

check plain "$netphase"
if [ "$(id -u)" = 0 ] && setpriv --bounding-set -net_bind_service true 2>/dev/null; then
    check free-ports setpriv --bounding-set -net_bind_service "$netphase"
fi
"$netphase" demo -q -n 1 -o plain.db > again.out 2> again.err
must "a trace that is there gets two more runs" test "$("$netphase" info --format json plain.db | tr , '\n' | grep -c '"uuid"')" = 4
must "-q is quiet" test ! -s again.err
must "the report has the new runs only" grep -q '2 requests' again.out
echo junk > junk.db
"$netphase" demo -n 1 -o junk.db >/dev/null 2>&1
must "what is no trace is left alone" test "$? $(cat junk.db)" = "4 junk"
must "nothing is left behind" test -z "$(ls -A "$TMPDIR")"
[ $failed = 0 ] && echo "all is as it should be"
exit $failed
