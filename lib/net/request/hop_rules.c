/* See hop_rules.h. Floor 2; pure. */
#include "hop_rules.h"

#include <string.h>
#include <strings.h>

enum method_class { METHOD_POST, METHOD_HEAD, METHOD_OTHER, METHOD_CLASSES };
enum step { STEP_SAME, STEP_GET };

/* GET stays GET in every row. */
static const struct redirect {
    int status;
    enum step step[METHOD_CLASSES];
} redirects[] = {
    {300, {[METHOD_POST] = STEP_GET, [METHOD_HEAD] = STEP_SAME, [METHOD_OTHER] = STEP_GET} },
    {301, {[METHOD_POST] = STEP_GET, [METHOD_HEAD] = STEP_SAME, [METHOD_OTHER] = STEP_SAME}},
    {302, {[METHOD_POST] = STEP_GET, [METHOD_HEAD] = STEP_SAME, [METHOD_OTHER] = STEP_SAME}},
    {303, {[METHOD_POST] = STEP_GET, [METHOD_HEAD] = STEP_SAME, [METHOD_OTHER] = STEP_GET} },
    {307, {STEP_SAME, STEP_SAME, STEP_SAME}                                                },
    {308, {STEP_SAME, STEP_SAME, STEP_SAME}                                                },
};

static const struct dropped {
    const char *name;
    unsigned why;
} drops[] = {
    {"Authorization",       NP_HOP_ANY         },
    {"Proxy-Authorization", NP_HOP_ANY         },
    {"Cookie",              NP_HOP_OTHER_ORIGIN},
    {"Referer",             NP_HOP_LEFT_HTTPS  },
    {"Content-Length",      NP_HOP_BODY_DROPPED},
    {"Content-Type",        NP_HOP_BODY_DROPPED},
    {"Transfer-Encoding",   NP_HOP_BODY_DROPPED},
    {"Expect",              NP_HOP_BODY_DROPPED},
    {"Content-Encoding",    NP_HOP_BODY_DROPPED},
    {"Content-Language",    NP_HOP_BODY_DROPPED},
    {"Content-Location",    NP_HOP_BODY_DROPPED},
};

static const struct redirect *find(int status)
{
    for (size_t i = 0; i < sizeof redirects / sizeof *redirects; i++)
        if (redirects[i].status == status)
            return &redirects[i];
    return NULL;
}

bool np_hop_is_redirect(int status)
{
    return find(status) != NULL;
}

static enum method_class class_of(const char *method)
{
    if (strcmp(method, "POST") == 0)
        return METHOD_POST;
    return strcmp(method, "HEAD") == 0 ? METHOD_HEAD : METHOD_OTHER;
}

const char *np_hop_method(int status, const char *method)
{
    const struct redirect *redirect = find(status);
    const bool is_get = redirect && redirect->step[class_of(method)] == STEP_GET;
    return is_get && strcmp(method, "GET") != 0 ? "GET" : method;
}

bool np_hop_drops_field(const np_header_line *field, unsigned why)
{
    for (size_t i = 0; i < sizeof drops / sizeof *drops; i++)
        if ((drops[i].why & why) && strlen(drops[i].name) == field->name_length &&
            strncasecmp(drops[i].name, field->name, field->name_length) == 0)
            return true;
    return false;
}
