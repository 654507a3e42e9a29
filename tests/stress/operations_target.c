/* See operations_target.h. */
#include "operations_target.h"
#include "dns_server.h"
#include "folder.h"
#include "raw_server.h"
#include "scripted_server.h"
#include "test_ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK "send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\"; "
#define NO "send \"HTTP/1.1 404 Not Found\\r\\nContent-Length: 2\\r\\n\\r\\nno\"; "
#define WHO                                                                                        \
    "send \"HTTP/1.1 401 Who\\r\\nWWW-Authenticate: Basic realm=a\\r\\nContent-Length: "           \
    "2\\r\\n\\r\\nno\"; "
#define LINE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { NOBODY = 0, SILENT_NAME = 1, NO_CONNECTION = 2, TLS = 3 };

/* clang-format off */
static const struct target targets[] = {
    /* the first four have no script of the table */
    [NOBODY] = {"nobody listens", NULL, 2},
    [SILENT_NAME] = {"a name that nobody answers for", NULL, 3},
    [NO_CONNECTION] = {"a connect that does not end", NULL, 3},
    [TLS] = {"answers over TLS, twice", NULL, 4},

    {"answers", "head; payload; " OK "again", 20},
    {"answers with 404", "head; payload; " NO "again", 6},
    {"answers without a body", "head; payload; send \"HTTP/1.1 204 No Content\\r\\n\\r\\n\"; again",
     4},
    {"answers with much", "head; payload; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 320000\\r\\n"
     "\\r\\n\"; repeat 5000 \"" LINE "\"; again", 8},
    {"answers in chunks", "head; payload; send \"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked"
     "\\r\\n\\r\\n\"; repeat 300 \"40\\r\\n" LINE "\\r\\n\"; send \"0\\r\\n\\r\\n\"; again", 6},
    {"answers slowly", "head; payload; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 30\\r\\n\\r\\n\";"
     " trickle 2 \"123456789012345678901234567890\"; again", 4},
    {"says 100 Continue", "head; send \"HTTP/1.1 100 Continue\\r\\n\\r\\n\"; payload; " OK "again",
     6},
    {"redirects", "head; payload; send \"HTTP/1.1 307 There\\r\\nLocation: /there\\r\\n"
     "Content-Length: 0\\r\\n\\r\\n\"; head; payload; " OK "again", 6},
    {"redirects and drops the body", "head; payload; send \"HTTP/1.1 303 There\\r\\nLocation: "
     "/there\\r\\nContent-Length: 0\\r\\n\\r\\n\"; head; payload; " OK "again", 4},
    {"redirects for ever", "head; payload; send \"HTTP/1.1 302 There\\r\\nLocation: /\\r\\n"
     "Content-Length: 0\\r\\n\\r\\n\"; again", 3},
    {"asks who it is", "head; payload; " WHO "head; payload; " OK "again", 6},
    {"asks who it is before the body", "head; " WHO "payload; head; payload; " OK "again", 4},
    {"answers before the body", "head; " OK "payload; again", 4},
    {"refuses before the body", "head; send \"HTTP/1.1 413 No\\r\\nContent-Length: 2\\r\\n\\r\\nno\""
     "; hang", 4},
    {"refuses and closes", "head; send \"HTTP/1.1 413 No\\r\\nContent-Length: 2\\r\\n"
     "Connection: close\\r\\n\\r\\nno\"", 4},
    {"sips", "head; sip 40000; hang", 4},
    {"stalls", "head; deaf", 4},
    {"never answers", "head; payload; hang", 6},
    {"closes", "head", 4},
    {"resets", "head; reset", 4},
    {"resets in the body", "head; body 5000; reset", 4},
    {"answers once, then resets", "head; payload; " OK "head; reset", 6},
    {"breaks off in the header", "head; payload; send \"HTTP/1.1 200 OK\\r\\nContent-L\"; reset", 3},
    {"breaks off in its body", "head; payload; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 2000"
     "\\r\\n\\r\\nbut\"", 4},
    {"speaks no HTTP", "head; send \"220 hello\\r\\n\"; hang", 2},
};
/* clang-format on */

enum { TARGETS = sizeof targets / sizeof targets[0] };

static struct {
    struct scripted_server *server[TARGETS];
    struct dns_server *dns;
    struct raw_blackhole hole;
    uint16_t free_port;
    char folder[256];
} running;

static void need(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "stress_operations: %s\n", what);
    abort();
}

static void start(int which, const char *script)
{
    char why[200];
    running.server[which] = scripted_server_start(script, why, sizeof why);
    need(running.server[which] != NULL, why);
}

void targets_start(void)
{
    static const struct dns_rule rules[] = {
        {.name = "quiet.test", .drop = true},
        {0                   }
    };
    char script[512];
    running.dns = dns_server_start(rules);
    need(running.dns && raw_blackhole_open(&running.hole), "a server does not start");
    running.free_port = raw_free_port();
    if (!running.folder[0]) {
        folder_make(running.folder, sizeof running.folder);
        need(test_ca_make(running.folder, "IP:127.0.0.1"), "no certificate");
    }
    /* without `again`, which would shake hands again */
    snprintf(script, sizeof script, "tls %s; head; payload; " OK "head; payload; " OK "head",
             running.folder);
    start(TLS, script);
    for (int i = TLS + 1; i < TARGETS; i++)
        start(i, targets[i].script);
}

void targets_stop(void)
{
    for (int i = 0; i < TARGETS; i++)
        if (running.server[i])
            scripted_server_stop(running.server[i]);
    memset(running.server, 0, sizeof running.server);
    raw_blackhole_close(&running.hole);
    dns_server_stop(running.dns);
}

void targets_remove(void)
{
    folder_remove(running.folder);
}

const struct target *target_choose(np_random *random)
{
    unsigned all = 0, i = 0;
    for (int k = 0; k < TARGETS; k++)
        all += targets[k].weight;
    for (uint64_t dice = np_random_below(random, all); dice >= targets[i].weight; i++)
        dice -= targets[i].weight;
    return &targets[i];
}

void target_url(const struct target *target, char *out, size_t size)
{
    const int which = (int)(target - targets);
    const unsigned port = which == NOBODY          ? running.free_port
                          : which == NO_CONNECTION ? running.hole.port
                          : which == SILENT_NAME   ? 80
                                                   : scripted_server_port(running.server[which]);
    snprintf(out, size, "%s://%s:%u/", which == TLS ? "https" : "http",
             which == SILENT_NAME ? "quiet.test" : "127.0.0.1", port);
}

const char *targets_dns(void)
{
    return dns_server_address(running.dns);
}
