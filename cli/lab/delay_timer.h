/*
 * Deadlines for servers that are as slow as told.
 *
 * libuv's timers have steps of 1 ms; a delay of the lab has to be right to a few hundredths of
 * that. So all delays of a server process wait in one binary heap behind one timerfd (absolute,
 * CLOCK_MONOTONIC). Where there is more than one core the descriptor is set a little early and the
 * rest is spun away, because a wake-up by the kernel comes some tens of microseconds late.
 *
 * A `struct delay` lives inside what it delays and is never allocated here. Program netphase-lab;
 * one loop, one thread.
 */
#ifndef LAB_DELAY_TIMER_H
#define LAB_DELAY_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct delay;

/* Called at or after the deadline, on the loop's thread. The delay is no longer armed: it may be
 * armed anew or freed. */
typedef void (*delay_fire_fn)(struct delay *delay);

struct delay {
    uint64_t due_ns; /* CLOCK_MONOTONIC */
    size_t place;    /* 1 + index in the heap; 0: not armed */
    delay_fire_fn fire;
    void *user; /* for `fire` */
};

struct delay_timer;

/* The clock of all deadlines: CLOCK_MONOTONIC in ns. */
uint64_t delay_clock_ns(void);

/* Returns NULL with errno set when there is no timerfd or no memory. The loop must outlive the
 * timer. */
struct delay_timer *delay_timer_open(uv_loop_t *loop);

/* Stops the timer; its memory goes when the loop has run once more. Armed delays are forgotten.
 * NULL is allowed. */
void delay_timer_close(struct delay_timer *timer);

/* Arms `delay` for `due_ns`; one that is armed already is moved. `fire` and `user` must be set.
 * Returns false without memory. */
bool delay_arm(struct delay_timer *timer, struct delay *delay, uint64_t due_ns);

/* Forgets a deadline; one that is not armed is left alone. */
void delay_disarm(struct delay_timer *timer, struct delay *delay);

#endif
