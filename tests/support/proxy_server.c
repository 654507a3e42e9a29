#include "proxy_server.h"

#include "test_ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_TRIES = 5, START_DEADLINE_MS = 15000, LOG_DEADLINE_MS = 10000 };

static const char *const programs[] = {[PROXY_TINYPROXY] = "tinyproxy",
                                       [PROXY_SQUID] = "squid",
                                       [PROXY_MICROSOCKS] = "microsocks",
                                       [PROXY_DANTE] = "danted"};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint16_t find_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
                      getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    close(fd);
    return good ? ntohs(address.sin_port) : 0;
}

static bool answers(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool connected =
        fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

/* --- where the programs are --- */

/* In PATH or /usr/sbin; else unpacked, then `root` is the folder that stands for /. */
static bool find_program(const char *name, char *out, size_t size, char *root, size_t root_size)
{
    const char *path = getenv("PATH");
    char places[4096];
    (void)snprintf(places, sizeof places, "%s:/usr/sbin:/usr/bin", path ? path : "");
    root[0] = 0;
    char *rest = places;
    for (const char *place; (place = strsep(&rest, ":"));) {
        (void)snprintf(out, size, "%s/%s", place, name);
        if (access(out, X_OK) == 0)
            return true;
    }
    (void)snprintf(root, root_size, "%s/build/tools", NP_SOURCE_DIR);
    (void)snprintf(out, size, "%s/usr/sbin/%s", root, name);
    return access(out, X_OK) == 0;
}

/* The libraries that were unpacked with it. */
static void set_library_path(const char *root)
{
    char pattern[512];
    glob_t found = {0};
    (void)snprintf(pattern, sizeof pattern, "%s/usr/lib/*-linux-gnu", root);
    if (root[0] && glob(pattern, 0, NULL, &found) == 0)
        (void)setenv("LD_LIBRARY_PATH", found.gl_pathv[0], 1);
    globfree(&found);
}

/* --- configurations --- */

static FILE *create(const struct proxy_server *proxy, const char *name)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/%s", proxy->folder, name);
    return fopen(path, "w");
}

static bool write_file(const struct proxy_server *proxy, const char *name, const char *format, ...)
{
    FILE *out = create(proxy, name);
    if (!out)
        return false;
    va_list arguments;
    va_start(arguments, format);
    const bool good = vfprintf(out, format, arguments) >= 0;
    va_end(arguments);
    return fclose(out) == 0 && good;
}

static bool configure_tinyproxy(struct proxy_server *proxy, const struct proxy_options *options)
{
    return write_file(proxy, "conf",
                      "Port %u\nListen 127.0.0.1\nTimeout 600\nLogFile \"%s/log\"\n"
                      "LogLevel Connect\nMaxClients 100\nDisableViaHeader Yes\n%s\n%s\n",
                      proxy->port, proxy->folder,
                      options->auth ? "BasicAuth " PROXY_USER " " PROXY_PASSWORD : "",
                      options->more ? options->more : "");
}

static const char squid_common[] =
    "http_port 127.0.0.1:%1$u\n"
    "https_port 127.0.0.1:%2$u tls-cert=%3$s/cert.pem tls-key=%3$s/key.pem\n"
    "error_directory %4$s/usr/share/squid/errors/templates\n"
    "icon_directory %4$s/usr/share/squid/icons\n"
    "mime_table %4$s/usr/share/squid/mime.conf\n"
    "pid_filename %3$s/pid\naccess_log stdio:%3$s/log\ncache_log %3$s/cache.log\n"
    "coredump_dir %3$s\nhosts_file %3$s/hosts\ndns_nameservers 127.0.0.1\n"
    "cache deny all\npinger_enable off\nshutdown_lifetime 0 seconds\nmax_filedescriptors 1024\n"
    "unlinkd_program %4$s/usr/lib/squid/unlinkd\nlogfile_daemon "
    "%4$s/usr/lib/squid/log_file_daemon\n"
    "memory_cache_shared off\nbuffered_logs off\nvisible_hostname proxy.test\n"
    "cache_effective_user %5$s\n";

static const char squid_basic[] = "auth_param basic program /bin/sh %1$s/check\n"
                                  "auth_param basic children 1\nauth_param basic realm netphase\n";
static const char squid_digest[] = "auth_param digest program %2$s/usr/lib/squid/digest_file_auth "
                                   "%1$s/users\nauth_param digest children 1\n"
                                   "auth_param digest realm netphase\n";
static const char squid_check[] =
    "while read -r user password; do\n"
    "  if [ \"$user $password\" = '" PROXY_USER " " PROXY_PASSWORD "' ]; then echo OK; "
    "else echo ERR; fi\ndone\n";

static int give_to_nobody(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    const struct passwd *nobody = getpwnam("nobody");
    return nobody && lchown(path, nobody->pw_uid, nobody->pw_gid) == 0 ? 0 : -1;
}

/* Squid will not be root. */
static bool configure_squid(struct proxy_server *proxy, const struct proxy_options *options,
                            const char *root)
{
    const bool is_root = geteuid() == 0;
    const struct passwd *user = is_root ? getpwnam("nobody") : getpwuid(geteuid());
    FILE *out = create(proxy, "conf");
    if (!out)
        return false;
    (void)fprintf(out, squid_common, proxy->port, proxy->tls_port, proxy->folder, root,
                  user ? user->pw_name : "proxy");
    if (options->auth)
        (void)fprintf(out, options->auth == PROXY_DIGEST ? squid_digest : squid_basic,
                      proxy->folder, root);
    (void)fprintf(out, "%s\n", options->more ? options->more : "");
    if (options->auth)
        (void)fputs("acl known proxy_auth REQUIRED\nhttp_access deny !known\n", out);
    (void)fputs("http_access allow all\n", out);
    return fclose(out) == 0 && write_file(proxy, "check", "%s", squid_check) &&
           write_file(proxy, "users", "%s:%s\n", PROXY_USER, PROXY_PASSWORD) &&
           write_file(proxy, "hosts", "127.0.0.1 origin.test other.test localhost\n") &&
           test_ca_make(proxy->folder, "DNS:proxy.test,DNS:localhost,IP:127.0.0.1") &&
           (!is_root || nftw(proxy->folder, give_to_nobody, 8, FTW_PHYS) == 0);
}

static bool configure_dante(struct proxy_server *proxy, const struct proxy_options *options)
{
    const struct passwd *user = getpwuid(geteuid());
    return write_file(proxy, "conf",
                      "logoutput: %s/log\ninternal: 127.0.0.1 port = %u\nexternal: 127.0.0.1\n"
                      "clientmethod: none\nsocksmethod: none\nuser.privileged: %s\n"
                      "user.unprivileged: %s\n%s\n"
                      "client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
                      "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 log: connect disconnect error "
                      "}\n",
                      proxy->folder, proxy->port, user ? user->pw_name : "proxy",
                      user ? user->pw_name : "proxy", options->more ? options->more : "");
}

static bool configure(struct proxy_server *proxy, const struct proxy_options *options,
                      const char *root)
{
    switch (options->kind) {
    case PROXY_TINYPROXY:
        return configure_tinyproxy(proxy, options);
    case PROXY_SQUID:
        return configure_squid(proxy, options, root);
    case PROXY_DANTE:
        return configure_dante(proxy, options);
    case PROXY_MICROSOCKS:
        return true; /* all on its command line */
    }
    return false;
}

/* --- running --- */

static void run(const struct proxy_server *proxy, const struct proxy_options *options,
                const char *program)
{
    char file[192], port[8], pid_file[192];
    (void)snprintf(file, sizeof file, "%s/conf", proxy->folder);
    (void)snprintf(pid_file, sizeof pid_file, "%s/pid", proxy->folder);
    (void)snprintf(port, sizeof port, "%u", proxy->port);
    switch (options->kind) {
    case PROXY_TINYPROXY:
        execl(program, "tinyproxy", "-d", "-c", file, (char *)NULL);
        break;
    case PROXY_SQUID: /* each with a name of its own for its shared memory */
        (void)snprintf(pid_file, sizeof pid_file, "netphase%u", proxy->port);
        execl(program, "squid", "-N", "-n", pid_file, "-f", file, (char *)NULL);
        break;
    case PROXY_DANTE:
        execl(program, "danted", "-f", file, "-p", pid_file, (char *)NULL);
        break;
    case PROXY_MICROSOCKS:
        if (options->auth)
            execl(program, "microsocks", "-i", "127.0.0.1", "-p", port, "-u", PROXY_USER, "-P",
                  PROXY_PASSWORD, (char *)NULL);
        else
            execl(program, "microsocks", "-i", "127.0.0.1", "-p", port, (char *)NULL);
        break;
    }
}

/* What a killed squid leaves. */
static void remove_shared_memory(uint16_t port)
{
    char pattern[64];
    glob_t found = {0};
    (void)snprintf(pattern, sizeof pattern, "/dev/shm/netphase%u-*", port);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)unlink(found.gl_pathv[i]);
    globfree(&found);
}

/* Until the program ends, or whoever holds the other end of `alive`: then its whole group goes. (A
 * signal at the parent's death does not do: squid changes its user, and the kernel forgets it.) */
static int supervise(const struct proxy_server *proxy, pid_t program, int alive)
{
    int status = 0;
    struct pollfd gone = {.fd = alive, .events = POLLIN};
    while (waitpid(program, &status, WNOHANG) == 0) {
        if (poll(&gone, 1, 20) <= 0)
            continue;
        (void)kill(program, SIGKILL);
        if (proxy->kind == PROXY_SQUID)
            remove_shared_memory(proxy->port);
        (void)kill(0, SIGKILL); /* us, too */
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

static pid_t spawn(struct proxy_server *proxy, const struct proxy_options *options,
                   const char *program, const char *root)
{
    char log[192];
    int alive[2];
    (void)snprintf(log, sizeof log, "%s/output", proxy->folder);
    if (pipe2(alive, O_CLOEXEC) != 0)
        return -1;
    const pid_t pid = fork();
    if (pid != 0) {
        close(alive[0]);
        proxy->alive = alive[1];
        return pid;
    }
    close(alive[1]);
    (void)setpgid(0, 0); /* some fork: all of them are stopped together */
    const pid_t child = fork();
    if (child > 0)
        _exit(supervise(proxy, child, alive[0]));
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    set_library_path(root);
    run(proxy, options, program);
    _exit(127);
}

static bool wait_until_it_listens(struct proxy_server *proxy)
{
    const int64_t deadline_ms = now_ms() + START_DEADLINE_MS;
    int status = 0;
    while (now_ms() < deadline_ms) {
        if (waitpid(proxy->pid, &status, WNOHANG) == proxy->pid) {
            proxy->pid = 0;
            (void)snprintf(proxy->why, sizeof proxy->why, "%s ended at once (%d)",
                           programs[proxy->kind], status);
            return false;
        }
        if (answers(proxy->port) && (!proxy->tls_port || answers(proxy->tls_port)))
            return true;
        (void)poll(NULL, 0, 2);
    }
    (void)snprintf(proxy->why, sizeof proxy->why, "%s did not listen within %d ms",
                   programs[proxy->kind], START_DEADLINE_MS);
    return false;
}

static void stop_process(struct proxy_server *proxy)
{
    if (proxy->pid > 0) {
        (void)kill(-proxy->pid, SIGKILL); /* its own group: squid and dante have children */
        (void)kill(proxy->pid, SIGKILL);
        while (waitpid(proxy->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (proxy->alive > 0)
        close(proxy->alive);
    proxy->pid = proxy->alive = 0;
    if (proxy->kind == PROXY_SQUID)
        remove_shared_memory(proxy->port);
}

static bool make_folder(struct proxy_server *proxy)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(proxy->folder, sizeof proxy->folder, "%s/netphase-proxy-XXXXXX",
                   base ? base : "/tmp");
    (void)snprintf(proxy->why, sizeof proxy->why, "no folder for a proxy");
    if (!mkdtemp(proxy->folder))
        return false;
    (void)snprintf(proxy->ca_file, sizeof proxy->ca_file, "%s/ca.pem", proxy->folder);
    return true;
}

bool proxy_server_start(struct proxy_server *proxy, const struct proxy_options *options)
{
    char program[512], root[512];
    *proxy = (struct proxy_server){.kind = options->kind};
    if (!find_program(programs[options->kind], program, sizeof program, root, sizeof root)) {
        (void)snprintf(proxy->why, sizeof proxy->why, "%s is missing (tools/setup --tests)",
                       programs[options->kind]);
        return false;
    }
    if (!make_folder(proxy))
        return false;
    for (int i = 0; i < START_TRIES; i++) { /* somebody else may have taken the port */
        proxy->port = find_port();
        proxy->tls_port = options->kind == PROXY_SQUID ? find_port() : 0;
        if (!configure(proxy, options, root))
            break;
        proxy->pid = spawn(proxy, options, program, root);
        if (proxy->pid > 0 && wait_until_it_listens(proxy))
            return true;
        stop_process(proxy);
    }
    proxy_server_stop(proxy);
    return false;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

void proxy_server_stop(struct proxy_server *proxy)
{
    stop_process(proxy);
    if (proxy->folder[0])
        (void)nftw(proxy->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    proxy->folder[0] = 0;
}

/* --- its log --- */

static int count_lines(const char *path, const char *words)
{
    FILE *in = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    int count = 0;
    while (in && getline(&line, &size, in) >= 0)
        count += strstr(line, words) != NULL;
    free(line);
    if (in)
        (void)fclose(in);
    return count;
}

int proxy_server_logged(const struct proxy_server *proxy, const char *words, int least)
{
    char path[192];
    (void)snprintf(path, sizeof path, "%s/log", proxy->folder);
    const int64_t deadline_ms = now_ms() + LOG_DEADLINE_MS;
    int count = count_lines(path, words);
    while (count < least && now_ms() < deadline_ms) {
        (void)poll(NULL, 0, 2);
        count = count_lines(path, words);
    }
    return count;
}
