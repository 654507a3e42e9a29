/*
 * The ring's file, its texts and its consumer's side; the push itself is inline in ring.h. Floor 1.
 *
 * The file is made of four parts, each a multiple of a page except for tiny rings of tests:
 *
 *   0               header: what and how large (struct header), then the shared positions
 * (np_ring_shared) 4096            dictionary: the words, one behind the other, never moved
 *   + dictionary    ring of bytes: a text is whole, never wraps; what is left before the end is
 * skipped
 *   + text_bytes    slots
 *
 * A reference to a text is one word: bit 63 says dictionary, bits 46 … 62 are the length (1 … 64
 * Ki), bits 0 … 45 the position: an offset in the dictionary, or the low bits of the position in
 * the ring of bytes, which only grows. 46 bits wrap after 64 TiB of text; the whole position is
 * found again from `text_tail`, since a valid one lies less than a ring's size ahead of it.
 *
 * Order makes a kill at any instant harmless: bytes are copied, then `text_head` or
 * `dictionary_used` moves, then the event is written, then `head` moves. Whoever sees `head` sees
 * everything its events refer to; bytes without an event are merely unused.
 *
 * The texts of an event are made right before it is pushed. That is why releasing an event releases
 * all bytes up to the end of its last text, and why bytes that belong to no pushed event (it was
 * dropped, or never pushed) are free once the ring has run empty.
 *
 * A left-over is not mapped but copied into memory: whoever cuts or changes the file meanwhile
 * cannot make us fault, and what was checked stays as it was checked.
 */
#include "ring.h"

#include "clock.h"
#include "fail.h"
#include "pack.h"
#include "random.h"
#include "textbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC            "NPRING\r\n"
#define VERSION          1u
#define HEADER_BYTES     4096u
#define SHARED_AT        256u
#define MOST_SLOTS       (1u << 22)
#define LEAST_TEXT_BYTES 4096u
#define MOST_TEXT_BYTES  (1u << 28)
#define LOCK_TRIES       100
#define CREATE_TRIES     3
#define WORD_MAX         512u  /* longer texts are hardly ever repeated */
#define WORD_SLOTS       8192u /* the producer's hash of its words; half of it is used at most */
#define WORD_PROBES      16    /* names chosen to collide cost no more than this */

#define REF_WORD    (UINT64_C(1) << 63)
#define REF_AT_BITS 46
#define REF_AT_MASK ((UINT64_C(1) << REF_AT_BITS) - 1)
#define REF_LENGTH  0x1ffffu

struct header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;
    uint32_t event_bytes;
    uint32_t slot_count;
    uint32_t text_bytes;
    uint32_t dictionary_bytes;
    uint64_t file_bytes;
    char generation[40]; /* 32 hex digits and NULs */
};
static_assert(sizeof(struct header) <= SHARED_AT, "the shared positions lie behind the header");
static_assert(sizeof(np_ring_shared) == 320, "the layout of files; a change needs a new VERSION");
static_assert(SHARED_AT + sizeof(np_ring_shared) <= HEADER_BYTES, "both fit their page");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock inside the mapping would die with its owner");

struct word {
    uint32_t hash;
    uint32_t at;
    uint32_t length; /* 0: free */
};

struct np_ring {
    np_ring_producer producer; /* first: np_ring_push casts */

    /* The producer's, on lines that the consumer does not read. */
    _Alignas(64) uint64_t text_head; /* = shared->text_head */
    uint64_t cached_text_tail;
    uint64_t fresh_from; /* bytes from here on belong to no event pushed yet … */
    uint64_t fresh_head; /* … while `head` is still this */
    uint64_t hash_seed;
    uint32_t dictionary_used;
    uint32_t word_count;
    struct word *words;

    /* Set at the start, then only read: both sides. */
    _Alignas(64) np_ring_shared *shared;
    const np_event *slots;
    char *dictionary;
    char *texts;
    uint32_t slot_count;
    uint32_t text_bytes;
    unsigned char *map;
    size_t map_bytes;
    int fd;
    char *path;
    char generation[33];
};

/* --- sizes and the header --- */

static bool is_power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static uint64_t file_bytes_for(uint32_t slot_count, uint32_t text_bytes)
{
    return (uint64_t)HEADER_BYTES + NP_RING_DICTIONARY_BYTES + text_bytes +
           (uint64_t)slot_count * sizeof(np_event);
}

static np_status choose_sizes(const np_ring_options *options, struct header *header, np_error *err)
{
    uint32_t slots = options ? options->slot_count : 0;
    uint32_t bytes = options ? options->text_bytes : 0;
    if (slots == 0)
        slots = NP_RING_DEFAULT_SLOTS;
    if (!is_power_of_two(slots) || slots < 2 || slots > MOST_SLOTS)
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "a ring of %u events: expected a power of two, 2 to %u", slots, MOST_SLOTS);
    if (bytes == 0)
        bytes = slots * 16 > 1u << 20 ? slots * 16 : 1u << 20;
    if (!is_power_of_two(bytes) || bytes < LEAST_TEXT_BYTES || bytes > MOST_TEXT_BYTES)
        return np_fail(err, NP_E_ARGUMENT_RANGE,
                       "a ring with %u bytes of text: expected a power of two, %u to %u", bytes,
                       LEAST_TEXT_BYTES, MOST_TEXT_BYTES);

    memset(header, 0, sizeof *header);
    header->version = VERSION;
    header->header_bytes = HEADER_BYTES;
    header->event_bytes = sizeof(np_event);
    header->slot_count = slots;
    header->text_bytes = bytes;
    header->dictionary_bytes = NP_RING_DICTIONARY_BYTES;
    header->file_bytes = file_bytes_for(slots, bytes);
    return NP_OK;
}

/* Is this header one that we could have written for a file of this size? */
static np_status check_header(const struct header *header, uint64_t file_bytes, const char *path,
                              np_error *err)
{
    if (memcmp(header->magic, MAGIC, sizeof header->magic) != 0)
        return np_fail(err, NP_E_INPUT, "%s is no ring of netphase", path);
    if (header->version != VERSION)
        return np_fail(
            err, NP_E_INPUT,
            "%s is a ring of version %u, expected %u: read it with the netphase that made it", path,
            header->version, VERSION);

    const bool sound =
        header->header_bytes == HEADER_BYTES && header->event_bytes == sizeof(np_event) &&
        header->dictionary_bytes == NP_RING_DICTIONARY_BYTES &&
        is_power_of_two(header->slot_count) && header->slot_count >= 2 &&
        header->slot_count <= MOST_SLOTS && is_power_of_two(header->text_bytes) &&
        header->text_bytes >= LEAST_TEXT_BYTES && header->text_bytes <= MOST_TEXT_BYTES &&
        header->file_bytes == file_bytes_for(header->slot_count, header->text_bytes) &&
        strnlen(header->generation, sizeof header->generation) == 32 &&
        strspn(header->generation, "0123456789abcdef") == 32;
    if (!sound)
        return np_fail(err, NP_E_INPUT, "%s is a damaged ring: its header contradicts itself",
                       path);
    if (header->file_bytes != file_bytes)
        return np_fail(err, NP_E_INPUT, "%s is a damaged ring: it has %llu bytes, expected %llu",
                       path, (unsigned long long)file_bytes,
                       (unsigned long long)header->file_bytes);
    return NP_OK;
}

/* Positions of a left-over that no producer and consumer could have left. */
static np_status check_positions(const np_ring *ring, np_error *err)
{
    const np_ring_shared *const shared =
        ring->shared; /* a copy of our own: nobody else writes, any order will do */
    const uint64_t head = atomic_load_explicit(&shared->head, memory_order_relaxed);
    const uint64_t tail = atomic_load_explicit(&shared->tail, memory_order_relaxed);
    const uint64_t text_head = atomic_load_explicit(&shared->text_head, memory_order_relaxed);
    const uint64_t text_tail = atomic_load_explicit(&shared->text_tail, memory_order_relaxed);
    const uint32_t words = atomic_load_explicit(&shared->dictionary_used, memory_order_relaxed);
    if (tail > head || head - tail > ring->slot_count || head > INT64_MAX ||
        text_tail > text_head || text_head > INT64_MAX || words > NP_RING_DICTIONARY_BYTES)
        return np_fail(err, NP_E_INPUT, "%s is a damaged ring: its positions contradict each other",
                       ring->path);
    return NP_OK;
}

static void place_parts(np_ring *ring, const struct header *header)
{
    unsigned char *const dictionary = ring->map + HEADER_BYTES;
    unsigned char *const texts = dictionary + NP_RING_DICTIONARY_BYTES;
    np_event *const slots = (np_event *)(void *)(texts + header->text_bytes);

    ring->shared = (np_ring_shared *)(void *)(ring->map + SHARED_AT);
    ring->dictionary = (char *)dictionary;
    ring->texts = (char *)texts;
    ring->slots = slots;
    ring->slot_count = header->slot_count;
    ring->text_bytes = header->text_bytes;
    memcpy(ring->generation, header->generation, 32);
    ring->producer.shared = ring->shared;
    ring->producer.slots = slots;
    ring->producer.mask = header->slot_count - 1;
}

/* --- create, open, close --- */

static np_status ring_new(const char *path, np_ring **out, np_error *err)
{
    static_assert(sizeof(np_ring) % 64 == 0, "aligned_alloc wants a multiple");
    np_ring *const ring = aligned_alloc(64, sizeof *ring);
    if (!ring)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for a ring");
    memset(ring, 0, sizeof *ring);
    ring->fd = -1;
    ring->path = strdup(path);
    *out = ring;
    return ring->path ? NP_OK : np_fail(err, NP_E_NO_MEMORY, "no memory for the name of a ring");
}

/* 0, or the errno: EAGAIN while another open file description holds the lock. */
static int lock_file(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES ? EAGAIN : errno;
}

/* Makes the file and locks it. A reader may look at it in the instant between, hold the lock for as
   long as that takes, and even take the empty file away: hence the waiting and the starting over.
 */
static np_status create_locked(np_ring *ring, np_error *err)
{
    for (int i = 0; i < CREATE_TRIES; i++) {
        ring->fd = open(ring->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (ring->fd < 0)
            return np_fail_os(err, NP_E_OUTPUT, errno, "no ring can be made at %s", ring->path);

        int problem = lock_file(ring->fd);
        for (int j = 0; problem == EAGAIN && j < LOCK_TRIES; j++) {
            nanosleep(&(struct timespec){.tv_nsec = NP_NS_PER_MS}, NULL);
            problem = lock_file(ring->fd);
        }
        struct stat file;
        if (problem == 0 && fstat(ring->fd, &file) == 0 && file.st_nlink > 0)
            return NP_OK;
        if (problem != 0) {
            unlink(ring->path);
            return np_fail_os(err, NP_E_OUTPUT, problem, "the ring %s cannot be locked",
                              ring->path);
        }
        close(ring->fd);
        ring->fd = -1;
    }
    return np_fail(err, NP_E_OUTPUT, "the new ring %s was taken away again and again", ring->path);
}

static np_status no_room(const np_ring *ring, uint64_t bytes, int problem, np_error *err)
{
    const unsigned mib = (unsigned)((bytes + (1u << 20) - 1) >> 20);
    const char *const mark = strstr(ring->path, "-ring-"); /* rings are called TRACE-ring-… */
    const int length = mark ? (int)(mark - ring->path) : (int)strlen(ring->path);
    return np_fail_os(err, NP_E_OUTPUT, problem, "no room for a ring of %u MiB beside %.*s", mib,
                      length, ring->path);
}

/* Every block of the file is there before anything is mapped: later a full disk could only be told
 * by SIGBUS. */
static np_status allocate_file(np_ring *ring, uint64_t bytes, np_error *err)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes)
        return no_room(ring, bytes, EFBIG,
                       err); /* asking the kernel would be answered with SIGXFSZ */

    int problem;
    do
        problem = posix_fallocate(ring->fd, 0, (off_t)bytes);
    while (problem == EINTR);
    if (problem == ENOSPC || problem == EDQUOT || problem == EFBIG)
        return no_room(ring, bytes, problem, err);
    if (problem != 0)
        return np_fail_os(err, NP_E_OUTPUT, problem, "the ring %s cannot be allocated", ring->path);
    return NP_OK;
}

static np_status map_and_touch(np_ring *ring, uint64_t bytes, np_error *err)
{
    void *const map = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (map == MAP_FAILED)
        return np_fail_os(err, NP_E_OUTPUT, errno, "the ring %s cannot be mapped", ring->path);
    ring->map = map;
    ring->map_bytes = (size_t)bytes;
    /* The first write to a page costs a fault, now and not within an event. */
    for (size_t at = 0; at < ring->map_bytes; at += 4096)
        *(volatile unsigned char *)(ring->map + at) = 0;
    return NP_OK;
}

static void write_header(np_ring *ring, struct header *header)
{
    unsigned char bytes[16];
    np_random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(header->generation + 2 * i, 3, "%02x", bytes[i]);
    np_random_bytes(&ring->hash_seed, sizeof ring->hash_seed);

    memcpy(ring->map, header, sizeof *header);
    /* The magic comes last: a file that has it has everything else. Nobody reads beside us while we
       hold the lock, so only the order in which a kill would find the stores counts. */
    atomic_signal_fence(memory_order_release);
    memcpy(ring->map, MAGIC, sizeof header->magic);
}

np_status np_ring_create(const char *path, const np_ring_options *options, np_ring **out,
                         np_error *err)
{
    *out = NULL;
    struct header header;
    np_status status = choose_sizes(options, &header, err);
    if (status)
        return status;

    np_ring *ring = NULL;
    status = ring_new(path, &ring, err);
    if (status)
        goto fail;
    ring->words = calloc(WORD_SLOTS, sizeof *ring->words);
    if (!ring->words) {
        status = np_fail(err, NP_E_NO_MEMORY, "no memory for the words of a ring");
        goto fail;
    }
    status = create_locked(ring, err);
    if (status)
        goto fail;
    status = allocate_file(ring, header.file_bytes, err);
    if (!status)
        status = map_and_touch(ring, header.file_bytes, err);
    if (status) {
        unlink(path); /* ours, locked and half made */
        goto fail;
    }
    write_header(ring, &header);
    place_parts(ring, &header);
    *out = ring;
    return NP_OK;

fail:
    np_ring_close(ring);
    return status;
}

/* Reads size bytes at `at`; false at the end of the file or on a failure (errno is 0 or says
 * which). */
static bool read_fully(int fd, void *out, size_t size, uint64_t at)
{
    unsigned char *to = out;
    while (size > 0) {
        errno = 0;
        const ssize_t got = pread(fd, to, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

static np_status open_unowned(np_ring *ring, uint64_t *file_bytes, np_error *err)
{
    /* O_NONBLOCK: a pipe put there instead of the file must not hold us. */
    ring->fd = open(ring->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (ring->fd < 0)
        return np_fail_os(err, NP_E_INPUT, errno, "the ring %s cannot be opened", ring->path);
    struct stat file;
    if (fstat(ring->fd, &file) != 0)
        return np_fail_os(err, NP_E_INPUT, errno, "the ring %s cannot be looked at", ring->path);
    if (!S_ISREG(file.st_mode))
        return np_fail(err, NP_E_INPUT, "%s is no ring of netphase: it is not a regular file",
                       ring->path);

    const int problem = lock_file(ring->fd);
    if (problem == EAGAIN)
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "the ring %s is in use: its owner lives, or it is being read", ring->path);
    if (problem != 0)
        return np_fail_os(err, NP_E_INPUT, problem, "the ring %s cannot be locked", ring->path);
    /* Asked again under the lock: the owner may have been filling it until now. */
    if (fstat(ring->fd, &file) != 0)
        return np_fail_os(err, NP_E_INPUT, errno, "the ring %s cannot be looked at", ring->path);
    *file_bytes = (uint64_t)file.st_size;
    return NP_OK;
}

static np_status copy_file(np_ring *ring, uint64_t file_bytes, np_error *err)
{
    void *const map =
        mmap(NULL, (size_t)file_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return np_fail(err, NP_E_NO_MEMORY, "no memory for the left-over ring %s", ring->path);
    ring->map = map;
    ring->map_bytes = (size_t)file_bytes;
    if (read_fully(ring->fd, map, ring->map_bytes, 0))
        return NP_OK;
    return np_fail_os(err, NP_E_INPUT, errno ? errno : EIO, "the ring %s cannot be read to its end",
                      ring->path);
}

np_status np_ring_open(const char *path, np_ring **out, np_error *err)
{
    *out = NULL;
    struct header header;
    uint64_t file_bytes = 0;
    np_ring *ring = NULL;
    np_status status = ring_new(path, &ring, err);
    if (status)
        goto fail;
    status = open_unowned(ring, &file_bytes, err);
    if (status)
        goto fail;
    if (file_bytes < HEADER_BYTES || !read_fully(ring->fd, &header, sizeof header, 0)) {
        status = np_fail(err, NP_E_INPUT, "%s is no ring of netphase: it has only %llu bytes", path,
                         (unsigned long long)file_bytes);
        goto fail;
    }
    status = check_header(&header, file_bytes, path, err);
    if (status)
        goto fail;
    status = copy_file(ring, file_bytes, err);
    if (status)
        goto fail;
    place_parts(ring, &header);
    status = check_positions(ring, err);
    if (status)
        goto fail;
    *out = ring;
    return NP_OK;

fail:
    np_ring_close(ring);
    return status;
}

void np_ring_close(np_ring *ring)
{
    if (!ring)
        return;
    if (ring->map)
        munmap(ring->map, ring->map_bytes);
    if (ring->fd >= 0)
        close(ring->fd); /* and with it the lock */
    free(ring->words);
    free(ring->path);
    free(ring);
}

void np_ring_unlink(np_ring *ring)
{
    struct stat ours;
    struct stat named;
    const bool same = fstat(ring->fd, &ours) == 0 && lstat(ring->path, &named) == 0 &&
                      ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
    if (same)
        (void)unlink(ring->path); /* where that is refused the file stays, finished: opening it
                                     again finds nothing new */
}

const char *np_ring_path(const np_ring *ring)
{
    return ring->path;
}

const char *np_ring_generation(const np_ring *ring)
{
    return ring->generation;
}

uint32_t np_ring_slots(const np_ring *ring)
{
    return ring->slot_count;
}

/* --- texts, the producer's side --- */

static np_text_ref make_ref(uint64_t kind, uint64_t at, size_t length)
{
    return kind | (uint64_t)length << REF_AT_BITS | (at & REF_AT_MASK);
}

static void count_drop(np_ring *ring)
{
    atomic_fetch_add_explicit(&ring->shared->dropped, 1,
                              memory_order_relaxed); /* a figure: it orders nothing */
}

/* Is a slot free for the event that the text is for? If not, it will be dropped, and bytes copied
 * for it would lie about. */
static bool has_free_slot(np_ring *ring)
{
    np_ring_producer *const p = &ring->producer;
    if (p->head - p->cached_tail <= p->mask)
        return true;
    p->cached_tail = atomic_load_explicit(
        &ring->shared->tail,
        memory_order_acquire); /* pairs with np_ring_release: the slot is free */
    return p->head - p->cached_tail <= p->mask;
}

static bool has_free_bytes(np_ring *ring, uint64_t need)
{
    if (ring->text_head + need - ring->cached_text_tail <= ring->text_bytes)
        return true;
    uint64_t tail = atomic_load_explicit(
        &ring->shared->text_tail,
        memory_order_acquire); /* pairs with np_ring_release: the bytes were read */
    /* Nothing pushed is left to read: what lies before the event in the making belongs to nobody.
     * Pairs with np_ring_release too. */
    if (ring->text_head + need - tail > ring->text_bytes &&
        atomic_load_explicit(&ring->shared->tail, memory_order_acquire) == ring->producer.head)
        tail = ring->fresh_from;
    if (tail > ring->cached_text_tail)
        ring->cached_text_tail = tail;
    return ring->text_head + need - ring->cached_text_tail <= ring->text_bytes;
}

np_text_ref np_ring_text(np_ring *ring, const char *text, size_t length)
{
    const size_t most =
        ring->text_bytes / 4 < NP_RING_TEXT_MAX ? ring->text_bytes / 4 : NP_RING_TEXT_MAX;
    if (length > most)
        length = np_utf8_cut(text, length, most);
    if (length == 0)
        return 0;

    if (ring->fresh_head != ring->producer.head) {
        ring->fresh_head = ring->producer.head;
        ring->fresh_from = ring->text_head;
    }
    const uint64_t offset = ring->text_head & (ring->text_bytes - 1);
    const uint64_t skipped = offset + length > ring->text_bytes ? ring->text_bytes - offset : 0;
    if (!has_free_slot(ring) || !has_free_bytes(ring, skipped + length)) {
        count_drop(ring);
        return 0;
    }
    const uint64_t at = ring->text_head + skipped;
    memcpy(ring->texts + (at & (ring->text_bytes - 1)), text, length);
    ring->text_head = at + length;
    atomic_store_explicit(&ring->shared->text_head, ring->text_head,
                          memory_order_release); /* pairs with np_ring_get: the bytes are there */
    return make_ref(0, at, length);
}

/* Eight bytes at a time; the seed keeps outsiders from choosing words that collide. */
static uint32_t hash_text(uint64_t seed, const char *text, size_t length)
{
    uint64_t h = seed ^ length;
    for (; length > 0;) {
        uint64_t piece = 0;
        const size_t bytes = length < sizeof piece ? length : sizeof piece;
        memcpy(&piece, text, bytes);
        h = (h ^ piece) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 32;
        text += bytes;
        length -= bytes;
    }
    return (uint32_t)(h ^ h >> 29);
}

np_text_ref np_ring_word(np_ring *ring, const char *text, size_t length)
{
    if (length == 0 || length > WORD_MAX)
        return np_ring_text(ring, text, length);

    const uint32_t hash = hash_text(ring->hash_seed, text, length);
    struct word *free_place = NULL;
    for (uint32_t i = 0; i < WORD_PROBES && !free_place; i++) {
        struct word *const word = &ring->words[(hash + i) % WORD_SLOTS];
        if (word->length == 0)
            free_place = word;
        else if (word->hash == hash && word->length == length &&
                 memcmp(ring->dictionary + word->at, text, length) == 0)
            return make_ref(REF_WORD, word->at, length);
    }
    if (!free_place || ring->word_count >= WORD_SLOTS / 2 ||
        ring->dictionary_used + length > NP_RING_DICTIONARY_BYTES)
        return np_ring_text(ring, text, length);

    const uint32_t at = ring->dictionary_used;
    memcpy(ring->dictionary + at, text, length);
    ring->dictionary_used += (uint32_t)length;
    ring->word_count++;
    *free_place = (struct word){.hash = hash, .at = at, .length = (uint32_t)length};
    atomic_store_explicit(&ring->shared->dictionary_used, ring->dictionary_used,
                          memory_order_release); /* pairs with np_ring_get: the word is there */
    return make_ref(REF_WORD, at, length);
}

void np_ring_finish(np_ring *ring)
{
    atomic_store_explicit(&ring->shared->closed, 1,
                          memory_order_release); /* pairs with np_ring_is_finished: head is final */
}

/* --- the consumer's side --- */

uint64_t np_ring_head(const np_ring *ring)
{
    return atomic_load_explicit(
        &ring->shared->head,
        memory_order_acquire); /* pairs with np_ring_push: the slots are filled */
}

uint64_t np_ring_tail(const np_ring *ring)
{
    return atomic_load_explicit(&ring->shared->tail, memory_order_relaxed); /* only we write it */
}

uint64_t np_ring_dropped(const np_ring *ring)
{
    return atomic_load_explicit(&ring->shared->dropped,
                                memory_order_relaxed); /* a figure: it orders nothing */
}

bool np_ring_is_finished(const np_ring *ring)
{
    return atomic_load_explicit(&ring->shared->closed, memory_order_acquire) !=
           0; /* pairs with np_ring_finish: head is final */
}

size_t np_ring_read(const np_ring *ring, uint64_t from, np_event *out, size_t max)
{
    const uint64_t head = np_ring_head(ring);
    if (from > head || head - from > ring->slot_count)
        return 0;
    const size_t count = head - from < max ? (size_t)(head - from) : max;
    const size_t first = (size_t)(from & (ring->slot_count - 1));
    const size_t before_end = ring->slot_count - first < count ? ring->slot_count - first : count;
    if (count == 0)
        return 0;
    memcpy(out, ring->slots + first, before_end * sizeof *out);
    memcpy(out + before_end, ring->slots, (count - before_end) * sizeof *out);
    return count;
}

/* Where the bytes of a reference into the ring of bytes lie; false when there is no such text now.
 */
static bool find_text(const np_ring *ring, np_text_ref ref, uint64_t *out_at, size_t *out_length)
{
    const uint64_t tail =
        atomic_load_explicit(&ring->shared->text_tail, memory_order_relaxed); /* only we write it */
    const uint64_t head = atomic_load_explicit(
        &ring->shared->text_head,
        memory_order_acquire); /* pairs with np_ring_text: the bytes are there */
    const size_t length = (size_t)(ref >> REF_AT_BITS & REF_LENGTH);
    const uint64_t at = tail + ((ref - tail) & REF_AT_MASK);
    if (length == 0 || length > NP_RING_TEXT_MAX || at > head || length > head - at ||
        head - at > ring->text_bytes || (at & (ring->text_bytes - 1)) + length > ring->text_bytes)
        return false;
    *out_at = at;
    *out_length = length;
    return true;
}

const char *np_ring_get(const np_ring *ring, np_text_ref ref, size_t *length)
{
    uint64_t at;
    if (np_text_ref_is_word(ref)) {
        const uint64_t used = atomic_load_explicit(
            &ring->shared->dictionary_used,
            memory_order_acquire); /* pairs with np_ring_word: the word is there */
        *length = (size_t)(ref >> REF_AT_BITS & REF_LENGTH);
        at = ref & REF_AT_MASK;
        if (used <= NP_RING_DICTIONARY_BYTES && at <= used && *length <= used - at)
            return ring->dictionary + at;
    } else if (find_text(ring, ref, &at, length)) {
        return ring->texts + (at & (ring->text_bytes - 1));
    }
    *length = 0;
    return "";
}

bool np_text_ref_is_word(np_text_ref ref)
{
    return (ref & REF_WORD) != 0;
}

/* The end of the last text among the events before `to`, or the present tail: the newest event that
   has one decides, as texts are made in the order of their events. */
static uint64_t text_end_before(const np_ring *ring, uint64_t tail, uint64_t to)
{
    const uint64_t text_tail =
        atomic_load_explicit(&ring->shared->text_tail, memory_order_relaxed); /* only we write it */
    uint64_t end = text_tail;
    for (uint64_t position = to; position > tail && end == text_tail; position--) {
        const np_event *const event = &ring->slots[(position - 1) & (ring->slot_count - 1)];
        const unsigned texts = np_event_text_words(event->type);
        for (int i = 0; i < 5; i++) {
            uint64_t at;
            size_t length;
            if ((texts >> i & 1) == 0 || np_text_ref_is_word(event->word[i]) ||
                !find_text(ring, event->word[i], &at, &length))
                continue;
            if (at + length > end)
                end = at + length;
        }
    }
    return end;
}

void np_ring_release(np_ring *ring, uint64_t to)
{
    const uint64_t tail = np_ring_tail(ring);
    const uint64_t head = np_ring_head(ring);
    if (to <= tail || to > head)
        return;
    const uint64_t text_tail = text_end_before(ring, tail, to);
    atomic_store_explicit(
        &ring->shared->text_tail, text_tail,
        memory_order_release); /* pairs with np_ring_text: we have read the bytes */
    atomic_store_explicit(&ring->shared->tail, to,
                          memory_order_release); /* pairs with np_ring_push and np_ring_text: we
                                                    have read the slots */
}
