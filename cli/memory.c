/* Memory for programs: no memory ends the program. */
#include "memory.h"
#include "exit_status.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_stop(void *memory)
{
    if (!memory) {
        (void)fputs("netphase: out of memory\n",
                    stderr); /* nothing is left to do when this fails too */
        exit(EXIT_UNREADABLE);
    }
    return memory;
}

void *xcalloc(size_t count, size_t size)
{
    return or_stop(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *memory, size_t count, size_t size)
{
    return or_stop(reallocarray(memory, count ? count : 1, size));
}

char *xstrndup(const char *text, size_t length)
{
    char *copy = xcalloc(length + 1, 1);
    memcpy(copy, text, length);
    return copy;
}
