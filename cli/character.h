/*
 * Characters of UTF-8 and the cells that a terminal gives them. Widths are counted here and not by
 * wcwidth, so that a picture is the same in every locale and in tests; a test compares the two.
 * Pure; any thread.
 */
#ifndef CLI_CHARACTER_H
#define CLI_CHARACTER_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at *at (not the end of the string) and moves behind it; a byte that starts
 * none is returned as itself. */
uint32_t character_next(const char **at);
/* Encodes one; returns its bytes, 1 … 4, without the NUL. */
int character_put(uint32_t c, char out[5]);
/* 0 (combining marks), 1 or 2. */
int character_cells(uint32_t c);

#endif
