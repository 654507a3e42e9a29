#!/usr/bin/env bash
# Every command line of README.md's code blocks that begins with `netphase` is typed, in order, in one folder, with the programs just built.
# Lines that need a network are run in the lab, where their host is origin.lab.
. "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3
PATH="$NP_BIN:$PATH"
commands=$(sed -n '/^```sh$/,/^```$/p' "$source_dir/README.md" | grep -E '^(netphase|sqlite3) ')
[ -n "$commands" ] || fail "README.md shows no command"
printf '%s\n' "$commands" >commands.txt
count=0
while IFS= read -r line; do
    line=${line%%  #*}
    case "$line" in
        "netphase tui"*) continue ;;
        "netphase record"*"https://example.org/"*)
            line="netphase lab -q -- ${line//https:\/\/example.org\//https:\/\/origin.lab\/}" ;;
    esac
    bash -c "$line" >out.txt 2>err.txt </dev/null || fail "'$line' ends with $?: $(tail -n 3 err.txt)"
    [ -s out.txt ] || fail "'$line' printed nothing"
    count=$((count + 1))
done <commands.txt
holds "commands of the README" "$count >= 5"
done_ok
