/* See response.h. A path is a row of a table: its name, how many numbers follow, and who plans the
 * answer. */
#include "response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char page[] = "<!doctype html>\n"
                           "<title>origin.lab</title>\n"
                           "<h1>origin.lab</h1>\n"
                           "<p>A page from netphase lab, as late as it was told.</p>\n";

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"                             },
    {201, "Created"                        },
    {202, "Accepted"                       },
    {204, "No Content"                     },
    {301, "Moved Permanently"              },
    {302, "Found"                          },
    {303, "See Other"                      },
    {304, "Not Modified"                   },
    {307, "Temporary Redirect"             },
    {308, "Permanent Redirect"             },
    {400, "Bad Request"                    },
    {401, "Unauthorized"                   },
    {403, "Forbidden"                      },
    {404, "Not Found"                      },
    {405, "Method Not Allowed"             },
    {408, "Request Timeout"                },
    {414, "URI Too Long"                   },
    {417, "Expectation Failed"             },
    {429, "Too Many Requests"              },
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"          },
    {501, "Not Implemented"                },
    {502, "Bad Gateway"                    },
    {503, "Service Unavailable"            },
    {504, "Gateway Timeout"                },
    {505, "HTTP Version Not Supported"     },
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unnamed";
}

enum { NUMBERS_MAX = 2, MS_MAX = 600000, PARTS_MAX = 100000, HOPS_MAX = 50 };
#define BYTES_MAX (UINT64_C(1) << 50)

struct plan {
    struct response *response;
    const char *location; /* NULL: none */
    const char *type;
    uint64_t number[NUMBERS_MAX];
    char location_text[32];
};

static void plan_text(struct plan *plan, int status, const char *text)
{
    plan->response->status = status;
    plan->response->text = text;
    plan->response->body_bytes = strlen(text);
}

static bool plan_page(struct plan *plan)
{
    plan->type = "text/html; charset=utf-8";
    plan_text(plan, 200, page);
    return true;
}

static bool plan_early(struct plan *plan)
{
    plan->response->is_early = true;
    return plan_page(plan);
}

static bool plan_bytes(struct plan *plan)
{
    plan->type = "application/octet-stream";
    plan->response->body_bytes = plan->number[0];
    return plan->number[0] <= BYTES_MAX;
}

static bool plan_drip(struct plan *plan)
{
    plan->type = "application/octet-stream";
    plan->response->body_bytes = plan->number[0] * RESPONSE_PART_BYTES;
    plan->response->part_bytes = RESPONSE_PART_BYTES;
    plan->response->part_gap_ns = plan->number[1] * 1000000;
    return plan->number[0] <= PARTS_MAX && plan->number[1] <= MS_MAX;
}

static bool plan_header_gap(struct plan *plan)
{
    plan->response->head_gap_ns = plan->number[0] * 1000000;
    return plan_page(plan) && plan->number[0] <= MS_MAX;
}

static bool plan_redirects(struct plan *plan)
{
    plan_text(plan, 302, "moved\n");
    plan->location = "/";
    if (plan->number[0] > 1) {
        (void)snprintf(plan->location_text, sizeof plan->location_text, "/redirect/%" PRIu64,
                       plan->number[0] - 1);
        plan->location = plan->location_text;
    }
    return plan->number[0] >= 1 && plan->number[0] <= HOPS_MAX;
}

static bool plan_redirect(struct plan *plan)
{
    plan->number[0] = 1;
    return plan_redirects(plan);
}

static bool plan_reset(struct plan *plan)
{
    plan_text(plan, 200, "");
    plan->response->is_reset = true;
    return true;
}

static bool plan_status(struct plan *plan)
{
    if (plan->number[0] < 200 || plan->number[0] > 599)
        return false;
    plan_text(plan, (int)plan->number[0], "as asked\n");
    if (plan->number[0] >= 300 && plan->number[0] <= 399 && plan->number[0] != 304)
        plan->location = "/";
    return true;
}

static const struct {
    const char *path; /* numbers follow behind it, each behind a slash */
    unsigned numbers;
    bool (*plan)(struct plan *plan);
} paths[] = {
    {"/",         0, plan_page      },
    {"/bytes",    1, plan_bytes     },
    {"/drip",     2, plan_drip      },
    {"/hdrgap",   1, plan_header_gap},
    {"/early",    0, plan_early     },
    {"/redirect", 0, plan_redirect  },
    {"/redirect", 1, plan_redirects },
    {"/reset",    0, plan_reset     },
    {"/status",   1, plan_status    },
};

/* Reads "/12/34" with exactly `count` numbers, up to a query or the end. */
static bool read_numbers(const char *text, unsigned count, uint64_t *numbers)
{
    for (unsigned i = 0; i < count; i++) {
        if (*text++ != '/' || *text < '0' || *text > '9')
            return false;
        numbers[i] = 0;
        while (*text >= '0' && *text <= '9') {
            if (numbers[i] > BYTES_MAX)
                return false;
            numbers[i] = numbers[i] * 10 + (uint64_t)(*text++ - '0');
        }
    }
    return *text == '\0' || *text == '?';
}

/* The path of a target: "/x", or what follows the host in "http://host/x" (RFC 9112, 3.2.2); "*" is
 * "/". */
static const char *path_of(const char *target)
{
    if (target[0] == '*' && target[1] == '\0')
        return "/";
    const char *scheme = strstr(target, "://");
    if (target[0] == '/' || !scheme)
        return target;
    const char *path = strchr(scheme + 3, '/');
    return path ? path : "/";
}

static bool plan_path(const char *path, struct plan *plan)
{
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t length = strlen(paths[i].path);
        if (strncmp(path, paths[i].path, length) == 0 &&
            read_numbers(path + length, paths[i].numbers, plan->number))
            return paths[i].plan(plan);
    }
    return false;
}

uint64_t response_page_bytes(void)
{
    return sizeof page - 1;
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

static void write_head(struct plan *plan, bool is_http_1_0)
{
    struct response *response = plan->response;
    char fields[200] = "";
    size_t length = 0;
    if (response->status != 204)
        length += (size_t)snprintf(fields, sizeof fields, "Content-Length: %" PRIu64 "\r\n",
                                   response->body_bytes);
    if (plan->location)
        length += (size_t)snprintf(fields + length, sizeof fields - length, "Location: %s\r\n",
                                   plan->location);
    const char *connection = response->closes ? "Connection: close\r\n"
                             : is_http_1_0    ? "Connection: keep-alive\r\n"
                                              : "";
    response->head_bytes = (size_t)snprintf(
        response->head, sizeof response->head,
        "HTTP/1.1 %d %s\r\nServer: netphase-lab\r\nContent-Type: %s\r\n%s%s\r\n", response->status,
        reason_of(response->status), plan->type, fields, connection);
    response->head_first =
        response->head_gap_ns > 0 ? response->head_bytes / 2 : response->head_bytes;
}

void response_plan(const struct http_request *request, struct response *response)
{
    *response = (struct response){.status = 200, .closes = !request->keep_alive};
    struct plan plan = {.response = response, .type = "text/plain; charset=utf-8"};
    if (strcmp(request->method, "CONNECT") == 0) {
        response->closes = true;
        plan_text(&plan, 405, "this is no proxy\n");
    } else if (!plan_path(path_of(request->target), &plan)) {
        *response = (struct response){.closes = !request->keep_alive};
        plan.location = NULL;
        plan.type = "text/plain; charset=utf-8";
        plan_text(&plan, 404,
                  "no such path; the lab has / /bytes/N /drip/PARTS/MS /hdrgap/MS /early /redirect "
                  "/redirect/N /reset /status/N\n");
    }
    write_head(&plan, request->minor_version == 0);
    if (strcmp(request->method, "HEAD") == 0 || has_no_body(response->status))
        response->body_bytes = 0;
}

void response_refuse(int status, struct response *response)
{
    *response = (struct response){.closes = true};
    struct plan plan = {.response = response, .type = "text/plain; charset=utf-8"};
    plan_text(&plan, status, "the request was not understood\n");
    write_head(&plan, false);
}
