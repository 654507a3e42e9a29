/*
 * Proxies that could not be reached lately. Floor 2; one thread at a time, no clock of its own.
 *
 * A small array: as many entries as there are dead proxies, which is none or one nearly always. So
 * the order of a list costs one look at a count.
 */
#include "proxy_decide.h"

#include <stdlib.h>
#include <string.h>

struct bad_entry {
    char *text; /* np_proxy_entry.text */
    uint64_t until_ns;
};

struct np_proxy_bad {
    size_t count;
    struct bad_entry entry[NP_PROXY_BAD_ENTRIES];
};

np_proxy_bad *np_proxy_bad_create(void)
{
    return calloc(1, sizeof(np_proxy_bad));
}

void np_proxy_bad_clear_all(np_proxy_bad *bad)
{
    for (size_t i = 0; i < bad->count; i++)
        free(bad->entry[i].text);
    bad->count = 0;
}

void np_proxy_bad_free(np_proxy_bad *bad)
{
    if (!bad)
        return;
    np_proxy_bad_clear_all(bad);
    free(bad);
}

/* bad->count where there is none. */
static size_t find(const np_proxy_bad *bad, const char *text)
{
    size_t i = 0;
    while (i < bad->count && strcmp(bad->entry[i].text, text) != 0)
        i++;
    return i;
}

static void remove_at(np_proxy_bad *bad, size_t i)
{
    free(bad->entry[i].text);
    bad->entry[i] = bad->entry[--bad->count];
}

static size_t soonest(const np_proxy_bad *bad)
{
    size_t found = 0;
    for (size_t i = 1; i < bad->count; i++)
        if (bad->entry[i].until_ns < bad->entry[found].until_ns)
            found = i;
    return found;
}

void np_proxy_bad_mark(np_proxy_bad *bad, const np_proxy_entry *entry, uint64_t now_ns)
{
    if (entry->kind == NP_PROXY_DIRECT)
        return;
    size_t i = find(bad, entry->text);
    if (i == bad->count) {
        char *text = strdup(entry->text);
        if (!text)
            return; /* it is only tried again sooner */
        if (bad->count == NP_PROXY_BAD_ENTRIES)
            remove_at(bad, soonest(bad));
        i = bad->count++;
        bad->entry[i].text = text;
    }
    bad->entry[i].until_ns = now_ns + (uint64_t)NP_PROXY_BAD_NS;
}

void np_proxy_bad_clear(np_proxy_bad *bad, const np_proxy_entry *entry)
{
    const size_t i = bad->count > 0 ? find(bad, entry->text) : 0;
    if (i < bad->count)
        remove_at(bad, i);
}

bool np_proxy_bad_is(const np_proxy_bad *bad, const np_proxy_entry *entry, uint64_t now_ns)
{
    if (bad->count == 0 || entry->kind == NP_PROXY_DIRECT)
        return false;
    const size_t i = find(bad, entry->text);
    return i < bad->count && now_ns < bad->entry[i].until_ns;
}

/* Appends those that are bad, or those that are not. */
static void append(const np_proxy_bad *bad, const np_proxy_list *list, uint64_t now_ns, bool wanted,
                   np_proxy_entry *out, size_t *count)
{
    for (size_t i = 0; i < list->count; i++)
        if (np_proxy_bad_is(bad, &list->entry[i], now_ns) == wanted)
            out[(*count)++] = list->entry[i];
}

np_proxy_list *np_proxy_bad_order(const np_proxy_bad *bad, np_proxy_list *list, uint64_t now_ns)
{
    np_proxy_entry ordered[NP_PROXY_ENTRIES_MAX];
    size_t count = 0;
    if (!list || list->count < 2 || bad->count == 0)
        return np_proxy_list_retain(list);
    append(bad, list, now_ns, false, ordered, &count);
    if (count == list->count)
        return np_proxy_list_retain(list);
    append(bad, list, now_ns, true, ordered, &count);
    np_proxy_list *made = np_proxy_list_create((np_proxy_origin)list->source, ordered, count);
    return made ? made : np_proxy_list_retain(list);
}
