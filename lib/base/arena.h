/* Memory that is released in one step: a list of blocks, nothing freed singly. Floor 0; one thread
 * at a time. */
#ifndef NP_BASE_ARENA_H
#define NP_BASE_ARENA_H

#include <stddef.h>

typedef struct np_arena np_arena;

np_arena *np_arena_create(void); /* NULL: no memory */
void np_arena_free(np_arena *arena);
void np_arena_reset(np_arena *arena); /* everything is released, the largest block is kept */

void *np_arena_alloc(np_arena *arena,
                     size_t size); /* aligned for any type, zeroed; NULL: no memory */
char *np_arena_copy(np_arena *arena, const char *text, size_t length); /* with a NUL behind it */
char *np_arena_print(np_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
