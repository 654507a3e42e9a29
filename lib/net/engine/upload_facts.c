/* The body of a request, in facts. Floor 2; pure. */
#include "upload_facts.h"

const char *np_upload_expect(const np_transfer_spec *spec)
{
    if (spec->body_form == NP_BODY_FORM_NONE)
        return NULL;
    const bool has_bytes = spec->body_form == NP_BODY_FORM_CHUNKED || spec->body_length > 0;
    return spec->expect_continue && has_bytes ? "100-continue" : "";
}

bool np_upload_answer_is_whole(const np_transfer *transfer)
{
    return transfer->header_done && transfer->expected_bytes >= 0 &&
           transfer->received_bytes >= (uint64_t)transfer->expected_bytes;
}

uint64_t np_upload_sent_bytes(const np_transfer *transfer)
{
    const np_upload *upload = &transfer->upload;
    const uint64_t unsent =
        upload->wire_given > upload->wire_out ? upload->wire_given - upload->wire_out : 0;
    return upload->given_bytes > unsent ? upload->given_bytes - unsent : 0;
}
