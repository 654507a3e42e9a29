/* Compressed responses: what is asked for, and what is hidden of what was decompressed. Floor 2. */
#ifndef NP_NET_DECOMPRESSION_H
#define NP_NET_DECOMPRESSION_H

#include "header_list.h"

/* Before the start: Accept-Encoding says what `flags` (NP_DECOMPRESS_*) takes, unless it is among
 * the fields already. */
np_status np_decompression_ask(np_header_list *fields, uint32_t flags, np_error *err);
/* NP_E_ARGUMENT for a flag that is not known, or that this libcurl cannot do. */
np_status np_decompression_check(uint32_t flags, np_error *err);
/* Takes Content-Encoding and Content-Length out of a decompressed response; returns what is left.
 */
size_t np_decompression_hide(np_header_line *lines, size_t count);

#endif
