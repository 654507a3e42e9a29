/* What follows from the spec of a request's body and from how far it has come. Floor 2; pure. */
#ifndef NP_NET_UPLOAD_FACTS_H
#define NP_NET_UPLOAD_FACTS_H

#include "engine_types.h"

/* The value of the Expect field: "100-continue", "" to keep libcurl from making one of its own, or
 * NULL: there is no body. */
const char *np_upload_expect(const np_transfer_spec *spec);
/* Has the last byte been written, where there is a body? */
static inline bool np_upload_is_out(const np_transfer *transfer)
{
    return transfer->spec.body_form == NP_BODY_FORM_NONE || transfer->upload.sent;
}
/* Has all of an answer of known length come? */
bool np_upload_answer_is_whole(const np_transfer *transfer);
/* Bytes of the body that were written. */
uint64_t np_upload_sent_bytes(const np_transfer *transfer);

#endif
