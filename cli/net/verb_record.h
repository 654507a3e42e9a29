/* netphase record: sends requests and traces them. */
#ifndef CLI_NET_VERB_RECORD_H
#define CLI_NET_VERB_RECORD_H

#include "verb.h"

extern const struct verb verb_record;

#endif
