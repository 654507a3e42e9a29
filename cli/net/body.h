/*
 * What requests send: nothing, a text from the command line, a file, standard input. Made once,
 * read by many requests at the same time: a reader is a position, and a file is read from there.
 */
#ifndef CLI_NET_BODY_H
#define CLI_NET_BODY_H

#include "verb.h"
#include <stdint.h>
#include <sys/types.h>

enum body_kind {
    BODY_NONE,
    BODY_MEMORY, /* -d: all of it is in memory */
    BODY_FILE,   /* -T FILE: read piece by piece */
    BODY_STREAM  /* -T - and what is no regular file: it comes once, and nobody knows how much */
};

struct body {
    enum body_kind kind;
    char *data; /* BODY_MEMORY: data[length], owned */
    int fd;     /* BODY_FILE, BODY_STREAM */
    bool owns_fd;
    int64_t length;   /* -1: not known */
    const char *name; /* of the file; borrowed */
};

/* How options name it; both NULL or empty: no body. */
struct body_options {
    const struct option_list *data; /* -d, joined by '&' */
    const char *upload;             /* -T */
};

/* Is standard input read for it? */
bool body_reads_input(const struct body_options *options);

/* Returns an exit status; a mistake has been told. */
int body_take(struct body *body, const struct call *call, const struct body_options *options);
void body_done(struct body *body);

/*
 * Reads up to `capacity` bytes at *at and moves it. 0: the end; -1: errno says why, ECANCELED: the
 * flag at `stop` was set while nothing came. BODY_MEMORY is not read: it lies there.
 */
ssize_t body_read(const struct body *body, int64_t *at, void *buffer, size_t capacity,
                  const _Atomic bool *stop);

/* The URL with the file's name behind it where it ends in a folder, as curl does with -T; owned. */
char *body_url(const struct body *body, const char *url);

#endif
