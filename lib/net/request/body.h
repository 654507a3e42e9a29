/*
 * The bytes of a response between the loop and the reader: bounded, in pieces. Floor 2; guarded by
 * the lock of what it is part of.
 *
 * The first half KiB lies in the body itself, so that a small answer needs no memory of its own.
 * More goes into chunks of 16 KiB from a store that the context's responses share. NP_BODY_LIMIT is
 * what a reader who does not read may make us hold; one piece larger than that is taken when the
 * body is empty, so that there is always a way on.
 */
#ifndef NP_NET_BODY_H
#define NP_NET_BODY_H

#include <netphase/status.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define NP_BODY_LIMIT (64u * 1024)
#define NP_BODY_LOW   (NP_BODY_LIMIT / 2) /* what is left when a paused transfer goes on */
#define NP_BODY_SMALL 512u
#define NP_BODY_CHUNK (16u * 1024)

typedef struct np_body_chunk {
    struct np_body_chunk *next;
    size_t begin, end; /* of bytes[] */
    unsigned char bytes[NP_BODY_CHUNK];
} np_body_chunk;

/* Chunks to use again; its own lock comes after every other one. */
typedef struct np_body_store {
    pthread_mutex_t lock;
    np_body_chunk *free_chunks;
    size_t count; /* of free_chunks */
} np_body_store;

void np_body_store_init(np_body_store *store);
void np_body_store_done(np_body_store *store);
np_body_chunk *np_body_chunk_take(np_body_store *store); /* empty; NULL: no memory */
void np_body_chunk_give(np_body_store *store, np_body_chunk *chunk);

typedef struct np_body {
    bool unbounded;                /* it takes any length */
    size_t length;                 /* bytes held */
    size_t small_begin, small_end; /* of small[]: come before those in the chunks */
    np_body_chunk *first, *last;
    unsigned char small[NP_BODY_SMALL];
} np_body;

typedef enum np_body_answer { NP_BODY_TAKEN, NP_BODY_FULL, NP_BODY_NO_MEMORY } np_body_answer;

/* All or nothing, but for NO_MEMORY, after which the body is to be given up. */
np_body_answer np_body_append(np_body *body, np_body_store *store, const void *data, size_t length);
size_t np_body_read(np_body *body, np_body_store *store, void *out, size_t capacity);
void np_body_clear(np_body *body, np_body_store *store);

#endif
