/* The one multi handle of an engine, driven by the loop. Floor 2; loop thread only. */
#ifndef NP_NET_MULTI_H
#define NP_NET_MULTI_H

#include "engine_types.h"

np_status np_multi_create(np_engine *engine, np_error *err);
void np_multi_free(np_engine *engine); /* no handle may be in it */

/* Adds a handle and lets libcurl take its first steps at once. */
CURLMcode np_multi_add(np_engine *engine, np_easy *easy);
void np_multi_remove(np_engine *engine, np_easy *easy);
/* Calls libcurl as long as it wants to be called without waiting. */
void np_multi_drive(np_engine *engine);
/* Before the loop sleeps: a timer of the loop for the time libcurl wants to be called at. */
void np_multi_arm(np_engine *engine);

#endif
