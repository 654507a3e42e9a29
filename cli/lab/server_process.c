/* See server_process.h. */
#include "server_process.h"

#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NICER = -10 };

/* What runs on the loop of the process. */
struct servers {
    uv_loop_t loop;
    uv_poll_t lifeline;
    uv_signal_t terminate;
    struct delay_timer *timer;
    struct dns_server *dns;
    struct origin_server *origin;
};

static void stop_servers(struct servers *servers)
{
    if (uv_is_closing((uv_handle_t *)&servers->lifeline))
        return;
    uv_close((uv_handle_t *)&servers->lifeline, NULL);
    uv_close((uv_handle_t *)&servers->terminate, NULL);
    dns_server_stop(servers->dns);
    origin_server_stop(servers->origin);
    delay_timer_close(servers->timer);
}

static void on_lifeline(uv_poll_t *lifeline, int status, int events)
{
    (void)status;
    (void)events; /* nobody writes to it: it is readable when its other end is closed */
    stop_servers(lifeline->data);
}

static void on_terminate(uv_signal_t *signal, int number)
{
    (void)number;
    stop_servers(signal->data);
}

/*
 * Where it is allowed, the load of CMD and of others should not show in our delays: a waking server
 * is run at once. Little work is done here, and a transfer waits for its reader, so nobody starves;
 * the kernel limits it besides.
 */
static void prefer_process(void)
{
    const struct sched_param lowest = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_RR, &lowest) != 0)
        (void)setpriority(PRIO_PROCESS, 0, NICER);
}

/* Lets go of what the parent's terminal and caller are for, and asks for prompt wake-ups. */
static void settle_process(void)
{
    (void)setsid(); /* Ctrl-C is for CMD and for the lab, which then ends us */
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd >= 0) {
        (void)dup2(null_fd, STDIN_FILENO);
        (void)dup2(null_fd, STDOUT_FILENO);
        (void)close(null_fd);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* besides the lifeline, which has no race */
    (void)prctl(PR_SET_TIMERSLACK, 1UL);    /* 50 µs otherwise */
    prefer_process();
}

/* Returns 0 or a libuv code, after everything has stopped again. */
static int run_servers(const struct dns_config *dns, const struct origin_config *origin,
                       int lifeline_fd)
{
    struct servers servers = {0};
    int code = uv_loop_init(&servers.loop);
    if (code != 0)
        return code;
    uv_signal_init(&servers.loop, &servers.terminate);
    servers.terminate.data = &servers;
    uv_poll_init(&servers.loop, &servers.lifeline, lifeline_fd);
    servers.lifeline.data = &servers;
    uv_poll_start(&servers.lifeline, UV_READABLE | UV_DISCONNECT, on_lifeline);
    uv_signal_start(&servers.terminate, on_terminate, SIGTERM);
    servers.timer = delay_timer_open(&servers.loop);
    code = servers.timer ? 0 : UV_ENOMEM;
    if (code == 0)
        code = dns_server_start(&servers.loop, servers.timer, dns, &servers.dns);
    if (code == 0)
        code = origin_server_start(&servers.loop, servers.timer, origin, &servers.origin);
    if (code != 0)
        stop_servers(&servers);
    uv_run(&servers.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&servers.loop);
    return code;
}

np_status server_process_start(const struct dns_config *dns, const struct origin_config *origin,
                               const struct folder *folder, struct server_process *out,
                               np_error *err)
{
    *out = (struct server_process){.lifeline_fd = -1};
    int lifeline[2];
    if (pipe2(lifeline, O_CLOEXEC) != 0)
        return lab_fail_os(err, NP_E_IO, errno, "no pipe to the lab's servers");
    (void)fflush(NULL); /* or the child would have our unwritten output too */
    pid_t pid = fork();
    if (pid < 0) {
        int code = errno;
        close(lifeline[0]);
        close(lifeline[1]);
        return lab_fail_os(err, NP_E_IO, code, "no process for the lab's servers");
    }
    if (pid == 0) {
        close(lifeline[1]);
        settle_process();
        int code = run_servers(dns, origin, lifeline[0]);
        if (code != 0)
            (void)fprintf(stderr, "netphase lab: the servers cannot run (%s)\n", uv_strerror(code));
        folder_remove(folder);
        _exit(code != 0);
    }
    close(lifeline[0]);
    out->pid = pid;
    out->lifeline_fd = lifeline[1];
    return NP_OK;
}

void server_process_stop(struct server_process *process)
{
    if (process->lifeline_fd >= 0)
        close(process->lifeline_fd);
    if (process->pid > 0)
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    *process = (struct server_process){.lifeline_fd = -1};
}
