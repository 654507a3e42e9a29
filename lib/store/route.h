/* The route of a path: what requests of one kind have in common. Floor 2; pure, any thread. */
#ifndef NP_STORE_ROUTE_H
#define NP_STORE_ROUTE_H

#include <stddef.h>

/* Writes the route of path[length] to out[size], never NUL-terminated: the path without query and
   fragment, in which segments that are numbers, UUIDs or hex words of 16 digits and more are "{}"
   ("/items/42/x?y=1" -> "/items/{}/x"). Returns its length; what does not fit is cut. */
size_t np_route(const char *path, size_t length, char *out, size_t size);

#endif
