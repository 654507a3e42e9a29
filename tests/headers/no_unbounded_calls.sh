#!/bin/sh
# Our sources do not call functions that write without a bound or read numbers without an error: ROOT is the first argument.
# First the pattern itself is tried on a call of each and on names that only look like one.
set -u
pattern='(^|[^A-Za-z0-9_>.])(strcpy|strcat|v?sprintf|strtok|atoi|atol|atof|gets)[[:space:]]*\('

for call in 'strcpy(a, b)' ' strcat (a, b)' '=sprintf(a, b)' 'vsprintf(a)' '(strtok(a, b))' 'x = atoi(b);' 'gets(a)'; do
    printf '%s\n' "$call" | grep -Eq "$pattern" || { echo "the pattern misses: $call"; exit 1; }
done
for call in 'snprintf(a, n, b)' 'fgets(a)' 'strtok_r(a, b, c)' 'np_strcat(a)' 'x->gets(a)'; do
    printf '%s\n' "$call" | grep -Eq "$pattern" && { echo "the pattern takes: $call"; exit 1; }
done

files=$(find "$1/lib" "$1/cli" -name '*.[ch]' -type f | wc -l)
[ "$files" -gt 20 ] || { echo "only $files sources under $1/lib and $1/cli"; exit 1; }
if find "$1/lib" "$1/cli" -name '*.[ch]' -type f -exec grep -EnH "$pattern" {} +; then
    echo 'use the bounded form: snprintf, np_textbuf, strtoll, strtok_r'
    exit 1
fi
echo "$files sources: no unbounded calls"
