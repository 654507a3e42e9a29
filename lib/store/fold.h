/*
 * Events of a ring into an np_assembly, one at a time. Floor 2; one thread at a time; no SQL.
 */
#ifndef NP_STORE_FOLD_H
#define NP_STORE_FOLD_H

#include "assemble.h"

/* Takes one event in. `texts` NULL: its texts are references into the ring. */
void np_assembly_add(np_assembly *assembly, const np_event *event, uint64_t position,
                     const np_inline_texts *texts);

/* Ends what is unfinished: requests become interrupted at `end_ns`. */
void np_assembly_interrupt(np_assembly *assembly, uint64_t end_ns, uint32_t flags);

#endif
