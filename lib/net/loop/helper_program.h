/*
 * Where the small programs are that the library executes. Floor 2; any thread.
 */
#ifndef NP_NET_HELPER_PROGRAM_H
#define NP_NET_HELPER_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

/* Finds a program: in $NETPHASE_EXEC_PATH alone where that is set; else beside the running program,
 * in ../libexec/netphase from there, or where this library was built to be installed. */
bool np_helper_find(const char *name, char path[PATH_MAX]);

#endif
