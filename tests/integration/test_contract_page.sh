#!/bin/bash
# docs/contract.md lists every rule with the programs that test it: each rule has a test in one of them whose name, or whose
# suite's, begins with its number.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0 rules=0
while IFS= read -r line; do
    ids=$(cut -d'|' -f2 <<<"$line")
    programs=$(sed 's/.*|\([^|]*\)|[[:space:]]*$/\1/' <<<"$line" | grep -o '`[a-z0-9_]*`' | tr -d '`')
    files=
    for program in $programs; do
        file=$(ls tests/*/"$program.c" 2>/dev/null)
        [ -n "$file" ] || { echo "docs/contract.md names $program, and there is no such program:$ids"; bad=1; }
        files="$files $file"
    done
    for id in ${ids//,/ }; do
        case $id in PX-* | CN-* | ES-9) continue ;; esac # those of other pages; the one that is not there
        rules=$((rules + 1))
        key=$(tr 'A-Z-' 'a-z_' <<<"$id")
        prefix=${key%%_*} number=${key#*_}
        # shellcheck disable=SC2086
        [ -n "$files" ] && grep -qE "^Test\(((\w+_)?$key(_\w+)?, *\w+|\w+, *($key|${prefix}(_[0-9]+b?)*_$number)(_\w*)?)" $files ||
            { echo "no test of $id in:$files"; bad=1; }
    done
done < <(grep -E '^\| (ER|SM|BS|ES|GR|AB|WS|BH|RS|RB|AR|PX|CN|GATE)' docs/contract.md)
[ "$rules" -ge 90 ] || { echo "only $rules rules were found in docs/contract.md"; bad=1; }
exit $bad
