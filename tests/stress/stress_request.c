/*
 * Requests under random use from many threads: begin, end, abort, release, read, close, and a
 * context that is freed in the middle of it. Holds: every begin that was accepted calls back
 * exactly once; of several end calls exactly one gets the result; nothing is touched after it was
 * freed (run it under the sanitizers).
 *
 *   stress_request [SEED [ROUNDS]]
 */
#include "clock.h"
#include "random.h"
#include "stress_target.h"
#include <netphase/request.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 6, SLOTS = 8, STEPS = 2000 };

/* One request and what became of it. The references are those of this program. */
struct use {
    _Atomic int references;
    np_request *request;
    np_async *async; /* NULL: begin was refused */
    bool accepted;
    _Atomic int callbacks;     /* of the response operation */
    _Atomic int ends, results; /* end calls, and those that were not told "already ended" */
    _Atomic int reads, read_callbacks;
    pthread_mutex_t lock; /* guards the two below */
    np_response *response;
    np_stream *stream;
    struct use *next; /* all of a round */
};

struct slot {
    pthread_mutex_t lock;
    struct use *use;
};

static struct slot slots[SLOTS];
static struct use *_Atomic uses; /* of this round */
static np_context *context;
static uint64_t seed;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "stress_request: %s (seed %llu)\n", what, (unsigned long long)seed);
    abort();
}

static void use_retain(struct use *use)
{
    atomic_fetch_add(&use->references, 1);
}

/* The last reference gives every handle back; the struct itself stays until the round is judged. */
static void use_release(struct use *use)
{
    if (atomic_fetch_sub(&use->references, 1) != 1)
        return;
    np_stream_release(use->stream);
    np_response_release(use->response);
    np_async_release(use->async);
    np_request_release(use->request);
}

static void take_result(struct use *use, np_async *async)
{
    np_response *response;
    np_error err;
    const np_status status = np_request_end_get_response(use->request, async, &response, &err);
    use->ends++;
    check(status == NP_OK || response == NULL, "a failed end gives a response");
    if (status == NP_E_INVALID_OPERATION)
        return;
    use->results++;
    if (status != NP_OK)
        response = np_request_response(use->request);
    if (!response)
        return;
    pthread_mutex_lock(&use->lock);
    check(use->response == NULL, "two results of one operation");
    use->response = response;
    if (np_response_stream(response, &use->stream, NULL) != NP_OK)
        use->stream = NULL;
    pthread_mutex_unlock(&use->lock);
}

static void on_response(np_async *async)
{
    struct use *use = np_async_state(async);
    check(np_async_is_completed(async), "a callback before completion");
    if (((uintptr_t)use >> 6) % 2)
        take_result(use, async);
    use->callbacks++;
    use_release(use);
}

static np_stream *borrow_stream(struct use *use)
{
    pthread_mutex_lock(&use->lock);
    np_stream *stream = use->stream;
    pthread_mutex_unlock(&use->lock);
    return stream; /* lives as long as the caller's reference to `use` */
}

struct read_use {
    struct use *use;
    char buffer[9000];
};

static void on_read(np_async *async)
{
    struct read_use *read = np_async_state(async);
    size_t got;
    const np_status status = np_stream_end_read(borrow_stream(read->use), async, &got, NULL);
    check(status == NP_OK || got == 0, "a failed read gives bytes");
    check(got <= sizeof read->buffer, "more bytes than there is room for");
    read->use->read_callbacks++;
    use_release(read->use);
    free(read);
}

static void begin_read(struct use *use)
{
    np_stream *stream = borrow_stream(use);
    np_async *async;
    if (!stream)
        return;
    struct read_use *read = malloc(sizeof *read);
    check(read != NULL, "no memory");
    read->use = use;
    use_retain(use);
    if (np_stream_begin_read(stream, read->buffer, sizeof read->buffer, on_read, read, &async,
                             NULL) == NP_OK) {
        use->reads++;
        np_async_release(async);
        return;
    }
    use_release(use);
    free(read);
}

static void read_now(struct use *use)
{
    char buffer[5000];
    size_t got = 1;
    np_stream *stream = borrow_stream(use);
    while (stream && np_stream_read(stream, buffer, sizeof buffer, &got, NULL) == NP_OK && got > 0)
        ;
}

static void close_something(struct use *use, bool stream_first)
{
    pthread_mutex_lock(&use->lock);
    np_stream *stream = use->stream;
    np_response *response = use->response;
    pthread_mutex_unlock(&use->lock);
    if (stream_first && stream)
        (void)np_stream_close(stream, NULL); /* never fails for a response */
    else
        np_response_close(response);
}

static void act(struct use *use, np_random *random)
{
    switch (np_random_below(random, 12)) {
    case 0:
        np_request_abort(use->request);
        break;
    case 1:
    case 2:
        if (use->async)
            take_result(use, use->async);
        break;
    case 3:
    case 4:
        begin_read(use);
        break;
    case 5:
    case 6:
        read_now(use);
        break;
    case 7:
        close_something(use, np_random_below(random, 2));
        break;
    case 8:
        (void)np_async_wait(use->async, 1);
        break;
    case 9:
        if (use->async)
            check(np_async_eventfd(use->async) >= 0, "no descriptor");
        break;
    case 10:
        np_response_release(np_async_response(use->async));
        break;
    default:
        (void)np_request_get_state(use->request);
        (void)np_request_have_response(use->request);
        check(np_request_address(use->request)[0] == 'h', "an address that is no URL");
        break;
    }
}

/* A new request, with one reference for the caller and one for the callback. */
static struct use *start(np_random *random)
{
    char url[128];
    np_error err = {0};
    struct use *use = calloc(1, sizeof *use);
    check(use != NULL, "no memory");
    pthread_mutex_init(&use->lock, NULL);
    use->references = 2;
    target_url(np_random_next(random), url, sizeof url);
    check(np_request_create(context, url, &use->request, &err) == NP_OK, err.text);
    static const int versions[] = {20, 20, 11, 10};
    (void)np_request_set_protocol_version(use->request, versions[np_random_below(random, 4)], NULL);
    if (np_random_below(random, 8) == 0)
        (void)np_request_set_connection_group_name(use->request, "other", NULL);
    if (np_random_below(random, 8) == 0)
        (void)np_request_set_async_timeout(use->request, 1 + (int64_t)np_random_below(random, 5),
                                           NULL);
    if (np_random_below(random, 2) == 0) {
        (void)np_request_set_credentials(use->request, "user", "password", NULL);
        (void)np_request_set_pre_authenticate(use->request, np_random_below(random, 2) == 0, NULL);
    }
    if (np_random_below(random, 4) == 0)
        (void)np_request_set_maximum_automatic_redirections(use->request, 1, NULL);
    if (np_random_below(random, 16) == 0)
        np_request_abort(use->request);
    use->accepted =
        np_request_begin_get_response(use->request, on_response, use, &use->async, NULL) == NP_OK;
    if (!use->accepted)
        use_release(use);
    use->next = atomic_load(&uses);
    while (!atomic_compare_exchange_weak(&uses, &use->next, use))
        ;
    return use;
}

static void get_synchronously(np_random *random)
{
    char url[128];
    np_request *request;
    np_response *response;
    target_url(np_random_next(random), url, sizeof url);
    check(np_request_create(context, url, &request, NULL) == NP_OK, "no request");
    (void)np_request_set_timeout(request, (int64_t)np_random_below(random, 4), NULL);
    const np_status status = np_request_get_response(request, &response, NULL);
    check((status == NP_OK) == (response != NULL), "a synchronous get is neither here nor there");
    np_response_release(response);
    np_request_release(request);
}

static void replace(struct slot *slot, struct use *use)
{
    pthread_mutex_lock(&slot->lock);
    struct use *old = slot->use;
    slot->use = use;
    pthread_mutex_unlock(&slot->lock);
    if (old)
        use_release(old);
}

static struct use *pick(struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    struct use *use = slot->use;
    if (use)
        use_retain(use);
    pthread_mutex_unlock(&slot->lock);
    return use;
}

static pthread_barrier_t barrier;

static void *work(void *argument)
{
    np_random random;
    np_random_seed(&random, seed + (uintptr_t)argument);
    for (int step = 0; step < STEPS + STEPS / 4; step++) {
        if (step == STEPS)
            pthread_barrier_wait(&barrier); /* from here on the context is being freed */
        struct slot *slot = &slots[np_random_below(&random, SLOTS)];
        const uint64_t what = np_random_below(&random, 16);
        if (step < STEPS && what < 4) {
            replace(slot, start(&random));
        } else if (step < STEPS && what == 4) {
            get_synchronously(&random);
        } else {
            struct use *use = pick(slot);
            if (use) {
                act(use, &random);
                use_release(use);
            }
        }
    }
    return NULL;
}

static size_t judge(void)
{
    size_t count = 0;
    for (struct use *use = atomic_load(&uses), *next; use; use = next) {
        next = use->next;
        check(use->references == 0, "a reference was not given back");
        check(use->callbacks == (use->accepted ? 1 : 0), "a begin did not call back once");
        check(use->reads == use->read_callbacks, "a read did not call back once");
        check(use->ends == 0 || use->results == 1, "ends without exactly one result");
        count += (size_t)use->callbacks;
        pthread_mutex_destroy(&use->lock);
        free(use);
    }
    atomic_store(&uses, NULL);
    return count;
}

static size_t round_of_requests(void)
{
    np_error err = {0};
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    pthread_t threads[THREADS];
    options.connection_limit = 16;
    options.insecure = true; /* the server's certificate is of its own authority */
    check(np_context_create(&options, &context, &err) == NP_OK, err.text);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (uintptr_t i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, work, (void *)i) == 0, "no thread");
    pthread_barrier_wait(&barrier);
    np_context_free(context);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        replace(&slots[i], NULL);
    pthread_barrier_destroy(&barrier);
    return judge();
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)np_now_unix();
    const int rounds = argc > 2 ? atoi(argv[2]) : 10;
    for (int i = 0; i < SLOTS; i++)
        pthread_mutex_init(&slots[i].lock, NULL);
    alarm(280); /* a hang is a failure */
    target_start(seed);
    size_t callbacks = 0;
    for (int i = 0; i < rounds; i++, seed += THREADS)
        callbacks += round_of_requests();
    target_stop();
    check(callbacks > 0, "no request was accepted");
    printf("%d rounds, %zu operations, each called back once\n", rounds, callbacks);
    return 0;
}
