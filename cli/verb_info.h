/* The verb `info`. */
#ifndef CLI_VERB_INFO_H
#define CLI_VERB_INFO_H

#include "verb.h"
#include <netphase/store.h>

extern const struct verb verb_info;

/* What a trace holds, for people and as the document netphase.info/1. Pure. */
void info_table(const np_store_info *info, bool is_checked, const struct look *look,
                struct text *out);
void info_json(const np_store_info *info, bool is_checked, struct text *out);

#endif
