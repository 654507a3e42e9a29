/*
 * Texts and origins to the ids of their rows. Floor 2; one thread, one connection.
 *
 * What was looked up once is remembered in a bounded dictionary, which forgets everything when it
 * is full or when a transaction was rolled back: an id may stand for a row that was never
 * committed. A value may thus get a second row, which the schema allows.
 */
#ifndef NP_STORE_TEXTS_H
#define NP_STORE_TEXTS_H

#include <netphase/status.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

typedef struct np_texts np_texts;

np_status np_texts_create(sqlite3 *db, np_texts **out, np_error *err);
void np_texts_free(np_texts *texts); /* before its connection is closed; NULL allowed */

/* Changes whenever ids that were handed out may have become void: caches of them compare it. Never
 * 0. */
uint32_t np_texts_epoch(const np_texts *texts);
void np_texts_forget(np_texts *texts); /* after a rollback */

/* Id of a row of `text` with this value, made where it is not known. */
np_status np_texts_id(np_texts *texts, const char *text, size_t length, int64_t *id, np_error *err);

/* Id of the row of `origin` for "scheme://host:port"; one row an origin. Anything else is kept as
 * host. */
np_status np_texts_origin(np_texts *texts, const char *text, size_t length, int64_t *id,
                          np_error *err);

#endif
