#!/usr/bin/env bash
# A full disk, a locked trace: a clear message, exit status 5, and what was stored stays readable. The full disk is a small tmpfs in a mount
# namespace of this test.
script=$(realpath "$0")
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
need unshare util-linux
if [ -z "${NP_IN_NAMESPACE:-}" ]; then
    cd / && rm -rf "$work"
    trap - EXIT
    export NP_IN_NAMESPACE=1
    # The last form is for a chroot, whose root is no mount point that could be made private.
    for how in "-m" "-Urm" "-m --propagation unchanged"; do
        # shellcheck disable=SC2086
        if unshare $how true 2>/dev/null; then exec unshare $how bash "$script"; fi
    done
    echo "SKIPPED: mount namespaces are missing (unshare: not permitted)"
    exit 77
fi
start_nginx
url="http://127.0.0.1:$http_port/"
disk() { # SIZE: a fresh tmpfs at ./disk
    mkdir -p disk
    umount disk 2>/dev/null
    mount -t tmpfs -o size="$1" none disk || fail "no tmpfs here"
}
record() { "$netphase" record "$@" >out.txt 2>err.txt; }

# --- the ring does not fit
disk 1m
record -n 5 -o disk/trace.db "$url"
equal "exit when the ring does not fit" $? 5
contains "the message" "$(cat err.txt)" "netphase record:"
contains "the message" "$(cat err.txt)" "room"
equal "nothing is left of the ring" "$(find disk -name '*-ring-*' | wc -l)" 0

# --- SQLite fills the disk: what was stored before stays
disk 12m
record -n 100 -o disk/trace.db "$url" || fail "a run that fits: $(cat err.txt)"
before=$(sql disk/trace.db 'SELECT count(*) FROM requests')
equal "the run that fits" "$before" 100
used=$(du -sk disk | cut -f1)
umount disk
disk 12m
record -D 120s -c 16 --detail headers -o disk/trace.db "$url"
equal "exit when the disk is full" $? 5
contains "the message" "$(cat err.txt)" "full"
holds "something was stored" "$(sql disk/trace.db 'SELECT count(*) FROM requests') > 100"
equal "integrity" "$(sql disk/trace.db 'PRAGMA integrity_check')" ok
equal "sums" "$(sql disk/trace.db 'SELECT count(*) FROM problems WHERE problem LIKE "%phase%"')" 0
"$netphase" report disk/trace.db >report.txt 2>&1 || fail "report on the full disk: $(cat report.txt)"
contains "the report" "$(cat report.txt)" "total"

# --- locked by someone else for longer than the wait
record -n 3 -o locked.db "$url" || fail "a trace to lock"
mkfifo hold
sqlite3 locked.db <hold >lock.out 2>&1 &
holder=$!
exec 8>hold
echo "BEGIN IMMEDIATE; SELECT 'held';" >&8
until_true 10 grep -q held lock.out || fail "no lock was taken"
record -n 3 -o locked.db "$url"
equal "exit when the trace is locked" $? 5
contains "the message" "$(cat err.txt)" "lock"
echo "COMMIT; .quit" >&8
exec 8>&-
wait "$holder"
equal "what was stored before" "$(sql locked.db 'SELECT count(*) FROM requests WHERE run_id = 1')" 3
record -n 3 -o locked.db "$url" || fail "after the lock: $(cat err.txt)"
trace_is_sound locked.db

umount disk
done_ok
