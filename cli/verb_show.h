/* The verb `show`. */
#ifndef CLI_VERB_SHOW_H
#define CLI_VERB_SHOW_H

#include "verb.h"

extern const struct verb verb_show;

#endif
