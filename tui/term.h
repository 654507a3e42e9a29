/*
 * The terminal: the only module that knows curses. Keys, mouse and signals in, cells out; whatever
 * ends the program, the terminal is as it was before. One at a time in a process; one thread.
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "cells.h"
#include "msg.h"
#include <netphase/status.h>

struct term;

/* colors: what the look allows. NP_E_NOT_SUPPORTED: this is no terminal that can do it; `err` says
 * why. */
np_status term_open(int colors, struct term **out, np_error *err);
void term_close(struct term *term);
int term_colors(const struct term *term); /* 0, 8, 256: what it can do of that */
void term_size(const struct term *term, int *columns, int *rows);
/* To poll for input … */
int term_descriptor(const struct term *term);
/* … and for signals. */
int term_signal_descriptor(const struct term *term);
/* The next key, click, change of size; false: there is none now. */
bool term_read(struct term *term, struct msg *out);
/* A signal asked for the end: its number; 0: none did. */
int term_end_signal(const struct term *term);
/* Whether the input is gone: the window was closed. */
bool term_is_gone(const struct term *term);
void term_draw(struct term *term, const struct cells *cells);
/* The next frame is drawn in full. */
void term_redraw(struct term *term);
/* Stops the program until the shell continues it. */
void term_suspend(struct term *term);
/* To the clipboard, where the terminal lets programs do that (OSC 52). */
void term_copy(struct term *term, const char *text);

#endif
