/* Follows the run that is being recorded; see follower.h. */
#include "follower.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NEWEST = 1024, PAGE_ROWS = 1024 };

struct follower {
    np_store *store;
    int64_t run_id, last_id;
    int progress_fd;
    uint64_t stored, failed;
    int64_t setup_ns[NEWEST]; /* the newest ones; a ring, by stored % NEWEST */
};

struct follower *follower_open(const char *path, int64_t run_id, int progress_fd, np_error *err)
{
    const np_store_options options = {.size = sizeof options, .no_recovery = true};
    struct follower *follower = calloc(1, sizeof *follower);
    if (!follower)
        return NULL;
    follower->run_id = run_id;
    follower->progress_fd = progress_fd;
    if (np_store_open(path, &options, &follower->store, err)) {
        free(follower);
        return NULL;
    }
    return follower;
}

static bool write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        const ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        length -= (size_t)n;
    }
    return true;
}

static bool announce(int fd, const np_page *page)
{
    char lines[64 * 64];
    size_t used = 0;
    for (size_t i = 0; i < page->count; i++) {
        const np_row *row = &page->rows[i];
        used += (size_t)snprintf(lines + used, sizeof lines - used, "%lld %d %lld\n",
                                 (long long)row->id, row->status, (long long)row->total_ns);
        if (used > sizeof lines - 64 || i + 1 == page->count) {
            if (!write_all(fd, lines, used))
                return false;
            used = 0;
        }
    }
    return true;
}

static void count(struct follower *follower, const np_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const np_row *row = &page->rows[i];
        follower->setup_ns[follower->stored++ % NEWEST] = row->setup_ns;
        follower->failed += row->failed;
        follower->last_id = row->id;
    }
}

bool follower_step(struct follower *follower)
{
    bool written = true;
    for (;;) {
        const np_page_query query = {.size = sizeof query,
                                     .after_id = follower->last_id,
                                     .limit = PAGE_ROWS,
                                     .run_id = follower->run_id};
        np_page *page = NULL;
        if (np_store_page(follower->store, &query, &page, NULL))
            return written; /* busy or damaged: the next step, or the end of the run, tells */
        count(follower, page);
        if (follower->progress_fd >= 0 && !announce(follower->progress_fd, page)) {
            follower->progress_fd = -1;
            written = false;
        }
        const bool at_end = page->at_end || page->count == 0;
        np_page_free(page);
        if (at_end)
            return written;
    }
}

uint64_t follower_stored(const struct follower *follower)
{
    return follower->stored;
}

uint64_t follower_failed(const struct follower *follower)
{
    return follower->failed;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t follower_setup_p50(const struct follower *follower)
{
    int64_t sorted[NEWEST];
    const size_t n = follower->stored < NEWEST ? (size_t)follower->stored : NEWEST;
    if (n == 0)
        return -1;
    memcpy(sorted, follower->setup_ns, n * sizeof sorted[0]);
    qsort(sorted, n, sizeof sorted[0], by_value);
    return sorted[(n - 1) / 2];
}

void follower_close(struct follower *follower)
{
    if (!follower)
        return;
    np_store_close(follower->store);
    free(follower);
}
