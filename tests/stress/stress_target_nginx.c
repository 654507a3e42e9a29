/* Requests go to a real nginx on loopback: small files, larger ones, errors, ports where nobody
 * listens. */
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
                     &(struct nginx_options){.locations = "location /gone { return 404; }"})) {
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
    snprintf(out, size, "http://127.0.0.1:%u/%s", refused ? nobody : nginx.http_port,
             paths[dice / 16 % 4]);
}
