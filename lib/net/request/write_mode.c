/* How the body of a request goes out. Floor 2; pure. */
#include "write_mode.h"
#include "fail.h"
#include <string.h>

bool np_write_has_no_body(const char *method)
{
    /* stored in capitals, however they were given */
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "CONNECT") == 0;
}

/* What a setting must be for a row to hold. */
typedef enum need { ANY, YES, NO } need;

static const struct row {
    need no_body, chunked, length, buffering, http_1_0;
    np_write_mode mode;
} rows[] = {
  /* verb has no body  chunked  length  buffering  HTTP/1.0                  */
    {YES, ANY, ANY, ANY, ANY, NP_WRITE_NONE   },
    {ANY, YES, ANY, ANY, NO,  NP_WRITE_CHUNKED},
    {ANY, YES, ANY, YES, YES, NP_WRITE_BUFFER },
    {ANY, YES, ANY, NO,  YES, NP_WRITE_NONE   }, /* BS-3 refuses it */
    {ANY, NO,  YES, ANY, ANY, NP_WRITE_LENGTH },
    {ANY, NO,  NO,  YES, ANY, NP_WRITE_BUFFER },
    {ANY, NO,  NO,  NO,  NO,  NP_WRITE_CHUNKED}, /* BS-4 refuses it unless the connection ends */
    {ANY, NO,  NO,  NO,  YES, NP_WRITE_BUFFER },
};

static bool is_met(need wanted, bool set)
{
    return wanted == ANY || (wanted == YES) == set;
}

np_write_mode np_write_mode_of(const np_write_setup *setup)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (is_met(rows[i].no_body, np_write_has_no_body(setup->method)) &&
            is_met(rows[i].chunked, setup->send_chunked) &&
            is_met(rows[i].length, setup->content_length >= 0) &&
            is_met(rows[i].buffering, setup->buffering) &&
            is_met(rows[i].http_1_0, setup->http_1_0))
            return rows[i].mode;
    return NP_WRITE_NONE;
}

/* BS-3 */
static np_status check_version(const np_write_setup *setup, np_error *err)
{
    if (setup->send_chunked && !setup->buffering && setup->http_1_0)
        return np_fail(err, NP_E_PROTOCOL_VIOLATION,
                       "a chunked body needs HTTP/1.1: set a length, or let it be buffered");
    if (setup->send_chunked && setup->has_coding && setup->http_1_0)
        return np_fail(err, NP_E_PROTOCOL_VIOLATION,
                       "a transfer encoding needs HTTP/1.1: this goes by HTTP/1.0");
    return NP_OK;
}

/* BS-4 */
static np_status check_end(const np_write_setup *setup, np_error *err)
{
    if (!setup->send_chunked && setup->content_length < 0 && !setup->buffering && setup->keep_alive)
        return np_fail(err, NP_E_PROTOCOL_VIOLATION,
                       "a body that is not buffered needs a length, or has to be sent chunked");
    return NP_OK;
}

/* BS-5 */
static np_status check_coding(const np_write_setup *setup, np_error *err)
{
    if (setup->has_coding && !setup->send_chunked)
        return np_fail(err, NP_E_INVALID_OPERATION,
                       "a transfer encoding was set, and the body is not sent chunked");
    return NP_OK;
}

np_status np_write_check_stream(const np_write_setup *setup, np_error *err)
{
    if (np_write_has_no_body(setup->method)) /* BS-2 */
        return np_fail(err, NP_E_PROTOCOL_VIOLATION, "%s cannot carry a body", setup->method);
    np_status status = check_version(setup, err);
    if (!status)
        status = check_end(setup, err);
    return status ? status : check_coding(setup, err);
}

np_status np_write_check_response(const np_write_setup *setup, np_error *err)
{
    const bool has_body = setup->content_length > 0 || setup->send_chunked;
    if (np_write_has_no_body(setup->method) && has_body) /* GR-5 */
        return np_fail(err, NP_E_PROTOCOL_VIOLATION,
                       "a length or chunked was set, and %s cannot carry a body", setup->method);
    const bool must_end = strcmp(setup->method, "POST") == 0 || strcmp(setup->method, "PUT") == 0;
    np_status status = check_version(setup, err); /* GR-6 */
    if (!status && must_end)
        status = check_end(setup, err);
    if (!status)
        status = check_coding(setup, err);
    if (!status && has_body) /* GR-7 */
        status = np_fail(err, NP_E_PROTOCOL_VIOLATION,
                         "the request needs its body: obtain the request stream first");
    return status;
}
