/* Memory that is released in one step. Floor 0; one thread at a time.
   A list of blocks, the newest first; only the first is filled further. A piece larger than a block
   gets a block of its own. */
#include "arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (size_t)16384
#define ALIGNMENT   alignof(max_align_t)

struct block {
    struct block *next;
    size_t size; /* of data[] */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

struct np_arena {
    struct block *first;
};

np_arena *np_arena_create(void)
{
    return calloc(1, sizeof(np_arena));
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *const next = block->next;
        free(block);
        block = next;
    }
}

void np_arena_free(np_arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->first);
    free(arena);
}

void np_arena_reset(np_arena *arena)
{
    struct block *largest = arena->first;
    for (struct block *b = arena->first; b; b = b->next)
        if (b->size > largest->size)
            largest = b;

    struct block *b = arena->first;
    while (b) {
        struct block *const next = b->next;
        if (b != largest)
            free(b);
        b = next;
    }
    if (largest) {
        largest->next = NULL;
        largest->used = 0;
    }
    arena->first = largest;
}

void *np_arena_alloc(np_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    struct block *block = arena->first;
    if (!block || block->size - block->used < size) {
        const size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = malloc(sizeof *block + room);
        if (!block)
            return NULL;
        block->size = room;
        block->used = 0;
        block->next = arena->first;
        arena->first = block;
    }
    void *const piece = block->data + block->used;
    block->used += size;
    return memset(piece, 0, size);
}

char *np_arena_copy(np_arena *arena, const char *text, size_t length)
{
    if (length == SIZE_MAX)
        return NULL;
    char *const copy = np_arena_alloc(arena, length + 1);
    if (copy && length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *np_arena_print(np_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    char *const text = length < 0 ? NULL : np_arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
