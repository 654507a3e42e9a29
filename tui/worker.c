/*
 * The thread that asks the store; see worker.h.
 *
 * Everything between `lock` and the two condition changes is a few lines under one mutex. The
 * thread takes the question of the best rank; when a better one comes meanwhile, the running one is
 * interrupted and put back. What became of an interrupted question is said by `fate`: only whoever
 * holds the lock changes it, and the thread looks at it after the answer came.
 */
#include "worker.h"
#include "memory.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUESTIONS = 16, ANSWERS = 64 };

enum fate { FATE_NONE, FATE_AGAIN, FATE_DROPPED, FATE_CANCELED };

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t has_question, has_room;
    struct source *source;
    int pipe[2]; /* a byte is in it when an answer is there */
    bool is_stopping;
    struct question waiting[QUESTIONS]; /* waiting[waiting_count] */
    int waiting_count;
    bool is_running;
    enum ask running;               /* while is_running */
    enum fate fate;                 /* of the running one */
    struct answer answers[ANSWERS]; /* answers[answer_count], the oldest first */
    int answer_count;
    int per_thousand;  /* how far the running one has come */
    bool has_progress; /* … and nobody has taken it yet */
};

/* What a person waits for comes first, and interrupts what comes last; what comes by itself (the
 * last rank) never interrupts, or a long count would begin again with every tick. */
static int rank_of(enum ask ask)
{
    static const int ranks[] = {
        [ASK_ROWS] = 0,   [ASK_DETAIL] = 1,  [ASK_TIME] = 1,  [ASK_SEARCH] = 2,
        [ASK_REPORT] = 3, [ASK_REFRESH] = 4, [ASK_COUNT] = 4, [ASK_INFO] = 4};
    return ranks[ask];
}

static bool takes_long(enum ask ask)
{
    return rank_of(ask) >= 2;
}

/* ------------------------------------------------------------------------------------- the thread */

static void wake(struct worker *worker)
{
    const char byte = 1;
    if (write(worker->pipe[1], &byte, 1) < 0) {
        /* full: then it is readable already */
    }
}

static void on_progress(int per_thousand, void *user)
{
    struct worker *worker = user;
    pthread_mutex_lock(&worker->lock);
    worker->per_thousand = per_thousand;
    worker->has_progress = true;
    wake(worker);
    pthread_mutex_unlock(&worker->lock);
}

static struct question take_question(struct worker *worker)
{
    int best = 0;
    for (int i = 1; i < worker->waiting_count; i++)
        if (rank_of(worker->waiting[i].ask) < rank_of(worker->waiting[best].ask))
            best = i;
    struct question question = worker->waiting[best];
    worker->waiting_count--;
    memmove(&worker->waiting[best], &worker->waiting[best + 1],
            (size_t)(worker->waiting_count - best) * sizeof question);
    return question;
}

/* With the lock held: the answer goes out, or the question back. */
static void hand_over(struct worker *worker, struct question *question, struct answer *answer)
{
    const bool was_canceled = answer->status == NP_E_CANCELED;
    /* FATE_NONE and canceled: an interruption came late and was meant for the one before */
    const bool is_again = was_canceled && (worker->fate == FATE_AGAIN || worker->fate == FATE_NONE);
    worker->is_running = false;
    if (is_again && !worker->is_stopping && worker->waiting_count < QUESTIONS) {
        worker->waiting[worker->waiting_count++] = *question;
        *question = (struct question){0};
        answer_done(answer);
        return;
    }
    if (worker->fate == FATE_DROPPED) {
        answer_done(answer);
        return;
    }
    while (worker->answer_count == ANSWERS && !worker->is_stopping)
        pthread_cond_wait(&worker->has_room, &worker->lock);
    if (worker->answer_count == ANSWERS) {
        answer_done(answer);
        return;
    }
    worker->answers[worker->answer_count++] = *answer;
    wake(worker);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (worker->waiting_count == 0 && !worker->is_stopping)
            pthread_cond_wait(&worker->has_question, &worker->lock);
        if (worker->is_stopping)
            break;
        struct question question = take_question(worker);
        struct answer answer;
        worker->is_running = true;
        worker->running = question.ask;
        worker->fate = FATE_NONE;
        pthread_mutex_unlock(&worker->lock);
        source_answer(worker->source, &question, &answer);
        pthread_mutex_lock(&worker->lock);
        hand_over(worker, &question, &answer);
        question_done(&question);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

/* --------------------------------------------------------------------------------------- its user */

static bool open_pipe(int ends[2])
{
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
}

struct worker *worker_start(np_store *store)
{
    struct worker *worker = xcalloc(1, sizeof *worker);
    worker->source = source_create(store, on_progress, worker);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->has_question, NULL);
    pthread_cond_init(&worker->has_room, NULL);
    if (!open_pipe(worker->pipe)) {
        source_free(worker->source);
        free(worker);
        return NULL;
    }
    if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
        close(worker->pipe[0]);
        close(worker->pipe[1]);
        source_free(worker->source);
        free(worker);
        return NULL;
    }
    return worker;
}

void worker_stop(struct worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->is_stopping = true;
    if (worker->is_running)
        source_interrupt(worker->source);
    pthread_cond_signal(&worker->has_question);
    pthread_cond_signal(&worker->has_room);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    for (int i = 0; i < worker->waiting_count; i++)
        question_done(&worker->waiting[i]);
    for (int i = 0; i < worker->answer_count; i++)
        answer_done(&worker->answers[i]);
    source_free(worker->source);
    close(worker->pipe[0]);
    close(worker->pipe[1]);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->has_question);
    pthread_cond_destroy(&worker->has_room);
    free(worker);
}

int worker_descriptor(const struct worker *worker)
{
    return worker->pipe[0];
}

static void drop_same(struct worker *worker, enum ask ask)
{
    for (int i = 0; i < worker->waiting_count; i++) {
        if (worker->waiting[i].ask != ask)
            continue;
        question_done(&worker->waiting[i]);
        worker->waiting_count--;
        memmove(&worker->waiting[i], &worker->waiting[i + 1],
                (size_t)(worker->waiting_count - i) * sizeof worker->waiting[0]);
        i--;
    }
}

void worker_ask(struct worker *worker, struct question *question)
{
    pthread_mutex_lock(&worker->lock);
    drop_same(worker, question->ask);
    if (worker->is_running) {
        const bool is_same = worker->running == question->ask;
        const bool gives_way = rank_of(worker->running) > rank_of(question->ask);
        if (is_same)
            worker->fate = FATE_DROPPED;
        else if (gives_way && worker->fate == FATE_NONE)
            worker->fate = FATE_AGAIN;
        if (is_same || gives_way)
            source_interrupt(worker->source);
    }
    worker->waiting[worker->waiting_count++] = *question; /* kinds are fewer than places */
    *question = (struct question){0};
    pthread_cond_signal(&worker->has_question);
    pthread_mutex_unlock(&worker->lock);
}

void worker_cancel(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    for (int i = 0; i < worker->waiting_count; i++) {
        struct question question = worker->waiting[i];
        if (!takes_long(question.ask) || worker->answer_count == ANSWERS)
            continue;
        worker->answers[worker->answer_count++] = (struct answer){
            .ask = question.ask,
            .number = question.number,
            .status = NP_E_CANCELED,
            .error = {.status = NP_E_CANCELED, .text = "stopped"},
        };
        drop_same(worker, question.ask);
        i--;
        wake(worker);
    }
    if (worker->is_running) { /* also rows: sorting many of them takes long */
        worker->fate = FATE_CANCELED;
        source_interrupt(worker->source);
    }
    pthread_mutex_unlock(&worker->lock);
}

bool worker_progress(struct worker *worker, int *per_thousand)
{
    pthread_mutex_lock(&worker->lock);
    const bool has = worker->has_progress;
    *per_thousand = worker->per_thousand;
    worker->has_progress = false;
    pthread_mutex_unlock(&worker->lock);
    return has;
}

bool worker_take(struct worker *worker, struct answer *out)
{
    char bytes[64];
    pthread_mutex_lock(&worker->lock);
    const bool has = worker->answer_count > 0;
    if (has) {
        *out = worker->answers[0];
        worker->answer_count--;
        memmove(&worker->answers[0], &worker->answers[1],
                (size_t)worker->answer_count * sizeof worker->answers[0]);
        pthread_cond_signal(&worker->has_room);
    }
    if (worker->answer_count == 0)
        while (read(worker->pipe[0], bytes, sizeof bytes) > 0) {
            /* emptied */
        }
    pthread_mutex_unlock(&worker->lock);
    return has;
}
