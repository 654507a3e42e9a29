/*
 * The process that runs the lab's servers, so that the work of CMD delays them as little as
 * possible.
 *
 * It ends when it is told to, and also when whoever started it is gone for whatever reason; it then
 * removes the lab's folder, so that not even SIGKILL leaves one behind. Program netphase-lab.
 */
#ifndef LAB_SERVER_PROCESS_H
#define LAB_SERVER_PROCESS_H

#include "folder.h"
#include "serve_dns.h"
#include "serve_origin.h"

#include <netphase/status.h>
#include <sys/types.h>

struct server_process {
    pid_t pid;       /* 0: none */
    int lifeline_fd; /* as long as it is open, the servers run */
};

/*
 * Starts the process; the sockets of both configs are served when this returns (clients are queued
 * until then).
 *
 * folder  removed by the process at its end
 * returns NP_E_IO when there can be no process. The sockets stay open here in any case: the caller
 * closes its own.
 */
np_status server_process_start(const struct dns_config *dns, const struct origin_config *origin,
                               const struct folder *folder, struct server_process *out,
                               np_error *err);

/* Ends the process and waits for it. */
void server_process_stop(struct server_process *process);

#endif
