/* The verbs of netphase-lab. */
#ifndef LAB_VERB_LAB_H
#define LAB_VERB_LAB_H

#include "verb.h"

extern const struct verb verb_lab;
extern const struct verb verb_demo;

#endif
