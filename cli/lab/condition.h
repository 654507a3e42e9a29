/* Conditions as options: what the lab understands, and what loopback mode has to refuse. Program
 * netphase-lab. */
#ifndef LAB_CONDITION_H
#define LAB_CONDITION_H

#include "lab.h"
#include "option.h"
#include "verb.h"

enum { REFUSED_CONDITIONS = 18 };

struct lab_args {
    struct lab_conditions conditions;
    int mode; /* enum lab_mode */
    bool print_truth;
    struct option_list
        refused[REFUSED_CONDITIONS]; /* given conditions that need a network of their own */
};

enum lab_mode { LAB_MODE_AUTO, LAB_MODE_LOOPBACK, LAB_MODE_NAMESPACES };

extern const struct verb_option condition_options[]; /* over struct lab_args */
extern const struct lab_args condition_defaults;

/* Refuses what cannot be kept. Returns 0, or an exit status after saying which condition it is. */
int conditions_check(const struct call *call, const struct lab_args *args);

#endif
