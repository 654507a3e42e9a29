#!/usr/bin/env bash
# The trace is deleted, moved or replaced while it is recorded into: noticed at once, one line that says where what was recorded is, exit
# status 5, nothing lost.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
start_nginx
url="http://127.0.0.1:$http_port/"

# begin TRACE: records for two minutes, were nobody to stop it; back when something is stored
begin() {
    "$netphase" record -D 120s -c 2 -o "$1" "$url" >out.txt 2>err.txt &
    recorder=$!
    pids+=("$recorder")
    until_true 20 has_rows "$1" || fail "nothing is stored in $1: $(cat err.txt)"
    begun=$SECONDS
}
has_rows() { [ "$(sqlite3 -readonly "$1" 'SELECT count(*) > 20 FROM request' 2>/dev/null)" = 1 ]; }

# ended WHAT WORDS: how it ended
ended() {
    wait "$recorder"
    equal "exit status: $1" $? 5
    holds "noticed early: $1" "$((SECONDS - begun)) < 60"
    contains "the message: $1" "$(cat err.txt)" "$2"
    equal "one line: $1" "$(wc -l <err.txt)" 1
    equal "rings: $1" "$(find . -name '*-ring-*' | wc -l)" 0
}

# whole TRACE: what the run says it stored is there
whole() {
    equal "integrity of $1" "$(sql "$1" 'PRAGMA integrity_check')" ok
    equal "problems of $1" "$(sql "$1" 'SELECT count(*) FROM problems')" 0
    holds "rows of $1" "$(sql "$1" 'SELECT count(*) FROM requests') > 20"
    equal "the run of $1" "$(sql "$1" 'SELECT requests - (SELECT count(*) FROM requests) FROM run')" 0
    equal "mode of $1" "$(stat -c %a "$1")" 600
    "$netphase" report "$1" >report.txt 2>&1 || fail "report of $1: $(cat report.txt)"
}

begin deleted.db
rm deleted.db
ended deleted "deleted.db was deleted while it was recorded into; what was recorded is in deleted.db.kept"
whole deleted.db.kept

# With all that lies beside it, for the second time: the first copy stays.
begin deleted.db
rm deleted.db deleted.db-*
ended "deleted whole" "what was recorded is in deleted.db.kept-2"
whole deleted.db.kept-2

begin moved.db
mv moved.db elsewhere.db
ended moved "moved.db was moved while it was recorded into; what was recorded is in elsewhere.db"
whole elsewhere.db

begin replaced.db
cp elsewhere.db other.db
mv other.db replaced.db
ended replaced "replaced.db was deleted while it was recorded into; what was recorded is in replaced.db.kept"
whole replaced.db.kept
equal "the other file is as it was" "$(cmp elsewhere.db replaced.db 2>&1)" ""

done_ok
