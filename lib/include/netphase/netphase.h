/**
 * Everything: reading and recording traces (libnetphase-trace) and sending requests (libnetphase).
 */
#ifndef NETPHASE_H
#define NETPHASE_H

#include <netphase/context.h>
#include <netphase/list.h>
#include <netphase/phase.h>
#include <netphase/proxy.h>
#include <netphase/report.h>
#include <netphase/request.h>
#include <netphase/status.h>
#include <netphase/store.h>
#include <netphase/text.h>
#include <netphase/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Returns the version of the library, "0.1.0"; static text. Any thread. */
NP_API const char *np_version(void);

#ifdef __cplusplus
}
#endif
#endif
