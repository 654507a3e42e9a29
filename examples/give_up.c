/*
 * Gets one URL and gives up after a time, from another thread:
 *
 *   give_up http://127.0.0.1:8080/slow 500
 *
 * np_request_abort may be called at any moment: while the name is looked up, while it connects,
 * while the body is read, and when all is over. Whoever waits, here the main thread in an end or a
 * read call, is told "the request was aborted". (For a plain limit np_request_set_timeout is
 * enough; this is for what is known elsewhere: a key was pressed, a window was closed.)
 */
#include <netphase/netphase.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct give_up {
    np_request *request;
    long after_ms;
    sem_t over; /* the request is: there is nothing to give up */
};

static void *watch(void *argument)
{
    struct give_up *give_up = argument;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += give_up->after_ms / 1000;
    until.tv_nsec += give_up->after_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (sem_timedwait(&give_up->over, &until) != 0)
        np_request_abort(give_up->request); /* legal too when it has just ended by itself */
    return NULL;
}

/* Begin and end on one thread: as a synchronous call, and it can be given up. */
static np_status get(np_request *request, np_error *error)
{
    char bytes[4096];
    size_t got = 0;
    np_async *async;
    np_response *response = NULL;
    np_stream *stream = NULL;
    np_status status = np_request_begin_get_response(request, NULL, NULL, &async, error);
    if (!status)
        status = np_request_end_get_response(request, async, &response, error);
    if (!status)
        status = np_response_stream(response, &stream, error);
    while (!status && !(status = np_stream_read(stream, bytes, sizeof bytes, &got, error)) &&
           got > 0)
        fwrite(bytes, 1, got, stdout);
    np_stream_release(stream);
    np_response_release(response);
    np_async_release(async);
    return status;
}

int main(int argc, char **argv)
{
    struct give_up give_up = {.after_ms = argc == 3 ? atol(argv[2]) : 0};
    np_error error = {0};
    np_context *context;
    pthread_t thread;
    sem_init(&give_up.over, 0, 0);
    np_status status = np_context_create(NULL, &context, &error);
    if (!status)
        status = np_request_create(context, argc == 3 ? argv[1] : "", &give_up.request, &error);
    if (!status && pthread_create(&thread, NULL, watch, &give_up) == 0) {
        status = get(give_up.request, &error);
        sem_post(&give_up.over);
        pthread_join(thread, NULL);
    }
    np_request_release(give_up.request); /* after the thread that uses it */
    np_context_free(context);
    if (status)
        fprintf(stderr, "give_up: %s\n", error.text);
    return status ? 1 : 0;
}
