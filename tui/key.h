/* Keys: what a terminal sends, as numbers, and their names in tables and help. Pure. */
#ifndef TUI_KEY_H
#define TUI_KEY_H

#include "text.h"
#include <stdint.h>

/* A character is itself (Unicode); Ctrl and a letter is 1 … 26; what has no character: */
enum key {
    KEY_CODE_ENTER = 13,
    KEY_CODE_TAB = 9,
    KEY_CODE_ESCAPE = 27,
    KEY_CODE_BACKSPACE = 127,
    KEY_CODE_UP = 0x200000, /* beyond Unicode */
    KEY_CODE_DOWN,
    KEY_CODE_LEFT,
    KEY_CODE_RIGHT,
    KEY_CODE_HOME,
    KEY_CODE_END,
    KEY_CODE_PAGE_UP,
    KEY_CODE_PAGE_DOWN,
    KEY_CODE_DELETE,
    KEY_CODE_BACK_TAB,
    KEY_CODE_F1, /* … F12 follow one another */
    KEY_CODE_F12 = KEY_CODE_F1 + 11
};

/* The next of a list of names separated by blanks ("j Down C-n Space"): its key; 0 at the end.
 * -1: a name that is none. */
int key_next(const char **at);
/* The name of a key, as key_next reads it. */
void key_put(int key, struct text *out);

#endif
