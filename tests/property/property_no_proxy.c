/*
 * no_proxy against a reference that was written from the rules and not from the code: the list cut
 * into words first, names compared label by label, addresses as numbers. Lists are made of pieces
 * that nearly match, so that both answers are common.
 */
#include "proxy_decide.h"
#include "random.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CASES = 200000, LIST_SIZE = 400 };

static const char *const hosts[] = {"h.test",           "www.h.test", "xh.test",  "test",
                                    "h.test.",          "a-b.h.test", "10.1.2.3", "10.1.2.255",
                                    "192.168.0.1",      "0.0.0.0",    "::1",      "2001:db8::1",
                                    "2001:db8:8000::1", "fe80::1",    "localhost"};

static const char *const pieces[] = {
    "h.test", ".h.test",    "test",        ".test",    "H.Test.",     "xh.test",  "w.h.test",
    "*",      "10.1.2.3",   "10.1.2.",     "10.1.2.0", "2.3",         "10.0.0.0", "10.1.2.3/",
    "/8",     "/24",        "/25",         "/32",      "/0",          "/33",      "::1",
    "[::1]",  "2001:db8::", "2001:db8::1", "::",       "/128",        "/129",     ".",
    "..",     ":80",        "local",       "host",     "192.168.0.1", "-",        "0"};

static const char *const separators[] = {",", ", ", " ", ",,", " , ", "\t", "", "", ""};

static void add(char *list, const char *text)
{
    if (strlen(list) + strlen(text) + 1 < LIST_SIZE)
        strcat(list, text);
}

static void make_list(np_random *random, char *list)
{
    list[0] = '\0';
    const uint64_t count = np_random_below(random, 7);
    for (uint64_t i = 0; i < count; i++) {
        add(list, pieces[np_random_below(random, sizeof pieces / sizeof *pieces)]);
        if (np_random_below(random, 3) == 0)
            add(list, pieces[np_random_below(random, sizeof pieces / sizeof *pieces)]);
        add(list, separators[np_random_below(random, sizeof separators / sizeof *separators)]);
    }
}

/* The labels of a name, one dot at its end aside, and for an entry one at its start. */
static size_t labels_of(char *name, bool is_entry, const char *labels[64])
{
    size_t count = 0;
    const size_t length = strlen(name);
    if (length > 0 && name[length - 1] == '.')
        name[length - 1] = '\0';
    if (is_entry && name[0] == '.')
        name++;
    if (!*name)
        return 0;
    for (char *rest = name; rest && count < 64;)
        labels[count++] = strsep(&rest, ".");
    return count;
}

static bool name_matches(const char *host, const char *entry)
{
    char host_copy[256];
    char entry_copy[LIST_SIZE];
    const char *host_labels[64];
    const char *entry_labels[64];
    (void)snprintf(host_copy, sizeof host_copy, "%s", host);
    (void)snprintf(entry_copy, sizeof entry_copy, "%s", entry);
    const size_t h = labels_of(host_copy, false, host_labels);
    const size_t e = labels_of(entry_copy, true, entry_labels);
    if (e == 0 || e > h)
        return false;
    for (size_t i = 1; i <= e; i++)
        if (strcasecmp(host_labels[h - i], entry_labels[e - i]) != 0)
            return false;
    return true;
}

/* Bits equal from the left, counted one by one. */
static bool same_prefix(const unsigned char *a, const unsigned char *b, int bits)
{
    for (int i = 0; i < bits; i++)
        if (((a[i / 8] >> (7 - i % 8)) & 1) != ((b[i / 8] >> (7 - i % 8)) & 1))
            return false;
    return true;
}

static bool address_matches(int family, const unsigned char *host, const char *entry)
{
    char address[LIST_SIZE];
    unsigned char network[16];
    (void)snprintf(address, sizeof address, "%s", entry);
    char *slash = strchr(address, '/');
    if (slash)
        *slash++ = '\0';
    if (inet_pton(family, address, network) != 1)
        return false;
    if (family == AF_INET) {
        const int bits = slash ? atoi(slash) : 0;
        return bits >= 0 && bits <= 32 && same_prefix(host, network, bits ? bits : 32);
    }
    if (!slash || !*slash || strlen(slash) > 3)
        return false;
    for (const char *c = slash; *c; c++)
        if (!isdigit((unsigned char)*c))
            return false;
    return atoi(slash) <= 128 && same_prefix(host, network, atoi(slash));
}

static bool reference(const char *list, const char *host)
{
    char copy[LIST_SIZE];
    unsigned char v4[4];
    unsigned char v6[16];
    if (strcmp(list, "*") == 0)
        return true;
    const bool is_v4 = inet_pton(AF_INET, host, v4) == 1;
    const bool is_v6 = inet_pton(AF_INET6, host, v6) == 1;
    (void)snprintf(copy, sizeof copy, "%s", list);
    char *rest = copy;
    for (const char *word; (word = strsep(&rest, ", \t"));) {
        if (!*word)
            continue;
        if (is_v4 ? address_matches(AF_INET, v4, word) : name_matches(host, word))
            return true;
        if (is_v6 && address_matches(AF_INET6, v6, word))
            return true;
    }
    return false;
}

Test(no_proxy, agrees_with_a_plain_reading_of_its_rules)
{
    const char *given = getenv("NP_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    np_random random;
    np_random_seed(&random, seed);
    size_t matched = 0;
    for (int i = 0; i < CASES; i++) {
        char list[LIST_SIZE];
        np_no_proxy_match match;
        make_list(&random, list);
        const char *host = hosts[np_random_below(&random, sizeof hosts / sizeof *hosts)];
        const bool expected = reference(list, host);
        cr_assert_eq(np_no_proxy_matches(list, host, &match), expected,
                     "seed %llu: host '%s', list '%s'", (unsigned long long)seed, host, list);
        if (expected)
            cr_assert(match.entry >= list && match.entry + match.length <= list + strlen(list));
        matched += expected;
    }
    cr_expect(matched > CASES / 20 && matched < CASES - CASES / 20, "seed %llu: %zu of %d matched",
              (unsigned long long)seed, matched, CASES);
}
