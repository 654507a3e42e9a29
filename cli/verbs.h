/* The verbs of netphase, in the order of the overview. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "verb.h"

extern const struct verb *const verbs[]; /* ends with NULL */

#endif
