#!/usr/bin/env bash
# The real program in a real terminal (tmux): what it shows is what the cells hold, and whatever ends it leaves the terminal as it was.
# Every step waits for what it expects, with a deadline. No state of one check is left to the next: each has a server of its own.
set -u
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
for program in tmux sqlite3; do
    command -v "$program" >/dev/null || { echo "SKIPPED: $program is not installed"; exit 77; }
done
folder=$(mktemp -d)
sockets=()
cleanup() {
    for socket in "${sockets[@]}"; do tmux -S "$socket" kill-server 2>/dev/null; done
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
cd "$folder" || exit 1
failures=0
checks=0

for trace in corp:tests/screens/traces/corp.sql small:tests/data/small_trace.sql; do
    for file in schema/0001_trace.sql schema/views.sql "${trace#*:}"; do
        sqlite3 "${trace%%:*}.db" <"$source_dir/$file" || exit 1
    done
done
head -c 20000 corp.db >damaged.db
echo "not a trace at all, only some words" >foreign.db

fail() { echo "FAILED: $name: $*"; failures=$((failures + 1)); }

# start NAME SIZE COMMAND: a shell in tmux runs it; when it is over, "ended N" stands there.
start() {
    name=$1
    socket="$folder/socket-$checks"
    checks=$((checks + 1))
    sockets+=("$socket")
    tmux -S "$socket" -f /dev/null new-session -d -x "${2%x*}" -y "${2#*x}" \
        "env -u NO_COLOR LC_ALL=C.UTF-8 PATH='$NP_BIN:$PATH' PS1='shell> ' bash --norc --noprofile -i"
    tmux -S "$socket" set -g status off >/dev/null 2>&1
    expect 'shell>'
    tmux -S "$socket" send-keys -l "clear; $3; echo ended \$?"
    tmux -S "$socket" send-keys Enter
}
pane() { tmux -S "$socket" capture-pane -p "$@"; }
press() { tmux -S "$socket" send-keys "$@"; }
# Waits up to 15 s until the pane holds a fixed text.
expect() {
    for _ in $(seq 200); do
        pane | grep -qF -- "$1" && return 0
        sleep 0.05
    done
    fail "'$1' did not appear in:"
    pane
    return 1
}
# Waits until the pane is the golden screen.
matches() {
    local golden="$source_dir/tests/screens/golden/$1.screen"
    for _ in $(seq 200); do
        pane | sed 's/ *$//' >now.txt
        cmp -s now.txt <(sed 's/ *$//' "$golden") && return 0
        sleep 0.05
    done
    fail "is not $1:"
    diff "$golden" now.txt | head -n 20
    return 1
}
# The program is over with this status, and the shell's line is all that is left on the screen.
ended() {
    expect "ended $1" || return
    pane | grep -q '▌' && fail "the screen was not given back"
    tmux -S "$socket" send-keys -l "stty -a | grep -qE -- '-icanon|-echo |-isig|-icrnl' && echo modes bad || echo modes 'good'"
    press Enter
    for _ in $(seq 200); do
        pane | grep -q '^modes good' && return
        pane | grep -q '^modes bad' && break
        sleep 0.05
    done
    fail "the terminal's modes were not given back"
}

# No colours, as in the golden screens.
start first 100x30 'NO_COLOR=1 netphase tui corp.db'
matches requests-first
press q; ended 0

start sizes 80x24 'NO_COLOR=1 netphase tui corp.db'
matches requests-80x24
tmux -S "$socket" resize-window -x 200 -y 60; matches requests-200x60
tmux -S "$socket" resize-window -x 40 -y 10; matches requests-40x10
tmux -S "$socket" resize-window -x 39 -y 10; matches too-small-39x10
tmux -S "$socket" resize-window -x 100 -y 30; matches requests-first
press Q; ended 0

start keys 100x30 'NO_COLOR=1 netphase tui corp.db'
matches requests-first
press j j j; matches requests-fourth-selected
press g; press '>' '>' '>'; matches requests-sorted-by-total
press C-c; ended 0

start waterfall 100x30 'netphase tui --color=never corp.db'
matches requests-first
press w; matches waterfall-100x30
press Escape; matches requests-first
press S; matches summary-100x30
press q; matches requests-first
press q; ended 0

start detail 100x40 'NO_COLOR=1 netphase tui --view detail corp.db'
matches detail-phases
press F10; ended 0

start help 80x24 'NO_COLOR=1 netphase tui corp.db'
matches requests-80x24
press F1; matches help-of-requests
press q q; ended 0

start prompt 100x20 'NO_COLOR=1 netphase tui corp.db'
expect '▌ 12:04:26.010'
press f; matches prompt-filter-empty
tmux -S "$socket" send-keys -l 'setup_tim > 5ms'; press Enter; matches prompt-filter-mistake-in-a-name
press C-u; tmux -S "$socket" send-keys -l 'failed'; press Enter; matches requests-filtered-by-keys
press Escape; matches requests-filter-off-20
press q; ended 0

start ascii 100x30 'LC_ALL=C NO_COLOR=1 netphase tui corp.db'
matches requests-ascii
press q; ended 0

start ascii-option 40x10 'NO_COLOR=1 netphase tui --ascii corp.db'
matches requests-ascii-40x10
press q; ended 0

start colours 100x30 'TERM=tmux-256color netphase tui corp.db'
matches requests-colours
pane -e | grep -q '38;5;178' || fail "the palette of 256 is not used"
press w; expect ' connections '
press q q; ended 0

# On a console curses loads the mouse's library, which keeps ten bytes.
start eight-colours 100x31 'TERM=linux ASAN_OPTIONS=detect_leaks=0 netphase tui --ascii corp.db'
matches requests-ascii-colours
pane -e | grep -q '\[36m' || fail "the eight colours are not used"
pane -e | grep -q '38;5;' && fail "256 colours on a terminal of eight"
press q; ended 0

start no-colour 100x30 'TERM=tmux-256color NO_COLOR=1 netphase tui corp.db'
matches requests-first
pane -e | grep -qE '\[[0-9;]*3[0-7]m|38;5' && fail "there are colours"
press q; ended 0

start dumb 80x24 'TERM=dumb netphase tui corp.db'
expect "a terminal of type 'dumb' cannot place its cursor"
expect 'ended 2'

# Curses never gives back what it made for a terminal that it does not know.
start unknown 80x24 'TERM=no-such-terminal ASAN_OPTIONS=detect_leaks=0 netphase tui corp.db'
expect "terminals of type 'no-such-terminal' are not known here"
expect 'ended 2'

start no-trace 80x24 'netphase tui none.db'
expect 'netphase tui: no trace here: none.db does not exist'
expect 'ended 4'

start damaged 80x24 'netphase tui damaged.db'
expect 'netphase tui: '
expect 'ended 4'

start foreign 80x24 'netphase tui foreign.db'
expect 'netphase tui: '
expect 'ended 4'

start hostile 100x24 'NO_COLOR=1 netphase tui corp.db'
expect '▌ 12:04:26.010'
press /; tmux -S "$socket" send-keys -l owned; press Enter
expect '#17'
press Enter; matches detail-hostile
press Q; ended 0

start mouse 100x30 'NO_COLOR=1 netphase tui corp.db'
matches requests-first
tmux -S "$socket" send-keys -H 1b 5b 4d 20 34 26 1b 5b 4d 23 34 26 # pressed and released at column 20, line 6
matches requests-fourth-selected
press q; ended 0

start stopped 100x30 'NO_COLOR=1 netphase tui corp.db'
matches requests-first
press C-z; expect 'Stopped'
pane | grep -q '▌' && fail "the screen was not given back"
tmux -S "$socket" send-keys -l fg; press Enter
matches requests-first
press j j j; matches requests-fourth-selected
press q; expect 'shell>'

# Signals from outside: the process is known by what it has open as its terminal.
tui_pid() { pgrep -t "$(tmux -S "$socket" display -p '#{pane_tty}' | sed 's,/dev/,,')" -x netphase-tui; }
for pair in TERM:143 HUP:129 SEGV:139 ABRT:134; do
    start "killed-by-${pair%:*}" 100x30 'NO_COLOR=1 ASAN_OPTIONS=handle_segv=0:handle_abort=0 netphase tui corp.db'
    matches requests-first
    kill -"${pair%:*}" "$(tui_pid)"
    ended "${pair#*:}"
done

start killed-by-INT 100x30 'NO_COLOR=1 netphase tui corp.db'
matches requests-first
kill -INT "$(tui_pid)" # the shell gives up the rest of its line then
for _ in $(seq 200); do pane | grep -q '▌' || break; sleep 0.05; done
press Enter; tmux -S "$socket" send-keys -l 'echo ended $((100 + 30))'; press Enter
ended 130

start stop-signal 100x30 'NO_COLOR=1 netphase tui corp.db'
matches requests-first
kill -TSTP "$(tui_pid)"
expect 'Stopped'
tmux -S "$socket" send-keys -l fg; press Enter
matches requests-first
press q; expect 'shell>'

echo "$checks terminals, $failures failures"
[ "$failures" = 0 ]
