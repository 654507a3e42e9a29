/* The verb `help`, in every program. */
#ifndef CLI_VERB_HELP_H
#define CLI_VERB_HELP_H

#include "verb.h"

extern const struct verb verb_help;

#endif
