#!/usr/bin/env bash
# kill -9 at random instants while recording at full speed: the trace opens, is sound, and has every announced request once.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
start_nginx
rounds=10
[ -z "${NETPHASE_TEST_LONG:-}" ] || rounds=100
seed=${NP_SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed, $rounds rounds"

for ((round = 1; round <= rounds; round++)); do
    rm -f trace.db* announced
    "$netphase" record -D 60s -c 8 --progress-fd 3 -o trace.db "http://127.0.0.1:$http_port/" 3>announced >/dev/null 2>record.err &
    recorder=$!
    until_true 10 test -s announced || fail "nothing was announced: $(cat record.err)"
    # anything from at once to 0.4 s
    sleep "$(printf '0.%03d' $((RANDOM % 400)))"
    # the verb may have been handed to another program: it keeps the pid
    kill -KILL "$recorder"
    wait "$recorder" 2>/dev/null

    # the last line may be cut by the kill: only whole lines count
    grep -E '^[0-9]+ [0-9]+ [0-9]+$' announced | cut -d' ' -f1 | sort -n >ids
    [ -s ids ] || fail "round $round: no whole line was announced"
    "$netphase" info trace.db >info.txt 2>&1 || fail "round $round: the trace does not open: $(cat info.txt)"
    trace_is_sound trace.db
    sql trace.db 'SELECT id FROM requests ORDER BY id' >stored
    equal "round $round: announced but not stored" "$(comm -23 <(sort ids) <(sort stored) | wc -l)" 0
    equal "round $round: announced twice" "$(uniq -d ids | wc -l)" 0
    equal "round $round: numbers stored twice" "$(sql trace.db 'SELECT count(*) - count(DISTINCT process_id || "/" || number) FROM request')" 0
    equal "round $round: the run" "$(sql trace.db 'SELECT state FROM runs')" recovered
    # never more than the server answered and what was on its way
    holds "round $round: ok rows" "$(sql trace.db "SELECT count(*) FROM requests WHERE outcome = 'ok'") <= $(wc -l <access.log)"
    : >access.log
done
done_ok
