#include "fail.h"
#include "pack.h"
#include "ring.h"
#include "testdir.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static np_testdir dir;

static void make_dir(void)
{
    testdir_make(&dir);
}

static void remove_dir(void)
{
    testdir_remove(&dir);
}

TestSuite(ring, .init = make_dir, .fini = remove_dir);

static np_ring *small_ring(const char *name)
{
    const np_ring_options options = {.slot_count = 64, .text_bytes = 4096};
    np_error err = {0};
    np_ring *ring = NULL;
    cr_assert_eq(np_ring_create(testdir_path(&dir, name), &options, &ring, &err), NP_OK, "%s: %s",
                 err.text, err.cause);
    return ring;
}

static bool push_header(np_ring *ring, uint64_t number, const char *value)
{
    const np_event event = {
        .time_ns = number,
        .request = 1,
        .type = NP_EVENT_HEADER,
        .word = {0, np_ring_word(ring, "Name", 4), np_ring_text(ring, value, strlen(value))},
    };
    return np_ring_push(ring, &event);
}

static void assert_text(np_ring *ring, np_text_ref ref, const char *expected)
{
    size_t length;
    const char *const text = np_ring_get(ring, ref, &length);
    cr_assert_eq(length, strlen(expected), "'%.*s' is not '%s'", (int)length, text, expected);
    cr_assert_eq(memcmp(text, expected, length), 0, "'%.*s' is not '%s'", (int)length, text,
                 expected);
}

Test(ring, gives_back_what_was_pushed_in_order)
{
    np_ring *const ring = small_ring("r");
    for (uint64_t i = 0; i < 50; i++)
        push_header(ring, i, "value");

    np_event events[64];
    cr_assert_eq(np_ring_read(ring, 0, events, 64), 50);
    cr_assert_eq(np_ring_read(ring, 48, events + 60, 4), 2);
    cr_assert_eq(np_ring_read(ring, 50, events, 4), 0);
    cr_assert_eq(np_ring_read(ring, 51, events, 4), 0, "nothing lies behind the head");

    for (uint64_t i = 0; i < 50; i++)
        cr_assert_eq(events[i].time_ns, i);
    cr_assert_eq(events[60].time_ns, 48);
    np_ring_close(ring);
}

Test(ring, full_ring_drops_and_counts)
{
    np_ring *const ring = small_ring("r");
    const np_event event = {.type = NP_EVENT_PHASE_BEGIN};
    for (int i = 0; i < 64; i++)
        cr_assert(np_ring_push(ring, &event));

    cr_assert_not(np_ring_push(ring, &event));
    cr_assert_not(np_ring_push(ring, &event));

    cr_assert_eq(np_ring_dropped(ring), 2);
    cr_assert_eq(np_ring_head(ring), 64);
    np_ring_release(ring, 1);
    cr_assert(np_ring_push(ring, &event));
    cr_assert_not(np_ring_push(ring, &event));
    cr_assert_eq(np_ring_dropped(ring), 3);
    np_ring_close(ring);
}

Test(ring, reads_across_the_end_of_the_slots)
{
    np_ring *const ring = small_ring("r");
    np_event event = {.type = NP_EVENT_PHASE_BEGIN};
    np_event events[64];
    uint64_t position = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        event.time_ns = i;
        cr_assert(np_ring_push(ring, &event));
        if (i % 37 != 36)
            continue;
        const size_t count = np_ring_read(ring, position, events, 64);
        cr_assert_eq(count, 37);
        for (size_t j = 0; j < count; j++)
            cr_assert_eq(events[j].time_ns, position + j);
        position += count;
        np_ring_release(ring, position);
        cr_assert_eq(np_ring_tail(ring), position);
    }
    np_ring_close(ring);
}

Test(ring, release_ignores_positions_outside_of_it)
{
    np_ring *const ring = small_ring("r");
    push_header(ring, 1, "a");
    push_header(ring, 2, "b");
    np_ring_release(ring, 1);

    np_ring_release(ring, 0);
    np_ring_release(ring, 3);
    np_ring_release(ring, UINT64_MAX);

    cr_assert_eq(np_ring_tail(ring), 1);
    np_ring_close(ring);
}

Test(ring, texts_are_released_with_their_events)
{
    np_ring *const ring = small_ring("r");
    char value[1001];
    memset(value, 'x', 1000);
    value[1000] = '\0';
    np_event event;

    /* 4 KiB hold four of these; 1,000 rounds only go well when they are given back. */
    for (uint64_t i = 0; i < 1000; i++) {
        value[0] = (char)('a' + i % 26);
        cr_assert(push_header(ring, i, value));
        cr_assert_eq(np_ring_read(ring, i, &event, 1), 1);
        assert_text(ring, event.word[2], value);
        assert_text(ring, event.word[1], "Name");
        np_ring_release(ring, i + 1);
        size_t length;
        np_ring_get(ring, event.word[2], &length);
        cr_assert_eq(length, 0, "a released text is gone");
    }
    cr_assert_eq(np_ring_dropped(ring), 0);
    np_ring_close(ring);
}

Test(ring, text_without_room_is_lost_and_counted)
{
    np_ring *const ring = small_ring("r");
    char value[1001];
    memset(value, 'x', 1000);
    value[1000] = '\0';
    for (uint64_t i = 0; i < 4; i++)
        cr_assert(push_header(ring, i, value));

    cr_assert(push_header(ring, 4, value), "the event itself has room");

    np_event event;
    cr_assert_eq(np_ring_read(ring, 4, &event, 1), 1);
    cr_assert_eq(event.word[2], 0);
    cr_assert_eq(np_ring_dropped(ring), 1);
    np_ring_release(ring, 1);
    cr_assert(push_header(ring, 5, value));
    cr_assert_eq(np_ring_read(ring, 5, &event, 1), 1);
    assert_text(ring, event.word[2], value);
    np_ring_close(ring);
}

Test(ring, bytes_of_events_never_pushed_are_free_once_it_has_run_empty)
{
    np_ring *const ring = small_ring("r");
    char value[1000];
    memset(value, 'x', sizeof value);
    const np_text_ref lost = np_ring_text(ring, value, sizeof value);
    cr_assert_neq(lost, 0);
    for (int i = 1; i < 4; i++)
        cr_assert_neq(np_ring_text(ring, value, sizeof value), 0);
    cr_assert_eq(np_ring_text(ring, value, sizeof value), 0,
                 "nothing was pushed: all four belong to the next event");

    push_header(ring, 1, "");
    np_ring_release(ring, 1);

    const np_text_ref ref = np_ring_text(ring, value, sizeof value);
    size_t length;
    np_ring_get(ring, ref, &length);
    cr_assert_eq(length, sizeof value);
    np_ring_get(ring, lost, &length);
    cr_assert_eq(length, 0, "what was overwritten is no text any more");
    np_ring_close(ring);
}

Test(ring, text_for_a_full_ring_takes_no_bytes)
{
    np_ring *const ring = small_ring("r");
    const np_event event = {.type = NP_EVENT_PHASE_BEGIN};
    while (np_ring_push(ring, &event))
        ;
    char value[1000];
    memset(value, 'x', sizeof value);

    for (int i = 0; i < 10; i++)
        cr_assert_eq(np_ring_text(ring, value, sizeof value), 0);

    np_ring_release(ring, 1);
    cr_assert_neq(np_ring_text(ring, value, sizeof value), 0);
    np_ring_close(ring);
}

Test(ring, long_text_is_cut_at_a_character)
{
    np_ring *const ring = small_ring("r");
    char value[4096];
    memset(value, 'x', sizeof value);
    memcpy(value + 1023, "\xc3\xa9", 2); /* a quarter of the bytes, 1,024, would end inside it */
    size_t length;

    np_ring_get(ring, np_ring_text(ring, value, sizeof value), &length);

    cr_assert_eq(length, 1023);
    np_ring_close(ring);
}

Test(ring, same_word_is_the_same_reference)
{
    np_ring *const ring = small_ring("r");
    const np_text_ref get = np_ring_word(ring, "GET", 3);
    const np_text_ref post = np_ring_word(ring, "POST", 4);

    cr_assert_eq(np_ring_word(ring, "GET", 3), get);
    cr_assert_neq(get, post);
    cr_assert(np_text_ref_is_word(get));
    cr_assert_not(np_text_ref_is_word(np_ring_text(ring, "GET", 3)));
    cr_assert_not(np_text_ref_is_word(0));
    assert_text(ring, get, "GET");
    assert_text(ring, post, "POST");
    np_ring_close(ring);
}

Test(ring, words_beyond_the_dictionary_go_to_the_ring_of_bytes)
{
    np_ring *const ring = small_ring("r");
    np_text_ref first = 0;
    size_t words = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        char word[32];
        const int length = snprintf(word, sizeof word, "/path/%llu", (unsigned long long)i);
        const np_event event = {
            .type = NP_EVENT_SPAN_BEGIN, .word = {0, np_ring_word(ring, word, (size_t)length)}
        };
        first = first ? first : event.word[1];
        words += np_text_ref_is_word(event.word[1]);
        cr_assert(np_ring_push(ring, &event));
        assert_text(ring, event.word[1], word);
        np_ring_release(ring, i + 1);
    }

    cr_assert_gt(words, 1000);
    cr_assert_leq(words, 4096, "the hash is bounded");
    assert_text(ring, first, "/path/0");
    cr_assert_eq(np_ring_dropped(ring), 0);
    np_ring_close(ring);
}

Test(ring, empty_text_is_none)
{
    np_ring *const ring = small_ring("r");

    cr_assert_eq(np_ring_text(ring, "", 0), 0);
    cr_assert_eq(np_ring_word(ring, "", 0), 0);
    assert_text(ring, 0, "");
    np_ring_close(ring);
}

Test(ring, references_out_of_bounds_are_empty)
{
    np_ring *const ring = small_ring("r");
    push_header(ring, 1, "value");
    static const np_text_ref refs[] = {
        1,
        UINT64_C(1) << 46,
        UINT64_C(5) << 46 | 3,
        UINT64_C(0x1ffff) << 46,
        UINT64_C(1) << 63 | UINT64_C(5) << 46,
        UINT64_C(1) << 63 | UINT64_C(1) << 46 | 4,
        UINT64_C(1) << 63 | UINT64_C(1) << 46 | ((UINT64_C(1) << 46) - 1),
        UINT64_MAX,
        UINT64_MAX >> 1,
    };

    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        size_t length = 99;
        const char *const text = np_ring_get(ring, refs[i], &length);
        if (i == 1) /* one byte at 0: there is one */
            cr_assert(length == 1 && text[0] == 'v');
        else
            cr_assert(length == 0 && text[0] == '\0', "reference %zu", i);
    }
    np_ring_close(ring);
}

Test(ring, file_is_private_and_has_all_its_blocks)
{
    np_ring *const ring = small_ring("r");
    struct stat file;
    cr_assert_eq(stat(np_ring_path(ring), &file), 0);

    cr_assert_eq(file.st_mode & 07777, 0600);
    cr_assert_geq((long long)file.st_blocks * 512, (long long)file.st_size);
    cr_assert_eq(strlen(np_ring_generation(ring)), 32);
    cr_assert_eq(np_ring_slots(ring), 64);
    np_ring_close(ring);
}

Test(ring, default_sizes_are_those_of_the_header)
{
    np_ring *ring = NULL;
    cr_assert_eq(np_ring_create(testdir_path(&dir, "r"), NULL, &ring, NULL), NP_OK);
    struct stat file;
    cr_assert_eq(stat(np_ring_path(ring), &file), 0);

    cr_assert_eq(np_ring_slots(ring), NP_RING_DEFAULT_SLOTS);
    cr_assert_eq((size_t)file.st_size,
                 4096u + NP_RING_DICTIONARY_BYTES + (1u << 20) + NP_RING_DEFAULT_SLOTS * 64u);
    np_ring_close(ring);
}

Test(ring, create_takes_no_existing_name)
{
    np_ring *ring = NULL;
    np_error err = {0};
    const char *const path = testdir_path(&dir, "there");
    const char *const link_path = testdir_path(&dir, "link");
    close(open(path, O_CREAT | O_WRONLY, 0600));
    cr_assert_eq(symlink(testdir_path(&dir, "elsewhere"), link_path), 0);

    cr_assert_eq(np_ring_create(path, NULL, &ring, &err), NP_E_OUTPUT);
    cr_assert_null(ring);
    cr_assert_eq(np_ring_create(link_path, NULL, &ring, &err), NP_E_OUTPUT);
    cr_assert_eq(access(testdir_path(&dir, "elsewhere"), F_OK), -1);
    cr_assert_eq(np_ring_create(testdir_path(&dir, "no/folder"), NULL, &ring, &err), NP_E_OUTPUT);
    cr_assert_str_eq(err.layer, "os");
}

Test(ring, create_refuses_sizes_that_are_none)
{
    static const np_ring_options cases[] = {{.slot_count = 3},
                                            {.slot_count = 1},
                                            {.slot_count = 1u << 23},
                                            {.text_bytes = 5000},
                                            {.text_bytes = 16}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_ring *ring = NULL;
        cr_assert_eq(np_ring_create(testdir_path(&dir, "r"), &cases[i], &ring, NULL),
                     NP_E_ARGUMENT_RANGE, "case %zu", i);
        cr_assert_null(ring);
    }
    cr_assert_eq(access(testdir_path(&dir, "r"), F_OK), -1);
}

Test(ring, without_room_for_it_there_is_an_error_and_no_file)
{
    const struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    np_ring *ring = NULL;
    np_error err = {0};
    char expected[400];
    snprintf(expected, sizeof expected, "no room for a ring of 6 MiB beside %s/a.db", dir.path);

    cr_assert_eq(np_ring_create(testdir_path(&dir, "a.db-ring-1"), NULL, &ring, &err), NP_E_OUTPUT);

    cr_assert_str_eq(err.text, expected);
    cr_assert_eq(access(testdir_path(&dir, "a.db-ring-1"), F_OK), -1);
}

Test(ring, living_owner_is_not_left_over)
{
    np_ring *const ring = small_ring("r");
    np_ring *other = NULL;
    np_error err = {0};

    cr_assert_eq(np_ring_open(testdir_path(&dir, "r"), &other, &err), NP_E_INVALID_OPERATION);
    cr_assert_null(other);

    np_ring_close(ring);
    cr_assert_eq(np_ring_open(testdir_path(&dir, "r"), &other, &err), NP_OK, "%s", err.text);
    np_ring *third = NULL;
    cr_assert_eq(np_ring_open(testdir_path(&dir, "r"), &third, &err), NP_E_INVALID_OPERATION,
                 "one reader at a time");
    np_ring_close(other);
}

Test(ring, unlink_leaves_a_file_that_is_another_one)
{
    np_ring *const ring = small_ring("r");
    const char *const path = testdir_path(&dir, "r");
    cr_assert_eq(unlink(path), 0);
    close(open(path, O_CREAT | O_WRONLY, 0600));

    np_ring_unlink(ring);

    cr_assert_eq(access(path, F_OK), 0);
    np_ring_close(ring);
}

Test(ring, finish_is_seen)
{
    np_ring *const ring = small_ring("r");
    cr_assert_not(np_ring_is_finished(ring));

    np_ring_finish(ring);

    cr_assert(np_ring_is_finished(ring));
    np_ring_close(ring);
}

/* Pushes numbered events until it is killed, and tells through a pipe how many were pushed for
 * certain. */
static void push_until_killed(int pipe_fd)
{
    np_ring *ring = NULL;
    const np_ring_options options = {.slot_count = 1u << 16, .text_bytes = 1u << 22};
    if (np_ring_create(testdir_path(&dir, "left"), &options, &ring, NULL) != NP_OK)
        _exit(1);
    for (uint64_t i = 1;; i++) {
        char value[32];
        snprintf(value, sizeof value, "value %llu", (unsigned long long)i);
        if (push_header(ring, i, value) && write(pipe_fd, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

Test(ring, left_over_of_a_killed_owner_has_every_pushed_event)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0)
        push_until_killed(ends[1]);
    close(ends[1]);
    uint64_t told = 0;
    while (told < 5000)
        cr_assert_eq(read(ends[0], &told, sizeof told), (ssize_t)sizeof told);
    np_ring *ring = NULL;
    cr_assert_eq(np_ring_open(testdir_path(&dir, "left"), &ring, NULL), NP_E_INVALID_OPERATION);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    while (read(ends[0], &told, sizeof told) == (ssize_t)sizeof told)
        ;
    close(ends[0]);

    np_error err = {0};
    cr_assert_eq(np_ring_open(testdir_path(&dir, "left"), &ring, &err), NP_OK, "%s", err.text);

    cr_assert_geq(np_ring_head(ring), told);
    cr_assert_not(np_ring_is_finished(ring));
    for (uint64_t i = 0; i < np_ring_head(ring); i++) {
        np_event event;
        char value[32];
        cr_assert_eq(np_ring_read(ring, i, &event, 1), 1);
        cr_assert_eq(event.time_ns, i + 1);
        snprintf(value, sizeof value, "value %llu", (unsigned long long)i + 1);
        assert_text(ring, event.word[2], value);
        assert_text(ring, event.word[1], "Name");
    }
    np_ring_unlink(ring);
    np_ring_close(ring);
    cr_assert_eq(access(testdir_path(&dir, "left"), F_OK), -1);
}

/* --- hostile files --- */

static void write_at(const char *path, long at, const void *bytes, size_t size)
{
    const int fd = open(path, O_WRONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, bytes, size, at), (ssize_t)size);
    close(fd);
}

Test(ring, damaged_files_are_refused)
{
    /* Offsets of the header: magic 0, version 8, header 12, event 16, slots 20, text 24, dictionary
       28, file 32, generation 40; positions: head 256, tail 320, text_head 384, text_tail 448,
       dictionary 520. */
    static const struct {
        const char *what;
        long at;
        uint64_t value;
        size_t size;
    } cases[] = {
        {"magic",                    0,   0,              1},
        {"version",                  8,   2,              4},
        {"header size",              12,  8192,           4},
        {"event size",               16,  32,             4},
        {"slots not a power of two", 20,  63,             4},
        {"slots 0",                  20,  0,              4},
        {"slots more than the file", 20,  128,            4},
        {"slots huge",               20,  0x80000000,     4},
        {"text bytes",               24,  8192,           4},
        {"text bytes 0",             24,  0,              4},
        {"text bytes odd",           24,  4097,           4},
        {"dictionary",               28,  1024,           4},
        {"file size",                32,  1,              8},
        {"generation",               40,  'x',            1},
        {"generation too short",     60,  0,              1},
        {"generation too long",      72,  'a',            1},
        {"tail ahead of head",       320, 100,            8},
        {"more events than slots",   256, 65,             8},
        {"head huge",                256, UINT64_MAX,     8},
        {"text tail ahead",          448, 100,            8},
        {"text head huge",           384, UINT64_MAX,     8},
        {"dictionary used",          520, 256 * 1024 + 1, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%zu", i);
        np_ring *ring = small_ring(name);
        push_header(ring, 1, "value");
        np_ring_close(ring);
        const char *const path = testdir_path(&dir, name);
        write_at(path, cases[i].at, &cases[i].value, cases[i].size);

        np_error err = {0};
        cr_assert_eq(np_ring_open(path, &ring, &err), NP_E_INPUT, "%s", cases[i].what);
        cr_assert_null(ring);
        cr_assert(strstr(err.text, path) != NULL, "%s: %s", cases[i].what, err.text);
    }
}

Test(ring, what_is_no_ring_is_refused)
{
    np_ring *ring = NULL;
    np_error err = {0};
    np_ring *const whole = small_ring("whole");
    np_ring_close(whole);
    cr_assert_eq(truncate(testdir_path(&dir, "whole"), 4096 + 100), 0);
    cr_assert_eq(mkfifo(testdir_path(&dir, "pipe"), 0600), 0);
    close(open(testdir_path(&dir, "empty"), O_CREAT | O_WRONLY, 0600));
    np_ring_close(small_ring("real"));
    cr_assert_eq(symlink(testdir_path(&dir, "real"), testdir_path(&dir, "link")), 0);
    static const char *const names[] = {"whole", "pipe", "empty", "link", "missing", "."};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_assert_eq(np_ring_open(testdir_path(&dir, names[i]), &ring, &err), NP_E_INPUT, "%s",
                     names[i]);
        cr_assert_null(ring);
    }
}

Test(ring, random_words_in_a_left_over_never_leave_its_bounds)
{
    np_ring *ring = small_ring("r");
    for (uint64_t i = 0; i < 64; i++)
        push_header(ring, i, "some value or other");
    np_ring_close(ring);
    const char *const path = testdir_path(&dir, "r");
    const long slots_at = 4096 + (long)NP_RING_DICTIONARY_BYTES + 4096;
    uint64_t state = 12345;
    for (long at = slots_at; at < slots_at + 64 * 64; at += 8) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        const uint64_t word = state >> (state % 60);
        write_at(path, at, &word, sizeof word);
    }

    cr_assert_eq(np_ring_open(path, &ring, NULL), NP_OK);

    volatile unsigned char sink; /* the address sanitizer watches the reads */
    for (uint64_t i = 0; i < 64; i++) {
        np_event event;
        cr_assert_eq(np_ring_read(ring, i, &event, 1), 1);
        for (int j = 0; j < 5; j++) {
            size_t length;
            const char *const text = np_ring_get(ring, event.word[j], &length);
            for (size_t k = 0; k < length; k++)
                sink = (unsigned char)text[k];
            cr_assert_leq(length,
                          np_text_ref_is_word(event.word[j]) ? NP_RING_DICTIONARY_BYTES : 4096u);
        }
        np_ring_release(ring, i + 1);
    }
    (void)sink;
    np_ring_close(ring);
}
