/* Lists with a window of another size than the usual one: what tests look at its edges with.
 * Floor 2. Public: <netphase/list.h>. */
#ifndef NP_STORE_REQUEST_LIST_H
#define NP_STORE_REQUEST_LIST_H

#include <netphase/list.h>

/* As np_list_open; window_side: rows that are kept on each side of the place one is at. It bounds
 * np_list_query.limit + 2. */
np_status np_list_open_with(np_store *store, const np_list_options *options, uint32_t window_side,
                            np_list **out, np_error *err);

#endif
