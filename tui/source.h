/*
 * Answers questions out of a store: the only place of the program that asks it. A function from a
 * question to an answer, called by the worker's thread, and directly by tests and dumps. One thread
 * at a time; source_interrupt from any.
 */
#ifndef TUI_SOURCE_H
#define TUI_SOURCE_H

#include "msg.h"

struct source;

/* Told now and then while an answer takes its time, by the thread that looks for it. */
typedef void (*source_progress)(int per_thousand, void *user);

/* store: moved. progress: NULL: nobody is told. */
struct source *source_create(np_store *store, source_progress progress, void *user);
void source_free(struct source *source);
/* Fills *out. A question that was interrupted has the status NP_E_CANCELED; asked again it goes on
 * where it was (the position in it is moved for that). */
void source_answer(struct source *source, struct question *question, struct answer *out);
/* Makes the answer that is being looked for end; where that ends by itself at this moment, the next
 * one may be met instead: whoever interrupts must expect it. Any thread. */
void source_interrupt(struct source *source);

#endif
