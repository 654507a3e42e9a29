/* Requests go to a real nginx on loopback, plain and over TLS with HTTP/2: small files, larger
 * ones, errors, ports where nobody listens. */
#include "nginx.h"
#include "raw_server.h"
#include "stress_target.h"
#include <stdio.h>
#include <stdlib.h>

static struct nginx nginx;
static uint16_t nobody;

void target_start(uint64_t seed)
{
    enum { SIZE = 300000 };
    (void)seed; /* nginx is as random as it gets */
    if (!nginx_start(&nginx,
                     &(struct nginx_options){.http = "http2_max_concurrent_streams 5;",
                                             .locations = "keepalive_requests 200; "
                                                          "location /gone { return 404; }"})) {
        printf("SKIPPED: %s\n", nginx.why);
        exit(getenv("CI") ? 1 : 0);
    }
    char *bytes = calloc(1, SIZE);
    if (!bytes || !nginx_add_file(&nginx, "large", bytes, SIZE))
        exit(1);
    free(bytes);
    nobody = raw_free_port();
}

void target_stop(void)
{
    nginx_stop(&nginx);
}

void target_url(uint64_t dice, char *out, size_t size)
{
    static const char *const paths[] = {"small", "small", "large", "gone"};
    const bool refused = dice % 16 == 0;
    const bool tls = dice / 64 % 2;
    snprintf(out, size, "%s://127.0.0.1:%u/%s", tls ? "https" : "http",
             refused ? nobody
             : tls   ? nginx.h2_port
                     : nginx.http_port,
             paths[dice / 16 % 4]);
}
