/*
 * The thread that asks the store, so that the screen never waits for it. Questions go in, answers
 * come out; a pipe wakes whoever polls. What may take long (counts, summaries, searches) gives way
 * to what a key waits for, and is asked again afterwards. One user, who is not the thread.
 */
#ifndef TUI_WORKER_H
#define TUI_WORKER_H

#include "source.h"
#include <stdbool.h>

struct worker;

/* store: moved, also when it fails (NULL: no thread to be had). */
struct worker *worker_start(np_store *store);
void worker_stop(struct worker *worker);
/* Readable when an answer may be there. */
int worker_descriptor(const struct worker *worker);
/* The question is moved. One of the same kind that has no answer yet is dropped. */
void worker_ask(struct worker *worker, struct question *question);
/* Drops what takes long: its answer will have the status NP_E_CANCELED. */
void worker_cancel(struct worker *worker);
/* How far what runs has come, where that is news. */
bool worker_progress(struct worker *worker, int *per_thousand);
/* The next answer, the caller's from then on; false: none is there. */
bool worker_take(struct worker *worker, struct answer *out);

#endif
