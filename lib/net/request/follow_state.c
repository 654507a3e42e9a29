/* What a request remembers of following its answers. Floor 2. */
#include "follow_state.h"
#include <stdlib.h>
#include <string.h>

enum { REDIRECTS_DEFAULT = 50 };

void np_follow_state_init(np_follow *follow, const np_url *url, const char *method)
{
    follow->auto_redirect = true;
    follow->redirects_maximum = REDIRECTS_DEFAULT;
    follow->url = url;
    follow->method = method;
}

static void address_free(np_follow_address *address)
{
    if (address)
        np_url_done(&address->url);
    free(address);
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void np_follow_state_drop_plan(np_follow *follow)
{
    address_free(follow->plan_address);
    np_auth_done(&follow->plan_auth);
    follow->plan_address = NULL;
    follow->plan = NP_FOLLOW_NONE;
}

/* The block of a field holds its value, and that may be a password. */
void np_follow_drop_authorization(np_header_list *fields)
{
    const np_header_line *line = np_header_find(fields->lines, fields->count, "Authorization");
    if (!line)
        return;
    explicit_bzero((char *)(uintptr_t)line->value, line->value_length); /* in our own block */
    np_header_list_remove(fields, "Authorization");
}

void np_follow_state_done(np_follow *follow)
{
    np_follow_state_drop_plan(follow);
    np_auth_done(&follow->auth);
    np_follow_drop_authorization(&follow->fields);
    np_header_list_done(&follow->fields);
    wipe(follow->user);
    wipe(follow->password);
    while (follow->addresses) {
        np_follow_address *address = follow->addresses;
        follow->addresses = address->next;
        address_free(address);
    }
}
