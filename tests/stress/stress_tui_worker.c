/*
 * The worker of the terminal UI: questions of all kinds at random, replaced, cancelled,
 * interrupted, and the end at any moment. The last question of a kind is always answered: with
 * rows, or as cancelled.
 */
#include "random.h"
#include "trace_maker.h"
#include "worker.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 8, QUESTIONS = 150, KINDS = ASK_TIME + 1, WAIT_MS = 60000 };

static void stop(const char *what)
{
    fprintf(stderr, "stress_tui_worker: %s\n", what);
    exit(1);
}

struct asked {
    uint32_t
        last[KINDS]; /* number of the last question of a kind that has no answer yet; 0: none */
};

static char *copy(const char *text)
{
    char *made = strdup(text);
    if (!made)
        stop("no memory");
    return made;
}

static void ask(struct worker *worker, np_random *random, struct asked *asked, uint32_t number)
{
    struct question question = {.ask = (enum ask)np_random_below(random, KINDS), .number = number};
    const int kind = (int)question.ask;
    question.order.by = np_random_below(random, 2) ? ORDER_TOTAL : ORDER_ID;
    question.order.is_descending = np_random_below(random, 2);
    question.limit = 100;
    question.place = np_random_below(random, 2) ? NP_LIST_FIRST : NP_LIST_LAST;
    question.id = 1 + (int64_t)np_random_below(random, 5000);
    if (np_random_below(random, 3) == 0)
        question.filter = copy(np_random_below(random, 2) ? "status >= 400" : "total_ns > 50ms");
    if (question.ask == ASK_REPORT)
        question.by = copy("host");
    if (question.ask == ASK_SEARCH) {
        question.place = np_random_below(random, 2) ? NP_LIST_BEHIND : NP_LIST_BEFORE;
        question.needle = copy("there is no such text");
    }
    asked->last[kind] = number;
    worker_ask(worker, &question);
}

static void take(struct worker *worker, struct asked *asked)
{
    struct answer answer;
    int per_thousand;
    (void)worker_progress(worker, &per_thousand); /* news or not */
    while (worker_take(worker, &answer)) {
        const bool is_last = answer.number == asked->last[answer.ask];
        if (is_last)
            asked->last[answer.ask] = 0;
        if (answer.status && answer.status != NP_E_CANCELED)
            stop(answer.error.text);
        if (!answer.status && answer.ask == ASK_ROWS && (!answer.rows || answer.rows->count == 0))
            stop("a page without rows");
        answer_done(&answer);
    }
}

static bool is_all_answered(const struct asked *asked)
{
    for (int i = 0; i < KINDS; i++)
        if (asked->last[i])
            return false;
    return true;
}

static void round_of_questions(const char *path, np_random *random, bool to_the_end)
{
    struct asked asked = {0};
    np_store *store = NULL;
    if (np_store_open(path, NULL, &store, NULL))
        stop("the trace cannot be opened");
    struct worker *worker = worker_start(store);
    if (!worker)
        stop("no worker");
    for (uint32_t i = 1; i <= QUESTIONS; i++) {
        ask(worker, random, &asked, i);
        if (np_random_below(random, 4) == 0)
            take(worker, &asked);
        if (np_random_below(random, 20) == 0)
            worker_cancel(worker);
    }
    while (to_the_end && !is_all_answered(&asked)) {
        struct pollfd wait = {.fd = worker_descriptor(worker), .events = POLLIN};
        if (poll(&wait, 1, WAIT_MS) != 1)
            stop("a question has no answer");
        take(worker, &asked);
    }
    worker_stop(worker);
}

int main(int argc, char **argv)
{
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const struct trace_shape shape = {.seed = 3, .rows = 5000};
    char path[256];
    np_random random;
    np_random_seed(&random, seed);
    snprintf(path, sizeof path, "%s", trace_path("worker.db"));
    sqlite3_close(trace_make(path, &shape));
    printf("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++)
        round_of_questions(path, &random, i % 2 == 0);
    return 0;
}
