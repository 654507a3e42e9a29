/**
 * Requests, responses, streams and asynchronous results: the Begin/End life cycle.
 *
 * A request is made in a context, configured, begun once and ended once: with a body by
 * np_request_begin_get_request_stream and then np_request_begin_get_response, otherwise by the
 * latter alone. `begin_*` never waits for
 * a network, a name or a script; what the network did comes out of `end_*`. Rule numbers (ER-1,
 * GR-5, AB-3, AR-5 …) name the rules of docs/contract.md.
 *
 * Threads: every function may be called from any thread, also from inside a callback, unless it
 * says otherwise. Callbacks run on the context's pool threads, exactly once, with no lock held
 * (AR-5); those of operations that np_request_abort completes run on the aborting thread before it
 * returns (AB-3).
 *
 * Lifetime: each handle is released by who got it, in any order. A stream keeps its response open,
 * a response and a result outlive their request, and all of them outlive the context: then they
 * answer NP_E_OBJECT_DISPOSED.
 */
#ifndef NETPHASE_REQUEST_H
#define NETPHASE_REQUEST_H

#include <netphase/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct np_request np_request;
typedef struct np_response np_response;
typedef struct np_stream np_stream;
typedef struct np_async np_async;

/**
 * Called once when an operation has completed.
 *
 * @param async  borrowed for the call; the caller's pointer is np_async_state(async). It may come
 * before the begin call that made it has returned (AR-6)
 *
 * Runs on a pool thread (or the aborting one). Everything in this header may be called from inside
 * (AR-7).
 */
typedef void (*np_async_fn)(np_async *async);

/**
 * Called for each 100 Continue that the server sends.
 *
 * @param request  borrowed for the call
 * @param status   100
 * @param user     as given with the function
 *
 * Runs on a pool thread, one call of a request at a time, beside the callbacks of its operations.
 * Everything in this header may be called from inside. What it returns does not matter: nothing
 * waits for it.
 */
typedef void (*np_continue_fn)(np_request *request, int status, void *user);

/** No time: what np_request_date gives where none was set, and what clears it. */
#define NP_TIME_NONE INT64_MIN

typedef enum np_request_state {
    NP_REQUEST_CREATED = 0,
    NP_REQUEST_STREAM_PENDING = 1,
    NP_REQUEST_STREAM_OPEN = 2,
    NP_REQUEST_STREAM_CLOSED = 3,
    NP_REQUEST_RESPONSE_PENDING = 4,
    NP_REQUEST_RESPONSE_READY = 5,
    NP_REQUEST_CLOSED = 6,
    NP_REQUEST_FAILED = 7,
    NP_REQUEST_ABORTED = 8
} np_request_state;

/** What a request may take over from earlier ones. */
typedef enum np_reuse {
    NP_REUSE_ANY = 0, /* an idle connection, cached names, TLS sessions */
    NP_REUSE_FRESH =
        1, /* a new connection, closed afterwards; cached names and TLS sessions are used */
    NP_REUSE_COLD =
        2 /* a new connection, closed afterwards, with a lookup of its own and a full handshake */
} np_reuse;

/** What np_request_set_automatic_decompression takes: a set of these. */
enum {
    NP_DECOMPRESS_NONE = 0,
    NP_DECOMPRESS_GZIP = 1,
    NP_DECOMPRESS_DEFLATE = 2,
    NP_DECOMPRESS_BROTLI = 4, /* where libcurl was built with it */
    NP_DECOMPRESS_ZSTD = 8,   /* likewise */
    NP_DECOMPRESS_ANY = 16    /* by itself: all of them that this libcurl can do */
};

/* ------------------------------------------------------------------------------------------------ request */

/*
 * Properties. Each np_request_set_X has an np_request_X, which returns what was set last, or the
 * default; texts are borrowed until the next set of that property, or the release. They change
 * before the start only (SM-1): afterwards a setter gives NP_E_INVALID_OPERATION, which is asked
 * before its value is looked at. NP_E_ARGUMENT_NULL without a request. Any thread.
 */

/**
 * Makes a request.
 *
 * @param context  kept until the request is released
 * @param url      copied; absolute http or https (RFC 3986), up to 64 KiB; user info, spaces,
 * control characters and bytes beyond ASCII are not accepted, the fragment is dropped, nothing is
 * re-encoded
 * @param out      [out] owned: release with np_request_release
 * @return NP_E_ARGUMENT_NULL, NP_E_ARGUMENT for a malformed URL, NP_E_NOT_SUPPORTED for another
 * scheme, NP_E_OBJECT_DISPOSED when the context is being freed
 */
NP_API np_status np_request_create(np_context *context, const char *url, np_request **out,
                                   np_error *err);

/** Releases a request; while an operation is pending that is an abort (AR-11). NULL is allowed. */
NP_API void np_request_release(np_request *request);

/**
 * Sets the method, "GET" at first.
 *
 * @param method  copied; an HTTP token (RFC 9110 section 5.6.2). GET, HEAD, POST, PUT, CONNECT and
 * MKCOL are recognised ignoring case and stored in capitals
 * @return NP_E_INVALID_OPERATION after the start (SM-1), NP_E_ARGUMENT
 */
NP_API np_status np_request_set_method(np_request *request, const char *method, np_error *err);
/** Returns the method in its stored form. */
NP_API const char *np_request_method(const np_request *request);

/** Sets what the request may take over from earlier ones, NP_REUSE_ANY at first.
 * NP_E_INVALID_OPERATION after the start. */
NP_API np_status np_request_set_reuse(np_request *request, np_reuse reuse, np_error *err);
NP_API np_reuse np_request_reuse(const np_request *request);

/**
 * Sets which proxies the request goes through instead of what its context says.
 *
 * @param proxy  kept until the request is released; NULL: no proxy, and nobody is asked (as
 * np_proxy_direct)
 * @return NP_E_INVALID_OPERATION after the start (SM-1)
 */
NP_API np_status np_request_set_proxy(np_request *request, const np_proxy *proxy, np_error *err);

/**
 * Sets the HTTP version to ask for, 11 at first.
 *
 * @param version  10, 11 or 20 for HTTP/1.0, 1.1 or 2. HTTP/2 is spoken where TLS is and the server
 * agrees (ALPN), otherwise HTTP/1.1; np_response_protocol says which it was
 * @return NP_E_INVALID_OPERATION after the start (SM-1), NP_E_ARGUMENT for another number
 */
NP_API np_status np_request_set_protocol_version(np_request *request, int version, np_error *err);
NP_API int np_request_protocol_version(const np_request *request);

/**
 * Sets the group of connections that the request belongs to, the common one at first.
 *
 * @param name  copied; NULL and "" stand for the common group. Each group has connections and a
 * connection limit of its own
 * @return NP_E_INVALID_OPERATION after the start (SM-1), NP_E_NO_MEMORY
 */
NP_API np_status np_request_set_connection_group_name(np_request *request, const char *name,
                                                      np_error *err);
/** NULL: the common group. */
NP_API const char *np_request_connection_group_name(const np_request *request);

/**
 * Sets the limit for the whole of an asynchronous operation, from begin until the body is read:
 * Web/Timeout.
 *
 * @param timeout_ms  -1: none (the default); 0 counts as 1 ms
 * @return NP_E_INVALID_OPERATION after the start, NP_E_ARGUMENT_RANGE below -1
 */
NP_API np_status np_request_set_async_timeout(np_request *request, int64_t timeout_ms,
                                              np_error *err);
NP_API int64_t np_request_async_timeout(const np_request *request);

/**
 * Sets the limit of the synchronous family, 100,000 ms at first.
 *
 * @param timeout_ms  -1: none; 0 counts as 1 ms
 * @return as np_request_set_async_timeout
 */
NP_API np_status np_request_set_timeout(np_request *request, int64_t timeout_ms, np_error *err);
NP_API int64_t np_request_timeout(const np_request *request);

/**
 * Sets how long the header of the response may be, 64 KiB at first, informational responses and
 * trailers included: a longer one is Web/MESSAGE_LENGTH_LIMIT_EXCEEDED.
 *
 * @param kib  -1: no limit; 0: no response is taken
 * @return NP_E_ARGUMENT_RANGE below -1
 */
NP_API np_status np_request_set_maximum_response_headers_length(np_request *request, int64_t kib,
                                                                np_error *err);
NP_API int64_t np_request_maximum_response_headers_length(const np_request *request);
/**
 * Sets how much of the body of an error response (GR-14) is handed out, 64 KiB at first: it ends
 * there, as if it were no longer, and its connection is closed where more than 64 KiB are left.
 *
 * @param kib  -1: all of it; 0: nothing
 * @return NP_E_ARGUMENT_RANGE below -1
 */
NP_API np_status np_request_set_maximum_error_response_length(np_request *request, int64_t kib,
                                                              np_error *err);
NP_API int64_t np_request_maximum_error_response_length(const np_request *request);

/**
 * Sets a request header field, replacing one of the same name.
 *
 * @param name   copied; a token. Accept, Connection, Content-Length, Content-Type, Date, Expect,
 * Host, If-Modified-Since, Proxy-Connection, Range, Referer, Transfer-Encoding and User-Agent
 * belong to properties: NP_E_ARGUMENT
 * @param value  copied; surrounding blanks are trimmed; no CR, LF, NUL or other control character;
 * NULL removes the field
 * @return NP_E_INVALID_OPERATION after the start, NP_E_ARGUMENT, NP_E_ARGUMENT_NULL
 */
NP_API np_status np_request_header_set(np_request *request, const char *name, const char *value,
                                       np_error *err);
/** Returns the value of a field that was set, whether by np_request_header_set or by a property,
 * ignoring case; NULL: none. */
NP_API const char *np_request_header(const np_request *request, const char *name);
/** Sets Accept, NULL (not sent) at first; NULL and what is blank clear it. Same rules and errors as
 * np_request_header_set; so for the next three. */
NP_API np_status np_request_set_accept(np_request *request, const char *value, np_error *err);
NP_API const char *np_request_accept(const np_request *request);
NP_API np_status np_request_set_user_agent(np_request *request, const char *value, np_error *err);
NP_API const char *np_request_user_agent(const np_request *request);
NP_API np_status np_request_set_referer(np_request *request, const char *value, np_error *err);
NP_API const char *np_request_referer(const np_request *request);
NP_API np_status np_request_set_content_type(np_request *request, const char *value, np_error *err);
NP_API const char *np_request_content_type(const np_request *request);
/**
 * Sets the words of Connection besides "keep-alive" and "close", which np_request_set_keep_alive
 * writes; NULL at first.
 *
 * @param value  copied; NULL and what is blank clear it; one of those two words is NP_E_ARGUMENT
 */
NP_API np_status np_request_set_connection(np_request *request, const char *value, np_error *err);
NP_API const char *np_request_connection(const np_request *request);
/**
 * Sets what Expect says besides "100-continue", which np_request_set_expect_continue writes; NULL
 * at first.
 *
 * @param value  copied; NULL and what is blank clear it; that word is NP_E_ARGUMENT
 */
NP_API np_status np_request_set_expect(np_request *request, const char *value, np_error *err);
NP_API const char *np_request_expect(const np_request *request);
/**
 * Sets Date, or If-Modified-Since; not sent at first.
 *
 * @param time_s  Unix seconds, 0 to the end of the year 9999; NP_TIME_NONE clears it
 * @return NP_E_ARGUMENT_RANGE for another time
 */
NP_API np_status np_request_set_date(np_request *request, int64_t time_s, np_error *err);
NP_API int64_t np_request_date(const np_request *request);
NP_API np_status np_request_set_if_modified_since(np_request *request, int64_t time_s,
                                                  np_error *err);
NP_API int64_t np_request_if_modified_since(const np_request *request);
/**
 * Adds a range to Range: "unit=from-to", or ",from-to" behind those that are there.
 *
 * @param unit  a token, "bytes" mostly
 * @param from  0 and more
 * @param to    not less than `from`
 * @return NP_E_ARGUMENT_RANGE for such numbers, NP_E_ARGUMENT for a unit that is no token,
 * NP_E_INVALID_OPERATION where earlier ranges have another unit, NP_E_ARGUMENT_NULL
 */
NP_API np_status np_request_add_range(np_request *request, const char *unit, int64_t from,
                                      int64_t to, np_error *err);
/** The same with one number: from `from` to the end ("unit=100-"); below 0: that many last ones
 * ("unit=-100"). */
NP_API np_status np_request_add_range_from(np_request *request, const char *unit, int64_t from,
                                           np_error *err);
/**
 * Sets the Host header, `host[:port]` of the URL at first; a redirect to another host or port drops
 * it.
 *
 * @param value  copied; NP_E_ARGUMENT_NULL, NP_E_ARGUMENT for anything that is no host
 */
NP_API np_status np_request_set_host(np_request *request, const char *value, np_error *err);
NP_API const char *np_request_host(const np_request *request);

/**
 * Sets whether redirects are followed, true at first (RS-0 ... RS-3). Statuses 300, 301, 302, 303,
 * 307 and 308 with a Location are; each one is a hop of its own, and the response that is handed
 * out is the last one's.
 *
 * @param follow  false: a 3xx is a response like any other, and no failure (GR-14)
 * @return NP_E_INVALID_OPERATION after the start (SM-1); so for the next five
 */
NP_API np_status np_request_set_allow_auto_redirect(np_request *request, bool follow,
                                                    np_error *err);
NP_API bool np_request_allow_auto_redirect(const np_request *request);
/**
 * Sets how many redirects are followed, 50 at first; one more ends the request with
 * Web/PROTOCOL_ERROR and the redirect attached (RS-2).
 *
 * @param count  1 and more, else NP_E_ARGUMENT_RANGE
 */
NP_API np_status np_request_set_maximum_automatic_redirections(np_request *request, int64_t count,
                                                               np_error *err);
NP_API int64_t np_request_maximum_automatic_redirections(const np_request *request);
/** Sets whether a redirect may lead from https to http, false at first (RS-2). */
NP_API np_status np_request_set_allow_downgrade(np_request *request, bool allow, np_error *err);
NP_API bool np_request_allow_downgrade(const np_request *request);
/**
 * Sets who asks, for servers that answer 401 with a Basic or Digest challenge (RS-4): the request
 * is sent again with the answer, as a hop of its own. They are used for the origin of the request's
 * URL alone, whatever redirects say, and never get into a trace.
 *
 * @param user      copied; no ':' and no control character, else NP_E_ARGUMENT; NULL: no
 * credentials
 * @param password  copied; no control character; NULL counts as ""
 */
NP_API np_status np_request_set_credentials(np_request *request, const char *user,
                                            const char *password, np_error *err);
/** Returns the user name; NULL: no credentials. There is no way to get the password back. */
NP_API const char *np_request_credentials_user(const np_request *request);
/**
 * Sets whether the context remembers an answered challenge, false at first: then later requests of
 * the same user below the same folder of the same origin send their answer up front. The first one
 * is challenged.
 */
NP_API np_status np_request_set_pre_authenticate(np_request *request, bool pre_authenticate,
                                                 np_error *err);
NP_API bool np_request_pre_authenticate(const np_request *request);
/**
 * Sets which compressed bodies are asked for (Accept-Encoding) and handed out decompressed,
 * NP_DECOMPRESS_NONE at first. A response that was decompressed has no Content-Encoding and no
 * Content-Length field; the trace counts the bytes as they came.
 *
 * @param flags  a set of NP_DECOMPRESS_*, or NP_DECOMPRESS_ANY alone; NP_E_ARGUMENT for another
 * bit, or one that this libcurl cannot do
 */
NP_API np_status np_request_set_automatic_decompression(np_request *request, uint32_t flags,
                                                        np_error *err);
NP_API uint32_t np_request_automatic_decompression(const np_request *request);
/** Returns the URL that the request was made with, without its fragment; it never changes. Borrowed
 * until release. */
NP_API const char *np_request_uri(const np_request *request);
/**
 * Returns the URL of the hop under way, at the end that of the response; at first the one the
 * request was made with. Borrowed until release.
 */
NP_API const char *np_request_address(const np_request *request);

/* --------------------------------------------------------------------------------------------- request's body */

/**
 * Sets the length of the request's body in bytes, not set at first.
 *
 * @param length  0 and more. Exactly as many must be written (WS-6, WS-12); without effect on a
 * body that is sent chunked
 * @return NP_E_INVALID_OPERATION after the start (SM-1), NP_E_ARGUMENT_RANGE; it cannot be unset
 */
NP_API np_status np_request_set_content_length(np_request *request, int64_t length, np_error *err);
/** -1: not set. */
NP_API int64_t np_request_content_length(const np_request *request);

/**
 * Sets whether the body is sent in chunks, false at first: each write of up to 65,532 bytes is one
 * chunk as soon as it is written. Wins over a length; HTTP/2 has frames instead. To HTTP/1.0 such a
 * body is buffered.
 *
 * @return NP_E_INVALID_OPERATION after the start (SM-1); so for the next three
 */
NP_API np_status np_request_set_send_chunked(np_request *request, bool value, np_error *err);
NP_API bool np_request_send_chunked(const np_request *request);

/**
 * Sets the transfer codings that the body has besides chunked ("gzip"), NULL at first: the field
 * Transfer-Encoding lists them before chunked. What is written has to be coded so already. HTTP/2
 * has no such field.
 *
 * @param value  copied; words with commas between them; NULL and what is blank clear it
 * @return NP_E_ARGUMENT for "chunked" and for what is no list of words; then NP_E_INVALID_OPERATION
 * where the body is not sent chunked
 */
NP_API np_status np_request_set_transfer_encoding(np_request *request, const char *value,
                                                  np_error *err);
NP_API const char *np_request_transfer_encoding(const np_request *request);

/**
 * Sets whether a copy of the body is kept until the final response is there, true at first.
 *
 * With it the body can be sent again (a redirect, an authentication, a kept connection that turns
 * out dead), and one without a length that is not chunked is gathered until it is closed, and gets
 * its length then. Without it a body of any size needs constant memory: at most 64 KiB wait for the
 * connection, and then a write waits too.
 */
NP_API np_status np_request_set_allow_write_stream_buffering(np_request *request, bool value,
                                                             np_error *err);
NP_API bool np_request_allow_write_stream_buffering(const np_request *request);

/**
 * Sets whether the response is complete only when all of its body is there, false at first. The
 * body is held in memory then, however long it is; one that breaks off fails the operation.
 */
NP_API np_status np_request_set_allow_read_stream_buffering(np_request *request, bool value,
                                                            np_error *err);
NP_API bool np_request_allow_read_stream_buffering(const np_request *request);

/** Sets whether the connection may be used again, true at first; false sends `Connection: close`.
 */
NP_API np_status np_request_set_keep_alive(np_request *request, bool value, np_error *err);
NP_API bool np_request_keep_alive(const np_request *request);

/**
 * Sets whether `Expect: 100-continue` is sent with a body that is not empty, true at first; by
 * HTTP/1.1 only. The body is then held back until the server says 100 Continue or the time of
 * np_request_set_continue_timeout is over. A final response instead means that the body is not
 * sent.
 */
NP_API np_status np_request_set_expect_continue(np_request *request, bool value, np_error *err);
NP_API bool np_request_expect_continue(const np_request *request);

/** Sets who is told of each 100 Continue; NULL at first: nobody. `user` is handed to it. */
NP_API np_status np_request_set_continue_callback(np_request *request, np_continue_fn fn,
                                                  void *user, np_error *err);

/**
 * Sets how long a body is held back for 100 Continue, 350 ms at first.
 *
 * @param timeout_ms  0: not at all; -1: for ever
 * @return NP_E_INVALID_OPERATION after the start (SM-1), NP_E_ARGUMENT_RANGE below -1
 */
NP_API np_status np_request_set_continue_timeout(np_request *request, int64_t timeout_ms,
                                                 np_error *err);
NP_API int64_t np_request_continue_timeout(const np_request *request);

/**
 * Sets the limit of one np_stream_read or np_stream_write, 300,000 ms at first.
 *
 * @param timeout_ms  1 and more, -1: none
 * @return NP_E_INVALID_OPERATION after the start (SM-1), NP_E_ARGUMENT_RANGE for 0 and below -1
 */
NP_API np_status np_request_set_read_write_timeout(np_request *request, int64_t timeout_ms,
                                                   np_error *err);
NP_API int64_t np_request_read_write_timeout(const np_request *request);

/**
 * Starts a request that has a body; returns at once (ER-1).
 *
 * @param fn     called once on completion; NULL is allowed
 * @param state  handed to the callback by np_async_state
 * @param out    [out] owned: release with np_async_release
 * @return NP_E_WEB with REQUEST_CANCELED after abort (BS-1) or the stored failure (BS-6);
 * NP_E_PROTOCOL_VIOLATION for GET, HEAD and CONNECT (BS-2), for chunked without buffering to
 * HTTP/1.0 (BS-3), without a length, chunked or buffering (BS-4); NP_E_INVALID_OPERATION where a
 * transfer encoding was set and chunked was not (BS-5), when the
 * stream is pending or was obtained (BS-7, BS-8), the request was submitted without one (BS-9), or
 * the synchronous family was used (BS-10). A refused call changes nothing (ER-2)
 *
 * The operation completes when the body can be written. One that is gathered: when the connection
 * stands; TLS and the request's header follow when it is closed, and until then it holds the
 * connection. Any other: when the header was sent, and 100 Continue or its time-out has come, or a
 * final response instead.
 */
NP_API np_status np_request_begin_get_request_stream(np_request *request, np_async_fn fn,
                                                     void *state, np_async **out, np_error *err);

/**
 * Waits for the operation where it is not complete, and hands out the stream.
 *
 * @param async  from this request's np_request_begin_get_request_stream
 * @param out    [out] owned: release with np_stream_release
 * @return the failure of the operation (ES-5); NP_E_ARGUMENT_NULL (ES-1), NP_E_ARGUMENT for a
 * foreign result (ES-2), NP_E_INVALID_OPERATION at the second call (ES-3)
 */
NP_API np_status np_request_end_get_request_stream(np_request *request, np_async *async,
                                                   np_stream **out, np_error *err);

/**
 * The synchronous form: starts the request and waits, within np_request_set_timeout; that time is
 * for this and np_request_get_response together, and for what lies between them.
 *
 * @param out  [out] owned: release with np_stream_release; the same stream at every call (GR-16)
 * @return as begin and end; NP_E_WEB/TIMEOUT aborts the request
 */
NP_API np_status np_request_get_request_stream(np_request *request, np_stream **out, np_error *err);

/* --------------------------------------------------------------------------------------------------- getting it */

/**
 * Starts the request, or goes on with one whose body was written; returns at once (ER-1: network
 * failures come out of the end call).
 *
 * @param fn     called once on completion; NULL is allowed
 * @param state  handed to the callback by np_async_state
 * @param out    [out] owned: release with np_async_release
 * @return NP_E_INVALID_OPERATION when a response is pending or was obtained (GR-8, GR-9) or the
 * synchronous family was used (GR-10), NP_E_WEB with REQUEST_CANCELED after abort (GR-1) or with
 * the stored failure (GR-2); NP_E_PROTOCOL_VIOLATION while announced bytes are not written (GR-3)
 * or the request stream is pending (GR-4), and where the settings ask for a body that cannot be
 * there or was never begun (GR-5 to GR-7)
 *
 * An open request stream is closed (GR-3b).
 *
 * The operation completes when the response header is there. Statuses of 400 and more complete it
 * with NP_E_WEB/PROTOCOL_ERROR and a readable response attached (GR-14); so does a 3xx, unless
 * redirects are not to be followed.
 */
NP_API np_status np_request_begin_get_response(np_request *request, np_async_fn fn, void *state,
                                               np_async **out, np_error *err);

/**
 * Waits for the operation where it is not complete, and hands out the response.
 *
 * @param async  from this request's np_request_begin_get_response
 * @param out    [out] owned: release with np_response_release
 * @return the failure of the operation; NP_E_ARGUMENT_NULL (ES-1), NP_E_ARGUMENT for a foreign
 * result (ES-2), NP_E_INVALID_OPERATION at the second call (ES-3)
 */
NP_API np_status np_request_end_get_response(np_request *request, np_async *async,
                                             np_response **out, np_error *err);

/**
 * The synchronous form: starts the request and waits, within np_request_set_timeout.
 *
 * @param out  [out] owned: release with np_response_release; the same response at every call
 * (GR-16)
 * @return as begin and end; NP_E_WEB/TIMEOUT aborts the request
 */
NP_API np_status np_request_get_response(np_request *request, np_response **out, np_error *err);

/**
 * Aborts the request: legal in every state, idempotent, from any thread (AB-1 … AB-6). NULL is
 * allowed.
 *
 * Every outstanding operation ends with NP_E_WEB/REQUEST_CANCELED, and its callback runs here,
 * before this returns: hold no lock that the callback takes. The connection is closed. What is
 * called afterwards gives REQUEST_CANCELED too; closing and releasing are fine.
 */
NP_API void np_request_abort(np_request *request);

/** True as soon as a response header was accepted, also for error statuses (GR-15). */
NP_API bool np_request_have_response(const np_request *request);
/**
 * Returns the response that came with a failure (GR-14), or NULL.
 *
 * @return owned: release with np_response_release. It can be read until its last reference has gone
 * once; after that it still tells its status and fields
 */
NP_API np_response *np_request_response(np_request *request);
/** Returns the state of the life cycle. */
NP_API np_request_state np_request_get_state(const np_request *request);

/* ---------------------------------------------------------------------------------------- asynchronous result */

/** Returns the pointer that was given to the begin call (AR-1). */
NP_API void *np_async_state(const np_async *async);
/** True once the operation has completed; never goes back (AR-2). */
NP_API bool np_async_is_completed(const np_async *async);
/** Always false: begin never runs the callback inline (AR-3). */
NP_API bool np_async_completed_synchronously(const np_async *async);
/**
 * Waits for completion.
 *
 * @param timeout_ms  -1: for ever
 * @return 0 done, 1 the time is over
 */
NP_API int np_async_wait(np_async *async, int64_t timeout_ms);
/** Returns an eventfd that becomes and stays readable on completion (AR-4); borrowed until release;
 * -1 without descriptors. */
NP_API int np_async_eventfd(np_async *async);
/** Returns the failure, borrowed until release; NULL while pending and on success. Does not count
 * as end. */
NP_API const np_error *np_async_error(const np_async *async);
/** Returns the response attached to a failure, a new reference (owned), or NULL. */
NP_API np_response *np_async_response(const np_async *async);
/** Takes another reference and returns `async`. */
NP_API np_async *np_async_retain(np_async *async);
/** Drops a reference; with the last one a response that no end call took is closed (AR-9). NULL is
 * allowed. */
NP_API void np_async_release(np_async *async);

/* --------------------------------------------------------------------------------------------------- response */

/** Returns the HTTP status, 100 … 999. */
NP_API int np_response_status(const np_response *response);
/** Returns the first value of a header field, ignoring case; borrowed until release; NULL: not
 * there. */
NP_API const char *np_response_header(const np_response *response, const char *name);
/** Returns the length of the body in bytes as the header says, -1 when not known. */
NP_API int64_t np_response_content_length(const np_response *response);
/** Returns the URL that answered; borrowed until release. */
NP_API const char *np_response_uri(const np_response *response);
/** Returns the method that was answered; borrowed until release. */
NP_API const char *np_response_method(const np_response *response);
/** Returns the protocol version: 10, 11, 20. */
NP_API int np_response_protocol(const np_response *response);

/**
 * Hands out the body's stream, the same one at every call.
 *
 * @param out  [out] owned: release with np_stream_release
 * @return NP_E_OBJECT_DISPOSED after close
 */
NP_API np_status np_response_stream(np_response *response, np_stream **out, np_error *err);
/** Closes the response and its stream: up to 64 KiB or 500 ms of body are drained to keep the
 * connection, else it is dropped. */
NP_API void np_response_close(np_response *response);
/** Drops a reference; the last one closes, unless a stream of it is still held. NULL is allowed. */
NP_API void np_response_release(np_response *response);

/* ----------------------------------------------------------------------------------------------------- stream */

/**
 * Reads from a response stream; waits until there is something, within
 * np_request_set_read_write_timeout.
 *
 * @param buffer  [out] buffer[capacity]
 * @param got     [out] bytes read; 0: end of the body
 * @return NP_E_WEB with CONNECTION_CLOSED (closed, or the body was cut short: what came is handed
 * out before), REQUEST_CANCELED after an abort, TIMEOUT (the time is over and the request was
 * aborted, or np_request_set_async_timeout), RECEIVE_FAILURE; NP_E_NOT_SUPPORTED while another read
 * is under way; NP_E_OBJECT_DISPOSED
 */
NP_API np_status np_stream_read(np_stream *stream, void *buffer, size_t capacity, size_t *got,
                                np_error *err);
/**
 * Starts a read; the buffer must stay valid until it has completed.
 *
 * @return as np_stream_read for what is known at once; the rest comes out of np_stream_end_read
 */
NP_API np_status np_stream_begin_read(np_stream *stream, void *buffer, size_t capacity,
                                      np_async_fn fn, void *state, np_async **out, np_error *err);
/** Ends a read that np_stream_begin_read began; `got` as in np_stream_read. */
NP_API np_status np_stream_end_read(np_stream *stream, np_async *async, size_t *got, np_error *err);
/**
 * Writes to a request stream; waits while the connection takes nothing and 64 KiB wait for it,
 * within np_request_set_read_write_timeout.
 *
 * @param buffer  buffer[length]
 * @param length  0: nothing is done (WS-7)
 * @return NP_E_PROTOCOL_VIOLATION when that would be more than the announced length: nothing of it
 * is sent (WS-6); NP_E_NOT_SUPPORTED while another write is under way (WS-5) and for a response
 * stream; NP_E_WEB with CONNECTION_CLOSED after close (WS-3), REQUEST_CANCELED after abort (WS-4),
 * TIMEOUT (WS-10: the request was aborted), or what the connection was lost by (WS-9), at every
 * later call too; NP_E_OBJECT_DISPOSED
 *
 * After a final response with a status of 300 or more, writes succeed and are dropped (WS-8).
 */
NP_API np_status np_stream_write(np_stream *stream, const void *buffer, size_t length,
                                 np_error *err);
/**
 * Starts a write; the buffer must stay valid until it has completed: when all of it was taken.
 *
 * @return as np_stream_write for what is known at once; the rest comes out of np_stream_end_write
 */
NP_API np_status np_stream_begin_write(np_stream *stream, const void *buffer, size_t length,
                                       np_async_fn fn, void *state, np_async **out, np_error *err);
/** Ends a write that np_stream_begin_write began. */
NP_API np_status np_stream_end_write(np_stream *stream, np_async *async, np_error *err);
/** Does nothing, always well (WS-11): what was written is on its way. */
NP_API np_status np_stream_flush(np_stream *stream, np_error *err);
/**
 * Closes the stream. Of a response: with it the response, and never a failure.
 *
 * Of a request: the body is complete. Closing twice, after abort, after the response is fine
 * (WS-15, WS-17).
 *
 * @return NP_E_WEB/REQUEST_CANCELED when announced bytes were not written or a write is under way:
 * the request is aborted (WS-12)
 */
NP_API np_status np_stream_close(np_stream *stream, np_error *err);
/** Drops a reference; the last one closes. NULL is allowed. */
NP_API void np_stream_release(np_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
