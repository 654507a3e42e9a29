/* Nodes of one size without a malloc each: blocks of many, and a list of the free ones. Floor 2;
 * one thread at a time. */
#ifndef NP_STORE_SLAB_H
#define NP_STORE_SLAB_H

#include <stddef.h>
#include <stdlib.h>

#define NP_SLAB_BLOCK_BYTES (64 * 1024)

typedef struct np_slab_link {
    struct np_slab_link *next;
} np_slab_link;

typedef struct np_slab {
    size_t size;          /* bytes a node, a multiple of 16 */
    np_slab_link *free;   /* nodes that were given back */
    np_slab_link *blocks; /* each begins with the link to the next one */
    size_t left;          /* nodes of the newest block that were never given out */
} np_slab;

static inline void np_slab_init(np_slab *slab, size_t size)
{
    *slab = (np_slab){.size = (size + 15) & ~(size_t)15};
}

static inline void np_slab_done(np_slab *slab)
{
    while (slab->blocks) {
        np_slab_link *next = slab->blocks->next;
        free(slab->blocks);
        slab->blocks = next;
    }
    *slab = (np_slab){.size = slab->size};
}

/* Returns a node with undefined content; NULL: no memory. */
static inline void *np_slab_take(np_slab *slab)
{
    if (slab->free) {
        np_slab_link *node = slab->free;
        slab->free = node->next;
        return node;
    }
    if (slab->left == 0) {
        const size_t count = NP_SLAB_BLOCK_BYTES / slab->size + 1;
        np_slab_link *block = malloc(16 + count * slab->size);
        if (!block)
            return NULL;
        block->next = slab->blocks;
        slab->blocks = block;
        slab->left = count;
    }
    slab->left--;
    return (char *)slab->blocks + 16 + slab->left * slab->size;
}

static inline void np_slab_give(np_slab *slab, void *node)
{
    np_slab_link *link = node;
    link->next = slab->free;
    slab->free = link;
}

#endif
