/* A URI reference, as a Location field has it, made absolute against the URL it came from (RFC 3986
 * section 5). Floor 2; pure, any thread. */
#ifndef NP_NET_URL_RESOLVE_H
#define NP_NET_URL_RESOLVE_H

#include "url.h"

#include <stddef.h>

/*
 * `reference` is reference[length], blanks around it are dropped. `out` is owned: release with
 * np_url_done; zeroed on failure. NP_E_ARGUMENT for what is no reference, NP_E_NOT_SUPPORTED for
 * another scheme than http and https; the texts never repeat user info.
 */
np_status np_url_resolve(const np_url *base, const char *reference, size_t length, np_url *out,
                         np_error *err);

/* Same scheme, host and port: what credentials are good for (RFC 6454 section 5). */
bool np_url_same_origin(const np_url *a, const np_url *b);

#endif
