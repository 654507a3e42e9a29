#include "nginx.h"

#include "test_ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_TRIES = 5, START_DEADLINE_MS = 10000 };

static const char config[] =
    "daemon off;\n%7$s\npid %1$s/pid;\nerror_log %1$s/error.log;\n"
    "events { worker_connections 4096; }\n"
    "http {\n"
    "  access_log off;\n"
    "  client_body_temp_path %1$s/t1; proxy_temp_path %1$s/t2; fastcgi_temp_path %1$s/t3;\n"
    "  uwsgi_temp_path %1$s/t4; scgi_temp_path %1$s/t5;\n"
    "  default_type text/plain; keepalive_requests 100000000; ssl_session_cache "
    "shared:netphase:1m;\n"
    "  %4$s\n"
    "  server { listen 127.0.0.1:%2$u backlog=4096; root %1$s/www;\n%5$s\n  }\n"
    "  server { listen 127.0.0.1:%3$u ssl backlog=4096; root %1$s/www;\n"
    "    ssl_certificate %1$s/cert.pem; ssl_certificate_key %1$s/key.pem; ssl_protocols TLSv1.2 "
    "TLSv1.3;\n%5$s\n  }\n"
    "  server { listen 127.0.0.1:%6$u ssl http2 backlog=4096; root %1$s/www;\n"
    "    ssl_certificate %1$s/cert.pem; ssl_certificate_key %1$s/key.pem; ssl_protocols TLSv1.2 "
    "TLSv1.3;\n%5$s\n  }\n"
    "}\n";

static const char small_file[] = "netphase shows where the time before the first byte goes\n\n\n";

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum { PORTS = 3 };

/* Ports that were free a moment ago. */
static bool find_ports(uint16_t port[PORTS])
{
    int fd[PORTS];
    bool good = true;
    for (int i = 0; i < PORTS; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        good = good && fd[i] >= 0 && bind(fd[i], (struct sockaddr *)&address, size) == 0 &&
               getsockname(fd[i], (struct sockaddr *)&address, &size) == 0;
        port[i] = ntohs(address.sin_port);
    }
    for (int i = 0; i < PORTS; i++)
        close(fd[i]);
    return good;
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

static bool write_config(const struct nginx *nginx, const struct nginx_options *options)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/nginx.conf", nginx->folder);
    FILE *out = fopen(path, "w");
    if (!out)
        return false;
    (void)fprintf(out, config, nginx->folder, nginx->http_port, nginx->https_port,
                  options->http ? options->http : "", options->locations ? options->locations : "",
                  nginx->h2_port,
                  options->reloads ? "master_process on; worker_processes 1; user root;"
                                   : "master_process off;");
    return fclose(out) == 0;
}

static pid_t spawn(const struct nginx *nginx)
{
    char prefix[160], file[160], log[160];
    (void)snprintf(prefix, sizeof prefix, "%s/", nginx->folder);
    (void)snprintf(file, sizeof file, "%s/nginx.conf", nginx->folder);
    (void)snprintf(log, sizeof log, "%s/error.log", nginx->folder);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    const char *program = getenv("NETPHASE_TEST_NGINX");
    execlp(program ? program : "nginx", "nginx", "-p", prefix, "-c", file, "-e", log, (char *)NULL);
    execl("/usr/sbin/nginx", "nginx", "-p", prefix, "-c", file, "-e", log, (char *)NULL);
    _exit(127);
}

/* nginx writes its number when it has all its ports. Until then whoever answers on one of them may
 * be somebody else who took it meanwhile, and will be gone. */
static bool has_its_ports(const struct nginx *nginx)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/pid", nginx->folder);
    return access(path, R_OK) == 0;
}

/* Waits until all ports answer; false when nginx has ended or the time is over. */
static bool wait_until_it_listens(struct nginx *nginx)
{
    const int64_t deadline_ms = now_ms() + START_DEADLINE_MS;
    int status = 0;
    while (now_ms() < deadline_ms) {
        if (waitpid(nginx->pid, &status, WNOHANG) == nginx->pid) {
            nginx->pid = 0;
            const bool missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
            (void)snprintf(nginx->why, sizeof nginx->why, "%s",
                           missing ? "nginx is missing" : "nginx ended at once");
            return false;
        }
        if (has_its_ports(nginx) && answers(nginx->http_port) && answers(nginx->https_port) &&
            answers(nginx->h2_port))
            return true;
        (void)poll(NULL, 0, 2);
    }
    (void)snprintf(nginx->why, sizeof nginx->why, "nginx did not listen within %d ms",
                   START_DEADLINE_MS);
    return false;
}

static bool make_folder(struct nginx *nginx, const struct nginx_options *options)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(nginx->folder, sizeof nginx->folder, "%s/netphase-nginx-XXXXXX",
                   base ? base : "/tmp");
    if (!mkdtemp(nginx->folder))
        return false;
    char www[160];
    (void)snprintf(www, sizeof www, "%s/www", nginx->folder);
    (void)snprintf(nginx->ca_file, sizeof nginx->ca_file, "%s/ca.pem", nginx->folder);
    return mkdir(www, 0700) == 0 &&
           nginx_add_file(nginx, "small", small_file, sizeof small_file - 1) &&
           test_ca_make(nginx->folder, options->names
                                           ? options->names
                                           : "DNS:origin.test,DNS:localhost,IP:127.0.0.1");
}

bool nginx_start(struct nginx *nginx, const struct nginx_options *options)
{
    *nginx = (struct nginx){0};
    if (!make_folder(nginx, options)) {
        (void)snprintf(nginx->why, sizeof nginx->why, "no folder for nginx: %s", strerror(errno));
        return false;
    }
    for (int i = 0; i < START_TRIES; i++) { /* somebody else may have taken the ports */
        uint16_t port[PORTS];
        if (!find_ports(port))
            break;
        nginx->http_port = port[0];
        nginx->https_port = port[1];
        nginx->h2_port = port[2];
        nginx->pid = write_config(nginx, options) ? spawn(nginx) : 0;
        if (nginx->pid > 0 && wait_until_it_listens(nginx))
            return true;
        if (strstr(nginx->why, "missing"))
            break;
    }
    nginx_stop(nginx);
    return false;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

void nginx_stop(struct nginx *nginx)
{
    if (nginx->pid > 0) {
        (void)kill(nginx->pid, SIGTERM);
        while (waitpid(nginx->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        nginx->pid = 0;
    }
    if (nginx->folder[0])
        (void)nftw(nginx->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    nginx->folder[0] = 0;
}

bool nginx_add_file(const struct nginx *nginx, const char *name, const void *data, size_t size)
{
    char path[320];
    (void)snprintf(path, sizeof path, "%s/www/%s", nginx->folder, name);
    FILE *out = fopen(path, "w");
    if (!out)
        return false;
    const bool written = fwrite(data, 1, size, out) == size;
    return fclose(out) == 0 && written;
}
