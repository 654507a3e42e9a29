/* /etc/hosts as a table. Floor 2; pure. Entries are sorted by name and then by their place in the
 * file, found by bisection. */
#include "hosts.h"

#include "text_file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct entry {
    char *name;
    size_t place;
    np_address address;
} entry;

struct np_hosts {
    entry *entries; /* entries[count] */
    size_t count, capacity;
};

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a;
    const entry *y = b;
    const int order = strcasecmp(x->name, y->name);
    if (order != 0)
        return order;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool add_entry(np_hosts *hosts, const char *name, size_t length, const np_address *address)
{
    if (hosts->count == hosts->capacity) {
        const size_t capacity = hosts->capacity ? 2 * hosts->capacity : 16;
        entry *entries = realloc(hosts->entries, capacity * sizeof *entries);
        if (!entries)
            return false;
        hosts->entries = entries;
        hosts->capacity = capacity;
    }
    char *copy = strndup(name, length);
    if (!copy)
        return false;
    hosts->entries[hosts->count] =
        (entry){.name = copy, .place = hosts->count, .address = *address};
    hosts->count++;
    return true;
}

static bool parse_line(np_hosts *hosts, const char *at, const char *end)
{
    size_t length = np_text_word(&at, end, false);
    np_address address;
    if (length == 0 || !np_address_parse(at, length, &address))
        return true;
    for (at += length; (length = np_text_word(&at, end, false)) > 0; at += length)
        if (!add_entry(hosts, at, length, &address))
            return false;
    return true;
}

np_hosts *np_hosts_parse(const char *text, size_t length)
{
    np_hosts *hosts = calloc(1, sizeof *hosts);
    if (!hosts)
        return NULL;
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!parse_line(hosts, at, newline ? newline : end)) {
            np_hosts_free(hosts);
            return NULL;
        }
        at = newline ? newline + 1 : end;
    }
    if (hosts->count > 0)
        qsort(hosts->entries, hosts->count, sizeof hosts->entries[0], compare_entries);
    return hosts;
}

void np_hosts_free(np_hosts *hosts)
{
    if (!hosts)
        return;
    for (size_t i = 0; i < hosts->count; i++)
        free(hosts->entries[i].name);
    free(hosts->entries);
    free(hosts);
}

size_t np_hosts_find(const np_hosts *hosts, const char *name, np_address *out, size_t max)
{
    if (!hosts)
        return 0;
    size_t low = 0;
    for (size_t high = hosts->count; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (strcasecmp(hosts->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t count = 0;
    for (; low < hosts->count && count < max && strcasecmp(hosts->entries[low].name, name) == 0;
         low++)
        out[count++] = hosts->entries[low].address;
    return count;
}
