/*
 * The loop of a context: one thread, timers, watched descriptors, tasks from other threads. Floor
 * 2; the only file that knows libuv.
 *
 * Everything but np_loop_post, np_loop_is_current, np_loop_start and np_loop_stop runs on the loop
 * thread; before np_loop_start and after np_loop_stop, when there is no such thread, on the one
 * that owns the loop. Watches and timers are the loop's memory: after stop/cancel the pointer is
 * gone for the caller, the loop frees it when libuv lets go of it; what is left over goes with
 * np_loop_free.
 */
#ifndef NP_NET_LOOP_H
#define NP_NET_LOOP_H

#include <netphase/status.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct np_loop np_loop;
typedef struct np_loop_timer np_loop_timer;
typedef struct np_loop_watch np_loop_watch;

enum { NP_LOOP_READ = 1, NP_LOOP_WRITE = 2, NP_LOOP_ERROR = 4 /* ready only */ };

np_status np_loop_create(np_loop **out, np_error *err);
np_status np_loop_start(np_loop *loop, np_error *err); /* starts the thread */
void np_loop_stop(np_loop *loop); /* runs what was posted, ends the thread, joins it. Not from the
                                     loop. What is posted later never runs */
void np_loop_free(np_loop *loop); /* after stop; NULL allowed */
bool np_loop_is_current(const np_loop *loop); /* are we on its thread? */

/* A task is part of the thing it works on; it must stay valid until it ran. Posted tasks run in
 * order; one wake-up for many. Any thread. */
typedef struct np_loop_task {
    struct np_loop_task *next;
    void (*run)(struct np_loop_task *task);
} np_loop_task;
void np_loop_post(np_loop *loop, np_loop_task *task);

/* The stamp of this turn: read when the loop woke, and again before each further callback and task.
 * CLOCK_MONOTONIC. */
uint64_t np_loop_now(const np_loop *loop);

/* What the loop knows about what it was told in this turn. */
typedef struct np_loop_look {
    uint64_t before_ns; /* it looked at that moment, and none of it was ready */
    uint64_t asleep_ns; /* it was about to look again, or to sleep until something was ready */
    uint64_t woke_ns;   /* the first stamp of this turn */
    bool slept;         /* in between it slept, and was woken, or the look itself took long */
} np_loop_look;
/* One more clock reading a turn from here on, and np_loop_last_look() answers. Before
 * np_loop_start. */
void np_loop_note_looks(np_loop *loop);
np_loop_look np_loop_last_look(const np_loop *loop);

/* Fires once at or after `at_ns`, never before (millisecond steps). Every timer is cancelled
   exactly once, one that has fired as well (also from inside its own callback): that is what gives
   its memory back. */
typedef void (*np_loop_timer_fn)(uint64_t now_ns, void *user);
np_loop_timer *np_loop_timer_start(np_loop *loop, uint64_t at_ns, np_loop_timer_fn fn,
                                   void *user); /* NULL: no memory */
void np_loop_timer_cancel(
    np_loop_timer *timer); /* also of one that has fired, once; NULL allowed */

/* Level-triggered. `ready` is a set of NP_LOOP_*; ERROR comes whatever was asked for, together with
   what was asked for. With an interest of 0 the end of a connection (the peer's FIN included) is
   told once as ERROR. One watch a descriptor. stop, change and handler may be called from inside
   `fn`. */
typedef void (*np_loop_watch_fn)(int fd, unsigned ready, uint64_t now_ns, void *user);
np_loop_watch *np_loop_watch_start(np_loop *loop, int fd, unsigned interest, np_loop_watch_fn fn,
                                   void *user); /* NULL: no memory, or fd refused */
void np_loop_watch_change(np_loop_watch *watch,
                          unsigned interest); /* no system call when it is the same */
void np_loop_watch_handler(np_loop_watch *watch, np_loop_watch_fn fn,
                           void *user);        /* hands the watch to another owner */
void np_loop_watch_stop(np_loop_watch *watch); /* before the fd is closed; NULL allowed */

/* Called once a turn in which something ran, after its callbacks and tasks, before the loop sleeps.
   What it posts, and timers it starts that are due, run before the loop sleeps too, and the hook is
   called again after them. One hook. */
void np_loop_set_turn_end(np_loop *loop, void (*fn)(uint64_t now_ns, void *user), void *user);

#endif
