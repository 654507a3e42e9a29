/* What the programs end with. */
#ifndef CLI_EXIT_STATUS_H
#define CLI_EXIT_STATUS_H

/* What the programs end with (docs: the table of exit statuses). */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_GATE = 1,  /* a gate fails, or `record --fail` and a request failed                    */
    EXIT_USAGE = 2, /* wrong usage or configuration                                             */
    EXIT_UNDECIDED = 3,  /* --strict, and the data cannot decide  */
    EXIT_UNREADABLE = 4, /* an input could not be read; also: out of memory */
    EXIT_UNWRITABLE = 5, /* an output could not be written */
    EXIT_INTERRUPTED = 130
};

#endif
