/*
 * See command.h. All signals are taken one after another by sigwaitinfo, so no code runs in a
 * handler. As a sub-reaper the lab inherits what CMD leaves behind, and can end it.
 */
#include "command.h"

#include "environment.h"
#include "message.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const int held[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static void held_set(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
        sigaddset(set, held[i]);
}

void command_hold_signals(void)
{
    sigset_t set;
    held_set(&set);
    /* An ignored SIGCHLD would make the kernel take the exit status away from us. */
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int take_signal(siginfo_t *info)
{
    sigset_t set;
    held_set(&set);
    int number;
    do {
        number = sigwaitinfo(&set, info);
    } while (number < 0 && errno == EINTR);
    return number;
}

/* In the child: back to the signals of an ordinary program, then CMD. */
static void execute(const struct call *call, const struct lab *lab, char **argv, int stdout_fd,
                    pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(COMMAND_LAB_BROKEN); /* the lab died before that took hold */
    sigset_t set;
    held_set(&set);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (stdout_fd != STDOUT_FILENO)
        (void)dup2(stdout_fd, STDOUT_FILENO);
    environment_apply(lab);
    execvp(argv[0], argv);
    int code = errno;
    message_error(call, "cannot run %s (%s)", argv[0], strerror(code));
    _exit(code == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE);
}

/* Reaps all that ended. Fills *status when `pid` was among them. */
static bool reap(pid_t pid, int *status)
{
    bool found = false;
    for (;;) {
        int ended;
        pid_t child = waitpid(-1, &ended, WNOHANG);
        if (child <= 0)
            return found;
        if (child == pid) {
            *status = ended;
            found = true;
        }
    }
}

/* Sends SIGKILL to every child but the servers. Returns how many there are. */
static int kill_children(pid_t servers)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    int count = 0;
    long pid;
    if (!file)
        return 0; /* a kernel without that file: what CMD left stays */
    while (fscanf(file, "%ld", &pid) == 1) {
        if (pid == servers)
            continue;
        (void)kill((pid_t)pid, SIGKILL);
        count++;
    }
    (void)fclose(file);
    return count;
}

/* Each round ends one generation; its children become ours and are the next. */
static void end_left_overs(pid_t servers)
{
    while (kill_children(servers) > 0) {
        siginfo_t info;
        int status;
        (void)take_signal(
            &info); /* a child that ended after the last reap has its SIGCHLD waiting */
        (void)reap(0, &status);
    }
}

static bool is_alive(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

int command_run(const struct call *call, const struct lab *lab, char **argv, int stdout_fd)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1UL);
    (void)fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        message_error(call, "no process for %s (%s)", argv[0], strerror(errno));
        return COMMAND_LAB_BROKEN;
    }
    if (pid == 0)
        execute(call, lab, argv, stdout_fd, parent);

    bool is_broken = false;
    int status = 0;
    for (bool has_ended = false; !has_ended;) {
        siginfo_t info;
        int number = take_signal(&info);
        if (number == SIGCHLD) {
            if (!is_broken && !is_alive(lab->servers.pid)) {
                is_broken = true;
                message_error(call, "the lab's servers ended unexpectedly");
                (void)kill(pid, SIGTERM);
            }
            has_ended = reap(pid, &status);
        } else if (info.si_code != SI_KERNEL) {
            /* A key on the terminal sends its signal to the whole group, CMD included. */
            (void)kill(pid, number);
        }
    }
    end_left_overs(lab->servers.pid);
    if (is_broken)
        return COMMAND_LAB_BROKEN;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int command_wait(const struct call *call, const struct lab *lab)
{
    for (;;) {
        siginfo_t info;
        int number = take_signal(&info);
        if (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT)
            return 0;
        if (number == SIGCHLD && !is_alive(lab->servers.pid)) {
            message_error(call, "the lab's servers ended unexpectedly");
            return COMMAND_LAB_BROKEN;
        }
    }
}
