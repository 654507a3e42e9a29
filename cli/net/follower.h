/*
 * Follows the run that is being recorded through the trace itself: what it reports is safely in the
 * file. Reads new rows by key, on a connection of its own.
 */
#ifndef CLI_NET_FOLLOWER_H
#define CLI_NET_FOLLOWER_H

#include <netphase/store.h>
#include <stdint.h>

struct follower;

/* `progress_fd` < 0: none. NULL: the trace cannot be read, or no memory; then `err` says why. */
struct follower *follower_open(const char *path, int64_t run_id, int progress_fd, np_error *err);

/*
 * Reads what has come since the last call and writes a line "ID STATUS TOTAL_NS" for each to the
 * progress descriptor (STATUS 0: no response came). False: the descriptor cannot be written any
 * more; it is not tried again.
 */
bool follower_step(struct follower *follower);

uint64_t follower_stored(const struct follower *follower);
uint64_t follower_failed(const struct follower *follower);
/* Median of `setup` over the newest rows (at most 1,024), ns; -1 before the first. */
int64_t follower_setup_p50(const struct follower *follower);
void follower_close(struct follower *follower); /* NULL allowed */

#endif
