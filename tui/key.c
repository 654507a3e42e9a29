/* Keys and their names; see key.h. */
#include "key.h"
#include "character.h"
#include <stdlib.h>
#include <string.h>

struct named_key {
    const char *name;
    int key;
};

static const struct named_key named[] = {
    {"Enter",  KEY_CODE_ENTER    },
    {"Tab",    KEY_CODE_TAB      },
    {"Esc",    KEY_CODE_ESCAPE   },
    {"BackSp", KEY_CODE_BACKSPACE},
    {"Space",  ' '               },
    {"Up",     KEY_CODE_UP       },
    {"Down",   KEY_CODE_DOWN     },
    {"Left",   KEY_CODE_LEFT     },
    {"Right",  KEY_CODE_RIGHT    },
    {"Home",   KEY_CODE_HOME     },
    {"End",    KEY_CODE_END      },
    {"PgUp",   KEY_CODE_PAGE_UP  },
    {"PgDn",   KEY_CODE_PAGE_DOWN},
    {"Del",    KEY_CODE_DELETE   },
    {"S-Tab",  KEY_CODE_BACK_TAB },
};

enum { NAMED = sizeof named / sizeof named[0] };

static int key_of(const char *name, size_t length)
{
    for (size_t i = 0; i < NAMED; i++)
        if (strlen(named[i].name) == length && strncmp(named[i].name, name, length) == 0)
            return named[i].key;
    if (length == 3 && strncmp(name, "C-", 2) == 0 && name[2] >= 'a' && name[2] <= 'z')
        return name[2] - 'a' + 1;
    if (length >= 2 && name[0] == 'F') {
        const long number = strtol(name + 1, NULL, 10);
        if (number >= 1 && number <= 12)
            return KEY_CODE_F1 + (int)number - 1;
    }
    const char *behind = name;
    const uint32_t c = character_next(&behind);
    return (size_t)(behind - name) == length ? (int)c : -1;
}

int key_next(const char **at)
{
    *at += strspn(*at, " ");
    const size_t length = strcspn(*at, " ");
    if (length == 0)
        return 0;
    const int key = key_of(*at, length);
    *at += length;
    return key;
}

void key_put(int key, struct text *out)
{
    for (size_t i = 0; i < NAMED; i++) {
        if (named[i].key == key) {
            text_puts(out, named[i].name);
            return;
        }
    }
    char bytes[5];
    if (key >= KEY_CODE_F1 && key <= KEY_CODE_F12)
        text_print(out, "F%d", key - KEY_CODE_F1 + 1);
    else if (key >= 1 && key <= 26)
        text_print(out, "C-%c", 'a' + key - 1);
    else
        text_add(out, bytes, (size_t)character_put((uint32_t)key, bytes));
}
