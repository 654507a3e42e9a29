/* Texts and origins to ids: a bounded dictionary before two small tables. Floor 2. See texts.h. */
#include "texts.h"

#include "arena.h"
#include "db.h"
#include "fail.h"
#include "random.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NP_TEXTS_SLOTS 65536u /* a power of two; half of them are used at most */
#define NP_TEXTS_BYTES (8u * 1024 * 1024)

typedef struct known_text {
    uint64_t hash; /* 0: empty */
    const char *text;
    size_t length;
    int64_t id;
} known_text;

struct np_texts {
    sqlite3 *db;
    sqlite3_stmt *insert_text, *insert_origin, *select_origin;
    known_text *slots;
    uint32_t count;
    size_t bytes;
    np_arena *arena;
    uint32_t epoch;
    uint64_t secret[2]; /* of hash_of; the second one is odd */
};

/* Texts come from rings that someone else may have left: without the secret nobody can choose texts
 * that all want the same slot. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(const np_texts *texts, const char *text, size_t length)
{
    uint64_t hash = texts->secret[0] ^ length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        hash = fold(hash ^ word, texts->secret[1]);
        text += 8;
        length -= 8;
    }
    uint64_t rest = 0;
    memcpy(&rest, text, length);
    hash = fold(hash ^ rest, texts->secret[1]);
    return hash ? hash : 1;
}

np_status np_texts_create(sqlite3 *db, np_texts **out, np_error *err)
{
    *out = NULL;
    np_texts *texts = calloc(1, sizeof *texts);
    if (!texts)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the dictionary of texts");
    texts->db = db;
    texts->epoch = 1;
    np_random_bytes(texts->secret, sizeof texts->secret);
    texts->secret[1] |= 1;
    texts->slots = calloc(NP_TEXTS_SLOTS, sizeof *texts->slots);
    texts->arena = np_arena_create();
    np_status status = NP_OK;
    if (!texts->slots || !texts->arena)
        status = np_fail(err, NP_E_NO_MEMORY, "no memory for the dictionary of texts");
    if (!status)
        status =
            np_db_prepare(db, "INSERT INTO text (value) VALUES (?1)", &texts->insert_text, err);
    if (!status)
        status = np_db_prepare(db, "INSERT INTO origin (scheme, host, port) VALUES (?1, ?2, ?3)",
                               &texts->insert_origin, err);
    if (!status)
        status =
            np_db_prepare(db, "SELECT id FROM origin WHERE scheme = ?1 AND host = ?2 AND port = ?3",
                          &texts->select_origin, err);
    if (status) {
        np_texts_free(texts);
        return status;
    }
    *out = texts;
    return NP_OK;
}

void np_texts_free(np_texts *texts)
{
    if (!texts)
        return;
    (void)sqlite3_finalize(texts->insert_text); /* repeats the failure of the last step */
    (void)sqlite3_finalize(texts->insert_origin);
    (void)sqlite3_finalize(texts->select_origin);
    np_arena_free(texts->arena);
    free(texts->slots);
    free(texts);
}

uint32_t np_texts_epoch(const np_texts *texts)
{
    return texts->epoch;
}

void np_texts_forget(np_texts *texts)
{
    memset(texts->slots, 0, NP_TEXTS_SLOTS * sizeof *texts->slots);
    np_arena_reset(texts->arena);
    texts->count = 0;
    texts->bytes = 0;
    if (++texts->epoch == 0)
        texts->epoch = 1;
}

static np_status insert(np_texts *texts, const char *text, size_t length, int64_t *id,
                        np_error *err)
{
    sqlite3_stmt *statement = texts->insert_text;
    (void)sqlite3_bind_text(statement, 1, text, (int)length,
                            SQLITE_STATIC); /* a failed bind shows at the step: NOT NULL */
    const int rc = sqlite3_step(statement);
    const np_status status =
        rc == SQLITE_DONE ? NP_OK : np_db_fail(err, texts->db, rc, 1, "a text cannot be written");
    (void)sqlite3_reset(statement);
    *id = sqlite3_last_insert_rowid(texts->db);
    return status;
}

np_status np_texts_id(np_texts *texts, const char *text, size_t length, int64_t *id, np_error *err)
{
    const uint64_t hash = hash_of(texts, text, length);
    uint32_t i = (uint32_t)hash & (NP_TEXTS_SLOTS - 1);
    for (; texts->slots[i].hash; i = (i + 1) & (NP_TEXTS_SLOTS - 1)) {
        const known_text *known = &texts->slots[i];
        if (known->hash == hash && known->length == length &&
            memcmp(known->text, text, length) == 0) {
            *id = known->id;
            return NP_OK;
        }
    }
    const np_status status = insert(texts, text, length, id, err);
    if (status)
        return status;
    if (texts->count >= NP_TEXTS_SLOTS / 2 || texts->bytes + length > NP_TEXTS_BYTES) {
        np_texts_forget(texts);
        i = (uint32_t)hash & (NP_TEXTS_SLOTS - 1);
    }
    const char *copy = np_arena_copy(texts->arena, text, length);
    if (copy) { /* without memory it is merely not remembered */
        texts->slots[i] = (known_text){hash, copy, length, *id};
        texts->count++;
        texts->bytes += length;
    }
    return NP_OK;
}

typedef struct origin_parts {
    const char *scheme, *host;
    size_t scheme_length, host_length;
    int port;
} origin_parts;

/* "scheme://host:port"; the host of an IPv6 literal keeps its brackets. */
static origin_parts split_origin(const char *text, size_t length)
{
    origin_parts parts = {.scheme = "", .host = text, .host_length = length};
    const char *slashes = length ? memmem(text, length, "://", 3) : NULL;
    const char *colon = length ? memrchr(text, ':', length) : NULL;
    if (!slashes || !colon || colon < slashes + 3)
        return parts;
    int port = 0;
    const char *digit = colon + 1;
    for (; digit < text + length && *digit >= '0' && *digit <= '9' && port <= 65535; digit++)
        port = port * 10 + (*digit - '0');
    if (digit != text + length || port > 65535)
        return parts;
    parts = (origin_parts){.scheme = text,
                           .scheme_length = (size_t)(slashes - text),
                           .host = slashes + 3,
                           .host_length = (size_t)(colon - (slashes + 3)),
                           .port = port};
    return parts;
}

static int run_origin(sqlite3_stmt *statement, const origin_parts *parts)
{
    (void)sqlite3_bind_text(statement, 1, parts->scheme, (int)parts->scheme_length,
                            SQLITE_STATIC); /* failures show at the step */
    (void)sqlite3_bind_text(statement, 2, parts->host, (int)parts->host_length, SQLITE_STATIC);
    (void)sqlite3_bind_int(statement, 3, parts->port);
    return sqlite3_step(statement);
}

np_status np_texts_origin(np_texts *texts, const char *text, size_t length, int64_t *id,
                          np_error *err)
{
    const origin_parts parts = split_origin(text, length);
    int rc = run_origin(texts->select_origin, &parts);
    if (rc == SQLITE_ROW) {
        *id = sqlite3_column_int64(texts->select_origin, 0);
        rc = SQLITE_DONE;
    } else if (rc == SQLITE_DONE) {
        rc = run_origin(texts->insert_origin, &parts);
        *id = sqlite3_last_insert_rowid(texts->db);
    }
    const np_status status = rc == SQLITE_DONE
                                 ? NP_OK
                                 : np_db_fail(err, texts->db, rc, 1, "an origin cannot be written");
    (void)sqlite3_reset(texts->select_origin);
    (void)sqlite3_reset(texts->insert_origin);
    return status;
}
