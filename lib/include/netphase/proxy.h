/**
 * Which proxy a request goes through, and why.
 *
 * An np_proxy says what a program wants: proxies in order, the hosts that are to be reached
 * directly, or a function that is asked. It is immutable once made and may be used by any number of
 * requests and contexts at once.
 */
#ifndef NETPHASE_PROXY_H
#define NETPHASE_PROXY_H

#include <netphase/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct np_proxy_settings np_proxy;

#ifdef __cplusplus
}
#endif
#endif
