/* What stress_operations does with a request: one function for each call of the contract, and the
 * table that says how often each is chosen. */
#include "operations_use.h"
#include "operations_watch.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 3 /* with an operation that has no limit */ };

static struct act_counts counts;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t called_back;
} someone = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};

struct act_counts *act_counts(void)
{
    return &counts;
}

/* --- operations --- */

/* NULL: this request has had enough. */
static struct operation *new_operation(struct use *use, enum kind kind, np_random *random)
{
    const unsigned n = atomic_fetch_add(&use->operation_count, 1);
    if (n >= OPERATIONS) {
        atomic_fetch_sub(&use->operation_count, 1);
        return NULL;
    }
    use->operations[n].kind = kind;
    use->operations[n].dice = np_random_next(random);
    return &use->operations[n];
}

static bool end_operation(struct operation *operation, np_async *async);

static void on_completed(np_async *async)
{
    struct operation *operation = np_async_state(async);
    struct doing doing;
    np_random random;
    check(np_async_is_completed(async), "a callback before completion", operation->use->number);
    check(!np_async_completed_synchronously(async), "AR-3", operation->use->number);
    doing_begin(&doing, "a callback", operation->use->number);
    np_random_seed(&random, operation->dice);
    if (np_random_below(&random, 3) == 0)
        (void)end_operation(operation, async);
    for (uint64_t n = np_random_below(&random, 3); n > 0; n--) /* AR-7 */
        act(operation->use, &random);
    doing_end(&doing);
    operation->callbacks++;
    pthread_mutex_lock(&someone.lock);
    pthread_cond_broadcast(&someone.called_back);
    pthread_mutex_unlock(&someone.lock);
}

static int index_of(const struct operation *operation)
{
    return (int)(operation - operation->use->operations);
}

/* What the begin call of `operation` has answered. */
static void begun_operation(struct operation *operation, const char *call, np_status status,
                            unsigned may, np_async *async, const np_error *err)
{
    struct use *use = operation->use;
    use_check(use, call, status, may, async, err);
    check(status != NP_OK || async, "an accepted begin without its result", use->number);
    if (status)
        return;
    operation->accepted = true;
    use->started = true;
    counts.begun[operation->kind]++;
    pthread_mutex_lock(&use->lock);
    use->handles[ASYNC + index_of(operation)].thing = async;
    pthread_mutex_unlock(&use->lock);
}

static bool begin(struct use *use, np_random *random, enum kind kind)
{
    np_error err = {0};
    np_async *async = NULL;
    struct doing doing;
    if (use->is_synchronous && !use->started)
        return false;
    np_request *request = use_borrow(use, REQUEST);
    struct operation *operation = request ? new_operation(use, kind, random) : NULL;
    if (operation) {
        np_async_fn fn = operation->dice % 16 ? on_completed : NULL;
        operation->callbacks = fn ? 0 : 1; /* nothing will count it */
        doing_begin(&doing, kind == STREAM ? "begin_get_request_stream" : "begin_get_response",
                    use->number);
        const np_status status =
            kind == STREAM
                ? np_request_begin_get_request_stream(request, fn, operation, &async, &err)
                : np_request_begin_get_response(request, fn, operation, &async, &err);
        doing_end(&doing);
        if (status)
            operation->callbacks = 0;
        begun_operation(operation, doing.what, status,
                        MAY_WEB | MAY_PROTOCOL | MAY_INVALID | MAY_DISPOSED, async, &err);
    }
    if (request)
        use_give_back(use, REQUEST);
    return operation != NULL;
}

/* Where nothing else ends it, we do. */
static void lose_patience(struct use *use, enum kind kind, void *owner, np_async *async)
{
    if ((use->has_limit && !use->is_synchronous) || np_async_wait(async, PATIENCE_MS) == 0)
        return;
    if (kind == STREAM || kind == RESPONSE)
        np_request_abort(owner);
    else
        (void)np_stream_close(owner, NULL); /* a write that is cut off says so at its end */
}

/* The end call of its kind; `out`: the handle it gave. */
static np_status end_as(enum kind kind, void *owner, np_async *async, void **out, np_error *err)
{
    size_t got = 0;
    np_status status;
    switch (kind) {
    case STREAM:
        return np_request_end_get_request_stream(owner, async, (np_stream **)out, err);
    case RESPONSE:
        return np_request_end_get_response(owner, async, (np_response **)out, err);
    case WRITE:
        return np_stream_end_write(owner, async, err);
    default:
        status = np_stream_end_read(owner, async, &got, err);
        check(got <= READ_BYTES && (!status || got == 0), "a read gives what it has not", 0);
        return status;
    }
}

static bool end_operation(struct operation *operation, np_async *async)
{
    static const struct {
        const char *call;
        int owner_first, owner_end;
    } ends[KINDS] = {
        [STREAM] = {"end_get_request_stream", REQUEST, REQUEST + 1},
        [RESPONSE] = {"end_get_response",       REQUEST, REQUEST + 1},
        [WRITE] = {"end_write",              SENDING, ANSWER     },
        [READ] = {"end_read",               READING, ASYNC      }
    };
    struct use *use = operation->use;
    const enum kind kind = operation->kind;
    struct doing doing;
    np_error err = {0};
    int which;
    void *out = NULL,
         *owner = use_borrow_any(use, ends[kind].owner_first, ends[kind].owner_end, &which);
    if (!owner)
        return false;
    doing_begin(&doing, ends[kind].call, use->number);
    lose_patience(use, kind, owner, async);
    const np_status status = end_as(kind, owner, async, &out, &err);
    doing_end(&doing);
    use_check(use, ends[kind].call, status, MAY_WEB | MAY_INVALID | MAY_DISPOSED, out, &err);
    operation->ends++;
    operation->results += status != NP_E_INVALID_OPERATION; /* ES-3 */
    counts.succeeded[kind] += status == NP_OK;
    if (out && kind == STREAM)
        use_keep(use, SENDING, ANSWER, out);
    else if (out)
        use_keep(use, ANSWER, READING, out);
    use_give_back(use, which);
    return true;
}

/* --- actions: false where there is nothing to do it with --- */

static bool begin_stream(struct use *use, np_random *random)
{
    return (use->has_body || np_random_below(random, 16) == 0) && begin(use, random, STREAM);
}

static bool begin_response(struct use *use, np_random *random)
{
    /* Earlier than that it is right to refuse it, or the body is not sent at all. */
    const bool early = use->has_body && use->written == 0 && np_random_below(random, 8) > 0;
    return !early && begin(use, random, RESPONSE);
}

/* The number of one that was begun, where one was. */
static int any_operation(const struct use *use, np_random *random)
{
    const unsigned n = use->operation_count;
    return n > 0 ? (int)np_random_below(random, n < OPERATIONS ? n : OPERATIONS) : 0;
}

static bool end_any(struct use *use, np_random *random)
{
    const int which = any_operation(use, random);
    np_async *async = use_borrow(use, ASYNC + which);
    const bool done = async && end_operation(&use->operations[which], async);
    if (async)
        use_give_back(use, ASYNC + which);
    return done;
}

static bool get_stream(struct use *use, np_random *random)
{
    struct doing doing;
    np_error err = {0};
    np_stream *stream = NULL;
    (void)random;
    if (!use->is_synchronous && !use->started)
        return false;
    np_request *request = use_borrow(use, REQUEST);
    if (!request)
        return false;
    doing_begin(&doing, "get_request_stream", use->number);
    const np_status status = np_request_get_request_stream(request, &stream, &err);
    doing_end(&doing);
    use_check(use, doing.what, status, MAY_WEB | MAY_PROTOCOL | MAY_INVALID | MAY_DISPOSED, stream,
              &err);
    if (stream) {
        use->started = true;
        use_keep(use, SENDING, ANSWER, stream);
    }
    use_give_back(use, REQUEST);
    return true;
}

static bool get_response(struct use *use, np_random *random)
{
    struct doing doing;
    np_error err = {0};
    np_response *response = NULL;
    if (!use->is_synchronous && !use->started)
        return false;
    if (use->has_body && use->written == 0 && np_random_below(random, 8) > 0)
        return false;
    np_request *request = use_borrow(use, REQUEST);
    if (!request)
        return false;
    doing_begin(&doing, "get_response", use->number);
    const np_status status = np_request_get_response(request, &response, &err);
    doing_end(&doing);
    use_check(use, doing.what, status, MAY_WEB | MAY_PROTOCOL | MAY_INVALID | MAY_DISPOSED,
              response, &err);
    if (response) {
        use->started = true;
        use_keep(use, ANSWER, READING, response);
    }
    use_give_back(use, REQUEST);
    return true;
}

/* How many bytes to write next: seldom too many (WS-6). */
static size_t next_length(const struct use *use, np_random *random)
{
    const size_t n = np_random_below(random, 30000), written = use->written;
    const size_t left = written < BODY_BYTES ? BODY_BYTES - written : 0;
    return n <= left || np_random_below(random, 16) == 0 ? n : left;
}

static const char bytes[BODY_BYTES];

static np_status write_bytes(struct use *use, np_stream *stream, size_t length)
{
    struct doing doing;
    np_error err = {0};
    doing_begin(&doing, "a write", use->number);
    const np_status status = np_stream_write(stream, bytes, length, &err);
    doing_end(&doing);
    use_check(use, doing.what, status, MAY_WEB | MAY_PROTOCOL | MAY_NOT_SUPPORTED | MAY_DISPOSED,
              NULL, &err);
    if (!status)
        use->written += length;
    return status;
}

static bool write_some(struct use *use, np_random *random)
{
    int which;
    np_stream *stream = use_borrow_any(use, SENDING, ANSWER, &which);
    if (!stream)
        return false;
    (void)write_bytes(use, stream, next_length(use, random));
    use_give_back(use, which);
    return true;
}

static void close_stream(struct use *use, np_stream *stream)
{
    struct doing doing;
    np_error err = {0};
    doing_begin(&doing, "a close", use->number);
    const np_status status = np_stream_close(stream, &err);
    doing_end(&doing);
    use_check(use, doing.what, status, MAY_WEB, NULL, &err);
}

static bool write_all(struct use *use, np_random *random)
{
    int which;
    np_stream *stream = use_borrow_any(use, SENDING, ANSWER, &which);
    if (!stream)
        return false;
    while (use->written < BODY_BYTES && write_bytes(use, stream, next_length(use, random)) == NP_OK)
        ;
    if (np_random_below(random, 2))
        close_stream(use, stream);
    use_give_back(use, which);
    return true;
}

static bool begin_write(struct use *use, np_random *random)
{
    struct doing doing;
    np_error err = {0};
    np_async *async = NULL;
    int which;
    np_stream *stream = use_borrow_any(use, SENDING, ANSWER, &which);
    struct operation *operation = stream ? new_operation(use, WRITE, random) : NULL;
    if (operation) {
        const size_t length = next_length(use, random);
        doing_begin(&doing, "begin_write", use->number);
        const np_status status =
            np_stream_begin_write(stream, bytes, length, on_completed, operation, &async, &err);
        doing_end(&doing);
        use->written += status ? 0 : length;
        begun_operation(operation, doing.what, status,
                        MAY_WEB | MAY_PROTOCOL | MAY_NOT_SUPPORTED | MAY_DISPOSED, async, &err);
    }
    if (stream)
        use_give_back(use, which);
    return operation != NULL;
}

static bool close_sending(struct use *use, np_random *random)
{
    int which;
    const bool early = use->written < BODY_BYTES && np_random_below(random, 4) > 0;
    np_stream *stream = early ? NULL : use_borrow_any(use, SENDING, ANSWER, &which);
    if (!stream)
        return false;
    close_stream(use, stream);
    use_give_back(use, which);
    return true;
}

static bool open_reading(struct use *use, np_random *random)
{
    np_error err = {0};
    np_stream *stream = NULL;
    int which;
    (void)random;
    np_response *response = use_borrow_any(use, ANSWER, READING, &which);
    if (!response)
        return false;
    const int code = np_response_status(response);
    check(code >= 200 && code <= 599, "a response without a status", use->number);
    const np_status status = np_response_stream(response, &stream, &err);
    use_check(use, "np_response_stream", status, MAY_WEB | MAY_DISPOSED, stream, &err);
    if (stream)
        use_keep(use, READING, ASYNC, stream);
    use_give_back(use, which);
    return true;
}

static bool read_up_to(struct use *use, unsigned times)
{
    char buffer[READ_BYTES];
    size_t got = 1;
    np_status status = NP_OK;
    int which;
    np_stream *stream = use_borrow_any(use, READING, ASYNC, &which);
    if (!stream)
        return false;
    for (; times > 0 && !status && got > 0; times--) {
        struct doing doing;
        np_error err = {0};
        doing_begin(&doing, "a read", use->number);
        status = np_stream_read(stream, buffer, sizeof buffer, &got, &err);
        doing_end(&doing);
        check(got <= sizeof buffer, "more bytes than there is room for", use->number);
        use_check(use, doing.what, status, MAY_WEB | MAY_NOT_SUPPORTED | MAY_DISPOSED,
                  got ? buffer : NULL, &err);
    }
    use_give_back(use, which);
    return true;
}

static bool read_some(struct use *use, np_random *random)
{
    return read_up_to(use, 1 + (unsigned)np_random_below(random, 2));
}

static bool read_all(struct use *use, np_random *random)
{
    (void)random;
    return read_up_to(use, UINT32_MAX);
}

static bool begin_read(struct use *use, np_random *random)
{
    struct doing doing;
    np_error err = {0};
    np_async *async = NULL;
    int which;
    np_stream *stream = use_borrow_any(use, READING, ASYNC, &which);
    struct operation *operation = stream ? new_operation(use, READ, random) : NULL;
    if (operation) {
        operation->buffer = malloc(READ_BYTES);
        check(operation->buffer != NULL, "no memory", use->number);
        doing_begin(&doing, "begin_read", use->number);
        const np_status status = np_stream_begin_read(stream, operation->buffer, READ_BYTES,
                                                      on_completed, operation, &async, &err);
        doing_end(&doing);
        begun_operation(operation, doing.what, status, MAY_WEB | MAY_NOT_SUPPORTED | MAY_DISPOSED,
                        async, &err);
    }
    if (stream)
        use_give_back(use, which);
    return operation != NULL;
}

static bool close_reading(struct use *use, np_random *random)
{
    int which;
    const bool by_response = np_random_below(random, 2);
    void *thing = by_response ? use_borrow_any(use, ANSWER, READING, &which)
                              : use_borrow_any(use, READING, ASYNC, &which);
    if (!thing)
        return false;
    if (by_response)
        np_response_close(thing);
    else
        close_stream(use, thing);
    use_give_back(use, which);
    return true;
}

static bool abort_request(struct use *use, np_random *random)
{
    struct doing doing;
    if (np_random_below(random, use->started ? 6 : 24) > 0)
        return false;
    np_request *request = use_borrow(use, REQUEST);
    if (!request)
        return false;
    doing_begin(&doing, "abort", use->number);
    np_request_abort(request);
    doing_end(&doing);
    check(np_request_get_state(request) == NP_REQUEST_ABORTED, "abort without its state",
          use->number);
    use_give_back(use, REQUEST);
    return true;
}

static bool drop_any(struct use *use, np_random *random)
{
    return use->started && np_random_below(random, 3) == 0 &&
           use_drop(use, (int)np_random_below(random, HANDLES));
}

static bool look_at_result(struct use *use, np_random *random)
{
    const int which = ASYNC + any_operation(use, random);
    np_async *async = use_borrow(use, which);
    if (!async)
        return false;
    if (np_random_below(random, 2)) {
        (void)np_async_wait(async, 1);
    } else {
        const bool completed = np_async_is_completed(async);
        check(np_async_eventfd(async) >= 0, "no descriptor", use->number);
        check(!completed || np_async_is_completed(async), "AR-2", use->number);
    }
    const np_error *failure = np_async_error(async);
    check(!failure || (failure->status && failure->text[0]), "a failure that says nothing",
          use->number);
    np_response *response = np_async_response(async);
    check(!response || failure, "a response beside a success", use->number);
    if (response)
        use_keep(use, ANSWER, READING, response);
    use_give_back(use, which);
    return true;
}

static bool look_at_request(struct use *use, np_random *random)
{
    (void)random;
    np_error err = {0};
    np_request *request = use_borrow(use, REQUEST);
    if (!request)
        return false;
    const bool had_response = np_request_have_response(request);
    const bool started = use->started;
    const np_request_state state = np_request_get_state(request);
    check(state <= NP_REQUEST_ABORTED && (!started || state != NP_REQUEST_CREATED),
          "a state that cannot be", use->number);
    check(!had_response || np_request_have_response(request), "GR-15", use->number);
    const np_status status = np_request_header_set(request, "X-Late", "a", &err); /* SM-1 */
    use_check(use, "header_set", status, MAY_INVALID, NULL, &err);
    check(!started || status, "a request that changes after its start", use->number);
    use_give_back(use, REQUEST);
    return true;
}

/* Calls that are wrong whatever else happens: each is refused, and disturbs nothing. */
static bool misuse(struct use *use, np_random *random)
{
    int which;
    np_error err = {0};
    np_async *async = use_borrow(use, ASYNC);
    np_stream *stream = use_borrow_any(use, SENDING, ANSWER, &which), *none = NULL;
    const int sending = which;
    np_response *response = NULL;
    size_t got = 1;
    (void)random;
    if (async && stream && use->operations[0].kind != WRITE)
        check(np_stream_end_write(stream, async, &err) == NP_E_ARGUMENT, "ES-2", use->number);
    np_request *request = use_borrow(use, REQUEST);
    if (async && request && use->operations[0].kind == STREAM)
        check(np_request_end_get_response(request, async, &response, &err) == NP_E_ARGUMENT &&
                  !response,
              "GR-13", use->number);
    if (async && request && use->operations[0].kind == RESPONSE)
        check(np_request_end_get_request_stream(request, async, &none, &err) == NP_E_ARGUMENT &&
                  !none,
              "ES-2", use->number);
    if (stream)
        check(np_stream_read(stream, &which, sizeof which, &got, &err) == NP_E_NOT_SUPPORTED &&
                  got == 0,
              "WS-2", use->number);
    if (request)
        use_give_back(use, REQUEST);
    if (stream)
        use_give_back(use, sending);
    if (async)
        use_give_back(use, ASYNC);
    return async || stream;
}

static const struct {
    bool (*run)(struct use *use, np_random *random);
    unsigned weight;
} actions[] = {
    {begin_stream,    10},
    {begin_response,  10},
    {end_any,         18},
    {get_stream,      8 },
    {get_response,    8 },
    {write_some,      6 },
    {begin_write,     8 },
    {write_all,       8 },
    {close_sending,   4 },
    {open_reading,    6 },
    {read_some,       6 },
    {begin_read,      8 },
    {read_all,        4 },
    {close_reading,   2 },
    {abort_request,   1 },
    {drop_any,        3 },
    {look_at_result,  3 },
    {look_at_request, 2 },
    {misuse,          1 },
};

void act(struct use *use, np_random *random)
{
    for (int tries = 0; tries < 40; tries++) {
        unsigned i = 0, all = 0;
        for (unsigned k = 0; k < sizeof actions / sizeof actions[0]; k++)
            all += actions[k].weight;
        for (uint64_t dice = np_random_below(random, all); dice >= actions[i].weight; i++)
            dice -= actions[i].weight;
        if (actions[i].run(use, random))
            break;
    }
    counts.calls++;
}

/* --- waiting --- */

unsigned act_missing_callbacks(const struct use *use)
{
    unsigned missing = 0;
    for (int i = 0; i < OPERATIONS; i++)
        missing += use->operations[i].accepted && use->operations[i].callbacks == 0;
    return missing;
}

void act_wait_for_callbacks(struct use *use)
{
    struct doing doing;
    doing_begin(&doing, "waiting for the callbacks", use->number);
    pthread_mutex_lock(&someone.lock);
    while (act_missing_callbacks(use) > 0)
        pthread_cond_wait(&someone.called_back, &someone.lock);
    pthread_mutex_unlock(&someone.lock);
    doing_end(&doing);
}
