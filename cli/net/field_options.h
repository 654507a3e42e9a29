/*
 * The header fields that were typed. Most are sent as they are; a few belong to how a request is
 * sent, and become that.
 */
#ifndef CLI_NET_FIELD_OPTIONS_H
#define CLI_NET_FIELD_OPTIONS_H

#include "sender.h"
#include "verb.h"

struct field_options {
    struct sender_header *fields; /* fields[count] */
    size_t count;
    char *texts; /* the copies that fields point into */
    enum sender_expect expect;
    bool is_chunked, close;
};

/* `is_form`: without a Content-Type of its own the body is that of a form. Returns an exit status;
 * a mistake has been told. */
int field_options_take(struct field_options *options, const struct call *call,
                       const struct option_list *list, bool is_form);
void field_options_done(struct field_options *options);

#endif
