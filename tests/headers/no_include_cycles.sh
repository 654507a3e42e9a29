#!/bin/sh
# no_include_cycles.sh ROOT - modules of lib/, cli/ and tui/ include each other in one direction only.
#
# A module is thing.c with thing.h; it is named by their path without the ending. Every include of one of our
# headers is an edge. Where edges go round, all modules on the round are printed with the includes between them.
set -eu
root=$1
edges=$(mktemp)
trap 'rm -f "$edges" "$edges.round"' EXIT
cd "$root"

# A quoted include finds the header of that name beside the file, else wherever it lies in the same tree.
find lib cli tui -name '*.[ch]' | sort | awk '
function tree(path) { sub(/\/.*/, "/", path); return path }
function module(path) { sub(/\.[ch]$/, "", path); return path }
{
    files[++count] = $0
    is_file[$0] = 1
    name = $0
    sub(/.*\//, "", name)
    if ($0 !~ /^lib\/include\// && name ~ /\.h$/) { home[tree($0) name] = $0; homes[tree($0) name]++ }
}
END {
    for (i = 1; i <= count; i++) {
        file = files[i]
        beside = file
        sub(/[^\/]*$/, "", beside)
        while ((getline line < file) > 0) {
            if (line !~ /^[ \t]*#[ \t]*include[ \t]*[<"]/) continue
            header = line
            sub(/^[^<"]*[<"]/, "", header)
            sub(/[>"].*/, "", header)
            any = tree(file) header
            if (header ~ /^netphase\//) target = "lib/include/" header
            else if (is_file[beside header]) target = beside header
            else if (homes[any] > 1) { print file " includes " header ", and there are several of that name" > "/dev/stderr"; exit 1 }
            else if (homes[any]) target = home[any]
            else target = home["lib/" header]
            if (is_file[target] && module(file) != module(target) && !seen[file, target]++) print module(file), module(target)
        }
        close(file)
    }
}' >"$edges"

count=$(wc -l <"$edges")
[ "$count" -ge "${NP_LEAST_INCLUDES:-500}" ] || { echo "found only $count includes below $root: the search is broken"; exit 1; }

# What nobody includes, and what includes nobody, lies on no round: taken out until nothing changes.
awk '
{ from[NR] = $1; to[NR] = $2 }
END {
    do {
        changed = 0
        split("", includes)
        split("", included)
        for (i in from) { includes[from[i]] = 1; included[to[i]] = 1 }
        for (i in from)
            if (!included[from[i]] || !includes[to[i]]) { delete from[i]; delete to[i]; changed = 1 }
    } while (changed)
    for (i in from) print "  " from[i] " includes " to[i]
}' "$edges" | sort -u >"$edges.round"

if [ -s "$edges.round" ]; then
    echo "these modules include each other in a round:"
    cat "$edges.round"
    echo "expected: none. Move what both need into a module below them, or call upwards through a function pointer"
    exit 1
fi
