/*
 * The JSON reader of the programs against SQLite's: on documents made at random and damaged at
 * random, both call the same ones valid; and walking over members never leaves the text (the
 * sanitizers watch). The seed is printed when something fails.
 */
#include "json.h"
#include <criterion/criterion.h>
#include <random.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 20000, SIZE = 256 };

static uint64_t seed_of_run(void)
{
    const char *given = getenv("NP_SEED");
    uint64_t seed;
    np_random_bytes(&seed, sizeof seed);
    return given ? strtoull(given, NULL, 10) : seed;
}

struct document {
    char text[SIZE];
    size_t length;
};

static void put(struct document *d, const char *piece)
{
    size_t length = strlen(piece);
    if (d->length + length + 1 >= SIZE)
        return;
    memcpy(d->text + d->length, piece, length + 1);
    d->length += length;
}

static void make_value(np_random *r, struct document *d, int depth)
{
    static const char *const leaves[] = {"0",    "-1",   "12.5e-3",         "true",  "false",
                                         "null", "\"\"", "\"a\\u00e9\\n\"", "\"é\"", "1E9"};
    static const char *const blanks[] = {"", "", " ", "\n\t"};
    uint64_t kind = np_random_below(r, depth > 4 ? 1 : 3);
    if (kind == 0) {
        put(d, leaves[np_random_below(r, sizeof leaves / sizeof leaves[0])]);
        return;
    }
    put(d, kind == 1 ? "[" : "{");
    uint64_t count = np_random_below(r, 4);
    for (uint64_t i = 0; i < count; i++) {
        put(d, i ? "," : "");
        put(d, blanks[np_random_below(r, 4)]);
        put(d, kind == 2 ? "\"k\":" : "");
        make_value(r, d, depth + 1);
    }
    put(d, kind == 1 ? "]" : "}");
}

/* No NUL: the reader takes lengths, SQLite's functions take texts. */
static void damage(np_random *r, struct document *d)
{
    static const char letters[] = "{}[],:\"\\ 0123.eE+-tfnul\x01\x1f";
    uint64_t count = np_random_below(r, 3);
    for (uint64_t i = 0; i < count && d->length > 0; i++)
        d->text[np_random_below(r, d->length)] = letters[np_random_below(r, sizeof letters - 1)];
    if (np_random_below(r, 4) == 0)
        d->text[d->length = np_random_below(r, d->length + 1)] = '\0';
}

static bool valid_for_sqlite(sqlite3_stmt *ask, const struct document *d)
{
    sqlite3_reset(ask);
    sqlite3_bind_text(ask, 1, d->text, (int)d->length, SQLITE_STATIC);
    cr_assert_eq(sqlite3_step(ask), SQLITE_ROW);
    return sqlite3_column_int(ask, 0) == 1;
}

Test(property_cli_json, both_readers_agree_on_what_is_valid)
{
    uint64_t seed = seed_of_run();
    np_random r;
    np_random_seed(&r, seed);
    sqlite3 *db;
    sqlite3_stmt *ask;
    cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, "SELECT json_valid(?1)", -1, &ask, NULL), SQLITE_OK);
    int valid = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct document d = {.text = ""};
        make_value(&r, &d, 0);
        damage(&r, &d);
        bool expected = valid_for_sqlite(ask, &d);
        cr_assert_eq(json_valid(d.text, d.length), expected, "seed %llu round %d: %s",
                     (unsigned long long)seed, round, d.text);
        valid += expected;

        const char *at = d.text;
        struct json_member member;
        int members = 0;
        while (json_member_next(&at, &member) && members <= SIZE)
            members++;
        cr_assert_leq(members, SIZE, "seed %llu round %d: %s", (unsigned long long)seed, round,
                      d.text);
        cr_assert(at >= d.text && at <= d.text + d.length);
    }
    cr_assert_gt(valid, ROUNDS / 20, "too few valid ones to say anything");
    cr_assert_lt(valid, ROUNDS * 19 / 20, "too few damaged ones to say anything");
    sqlite3_finalize(ask);
    sqlite3_close(db);
}
