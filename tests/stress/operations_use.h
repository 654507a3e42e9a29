/*
 * A request that several threads share, with all handles that came of it, for stress_operations:
 * which of them are there, who uses them, when each is released; and what was begun with it.
 */
#ifndef NP_TESTS_OPERATIONS_USE_H
#define NP_TESTS_OPERATIONS_USE_H

#include "operations_target.h"
#include "random.h"

#include <netphase/request.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    BODY_BYTES = 90000, /* of a request with a length: more than waits for a connection */
    READ_BYTES = 6000
};

enum kind { STREAM, RESPONSE, WRITE, READ, KINDS };

enum {
    REQUEST,
    SENDING, /* request streams */
    ANSWER = SENDING + 2,
    READING = ANSWER + 3, /* response streams */
    ASYNC = READING + 3,  /* of operations[0] and so on */
    OPERATIONS = 24,      /* begins of one request */
    HANDLES = ASYNC + OPERATIONS
};

/* A reference of ours. Whoever calls something with it borrows it; a dropped one is released when
 * the last borrower has given it back, so no call is made with a handle that is gone. */
struct handle {
    void *thing; /* NULL: not there yet */
    unsigned borrowers;
    bool dropped;
};

struct operation {
    struct use *use;
    enum kind kind;
    uint64_t dice; /* what its callback does */
    _Atomic bool accepted;
    _Atomic int callbacks, ends, results;
    char *buffer; /* of a read */
};

struct use {
    struct use *next; /* all of a round */
    unsigned number;
    const struct target *target;
    bool has_limit;      /* what it begins ends by itself */
    bool is_synchronous; /* the family it starts with */
    bool has_body;
    _Atomic bool started; /* a begin or a get was accepted: from here on any call will do */
    _Atomic size_t written;
    pthread_mutex_t lock; /* guards the handles */
    struct handle handles[HANDLES];
    _Atomic unsigned operation_count;
    struct operation operations[OPERATIONS];
};

/* NULL: it is not there, or was dropped. */
void *use_borrow(struct use *use, int which);
/* The first that is there of [first, end). */
void *use_borrow_any(struct use *use, int first, int end, int *which);
void use_give_back(struct use *use, int which);
/* false: it was not there. */
bool use_drop(struct use *use, int which);
void use_drop_all(struct use *use, np_random *random); /* in random order */
/* Keeps a new reference in the first free place of [first, end), or gives it up. */
void use_keep(struct use *use, int first, int end, void *thing);

/* What a call may answer beside NP_OK. */
enum { MAY_WEB = 1, MAY_PROTOCOL = 2, MAY_INVALID = 4, MAY_NOT_SUPPORTED = 8, MAY_DISPOSED = 16 };

/* out: what the call gave, NULL: nothing. */
void use_check(const struct use *use, const char *call, np_status status, unsigned may,
               const void *out, const np_error *err);

/* --- operations_actions.c --- */

/* One call with it, or a few that belong together. */
void act(struct use *use, np_random *random);

/* What all of them together came to. */
struct act_counts {
    _Atomic unsigned calls;
    _Atomic unsigned long begun[KINDS], succeeded[KINDS];
};
struct act_counts *act_counts(void);
/* Waits until every operation of it that was accepted has called back. */
void act_wait_for_callbacks(struct use *use);
unsigned act_missing_callbacks(const struct use *use);

#endif
