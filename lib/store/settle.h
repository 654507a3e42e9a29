/*
 * Around a transaction: what pins the ring too long is marked to be written as it is, what was
 * written is given back, and after a rollback all stays as it was. Floor 2; one thread at a time;
 * no SQL.
 */
#ifndef NP_STORE_SETTLE_H
#define NP_STORE_SETTLE_H

#include "assemble.h"

#define NP_SPILL_AFTER_NS (1000 * (uint64_t)1000000)

/* Marks for spilling what pins a position before `limit`, or is older than NP_SPILL_AFTER_NS, and
 * packs its events up to `read`. */
void np_assembly_spill(np_assembly *assembly, uint64_t now_ns, uint64_t limit, uint64_t read);

void np_assembly_committed(np_assembly *assembly);   /* what was ready is stored */
void np_assembly_rolled_back(np_assembly *assembly); /* … is not: it stays ready */

#endif
