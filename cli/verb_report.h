/* The verb `report`. */
#ifndef CLI_VERB_REPORT_H
#define CLI_VERB_REPORT_H

#include "verb.h"

extern const struct verb verb_report;

#endif
