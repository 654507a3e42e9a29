/*
 * Texts of events to the ids of their rows. Floor 2; one thread, one connection.
 *
 * A word of a ring always means the same text, so its ids are remembered with its reference (in the
 * assembly) and a warm request costs no hash of any text. What was remembered is void when
 * np_texts_epoch moves.
 */
#ifndef NP_STORE_WORDS_H
#define NP_STORE_WORDS_H

#include "assemble.h"
#include "texts.h"

np_status np_words_text(np_texts *texts, np_assembly *assembly, np_held held, int64_t *id,
                        np_error *err);
np_status np_words_path(np_texts *texts, np_assembly *assembly, np_held path, int64_t *id,
                        int64_t *route, np_error *err); /* a path, and the route it is on */
np_status np_words_origin(np_texts *texts, np_assembly *assembly, np_held origin, int64_t *id,
                          np_error *err);

#endif
