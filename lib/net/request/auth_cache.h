/*
 * What pre_authenticate remembers of a context's answered challenges, by origin, folder and user.
 * Floor 2; loop thread only.
 *
 * An entry is good for every URL below the folder of the one that was challenged (RFC 7617 section
 * 2.2; taken for Digest too, where a server could name more). At most 32: the one that was not used
 * for longest goes.
 */
#ifndef NP_NET_AUTH_CACHE_H
#define NP_NET_AUTH_CACHE_H

#include "auth_answer.h"
#include "url.h"

typedef struct np_auth_entry np_auth_entry;
typedef struct np_auth_cache {
    np_auth_entry *first; /* most recently used first */
} np_auth_cache;

typedef struct np_auth_place {
    const np_url *url;
    const char *user, *password;
} np_auth_place;

void np_auth_cache_done(np_auth_cache *cache); /* also of a zeroed one */

/* Borrowed until the next call; NULL: none. Answering it counts its nonce up. */
np_auth *np_auth_cache_find(np_auth_cache *cache, const np_auth_place *place);
/* Takes what `auth` holds and leaves it zeroed; what cannot be stored for want of memory is
 * forgotten. */
void np_auth_cache_put(np_auth_cache *cache, const np_auth_place *place, np_auth *auth);
void np_auth_cache_remove(np_auth_cache *cache, const np_auth_place *place);

#endif
