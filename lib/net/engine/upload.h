/* The body of a request on its way into libcurl. Floor 2; loop thread only. */
#ifndef NP_NET_UPLOAD_H
#define NP_NET_UPLOAD_H

#include "upload_facts.h"

/* --- options of the easy handle --- */

/* Sets the callbacks of a new handle; false: no memory. */
bool np_upload_install(np_easy *easy);
/* Sets what differs from the request before; after the method. */
CURLcode np_upload_prepare(np_easy *easy, const np_transfer_spec *spec);

/* --- before libcurl has it; libcurl not on the stack --- */

/* Keeps a transfer whose body is not complete away from libcurl, on this connection, and tells that
 * the body may be given. true: it is held, and may have ended. */
bool np_upload_hold(np_transfer *transfer, np_connection *connection, uint64_t now_ns);
/* The connection it goes out on is known: HTTP/2 has no 100-continue that libcurl would wait for.
 */
void np_upload_settle(np_transfer *transfer, const np_connection *connection);
/* The held transfer's body is complete: the connection to launch it on, NULL: none is there any
 * more. */
np_connection *np_upload_let_go(np_transfer *transfer, uint64_t now_ns);

/* --- from libcurl's callbacks --- */

/* HDR_OUT, DATA_OUT: so many bytes were written. */
void np_upload_wrote(np_transfer *transfer, curl_infotype type, size_t length);
/* An informational response is complete; true: it was the answer to Expect and is in the trace. */
bool np_upload_informed(np_transfer *transfer, int status, uint64_t now_ns);
/* The status line of the final response is there, and the body may not be out. */
void np_upload_answered(np_transfer *transfer, uint64_t now_ns);
/* The header of the final response is complete; before header(). */
void np_upload_header_done(np_transfer *transfer);
/* A byte of the response's body came, or its end. */
void np_upload_received(np_transfer *transfer);

/* --- ends --- */

/* RS-5: can what was given be given again? Asks rewind(). */
bool np_upload_may_retry(np_transfer *transfer);
/* The next try begins; ready() is not told again. */
void np_upload_reset(np_transfer *transfer);
/* libcurl ends with a failure although the response is complete. */
bool np_upload_forgives(const np_transfer *transfer, CURLcode code);
/* Closes what is open in the trace, and stops the timers. */
void np_upload_end(np_transfer *transfer, uint64_t now_ns);
/* What the transfer is doing, while that is the body; NULL: it is not. */
const char *np_upload_activity(const np_transfer *transfer);

#endif
