/*
 * Easy handles. Floor 2; loop thread only.
 *
 * What is the same for every request of a service point is set when the handle is made; a warm
 * request sets only what really changed, and most of the time that is nothing at all. The list of
 * request fields is ours: libcurl keeps the pointer to its first node, so it lies in the handle's
 * own memory and a request with the same fields as the one before costs a comparison.
 *
 * The entry of CURLOPT_RESOLVE (without "+": it never expires) goes into the name cache of the
 * multi handle with the first transfer of the handle and stays; without it libcurl would look the
 * name up by itself whenever a connection turns out dead.
 */
#include "easy.h"

#include "connection.h"
#include "curl_events.h"
#include "look.h"
#include "tunnel.h"
#include "tunnel_easy.h"
#include "upload.h"
#include "wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { METHOD_GET = 1, METHOD_HEAD, METHOD_OTHER };

/* libcurl sends at most one buffer of 16 KiB in the first write over TLS; longer requests are
 * watched piece by piece. */
#define LONG_REQUEST_BYTES 8192

static bool set_tls(CURL *h, const np_engine_options *options)
{
    static const long minimum[] = {[NP_TLS_DEFAULT] = CURL_SSLVERSION_DEFAULT,
                                   [NP_TLS_1_2] = CURL_SSLVERSION_TLSv1_2,
                                   [NP_TLS_1_3] = CURL_SSLVERSION_TLSv1_3};
    static const long maximum[] = {[NP_TLS_DEFAULT] = CURL_SSLVERSION_MAX_DEFAULT,
                                   [NP_TLS_1_2] = CURL_SSLVERSION_MAX_TLSv1_2,
                                   [NP_TLS_1_3] = CURL_SSLVERSION_MAX_TLSv1_3};
    CURLcode rc = curl_easy_setopt(h, CURLOPT_SSLVERSION,
                                   minimum[options->tls_minimum] | maximum[options->tls_maximum]);
    if (options->insecure) {
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_CAINFO, NULL);
    } else if (options->ca_file) {
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_CAINFO, options->ca_file);
    }
    /* The parsed store is cached by the multi handle only when there is no folder of certificates.
     */
    return (rc ? rc : curl_easy_setopt(h, CURLOPT_CAPATH, options->ca_path)) == CURLE_OK;
}

static bool set_common(np_easy *easy)
{
    CURL *h = easy->handle;
    const np_engine_options *options = &easy->point->engine->options;
    /* Above our own limit: our timer decides. */
    const int64_t idle_ns = options->max_idle_time_ns;
    const long max_age_s = idle_ns > 0 ? (long)(idle_ns / NP_NS_PER_S) + 3600 : INT32_MAX;
    CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc ? rc : curl_easy_setopt(h, option, value)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, easy->error);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");   /* not even from the environment, */
    SET(CURLOPT_NOPROXY, ""); /* which is not to be looked at, either */
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_TCP_NODELAY, 0L); /* is set on the socket already */
    SET(CURLOPT_MAXAGE_CONN, max_age_s);
    SET(CURLOPT_MAXLIFETIME_CONN, 0L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)INT32_MAX); /* ours is earlier */
#undef SET
    return rc == CURLE_OK && (!easy->point->tls || set_tls(h, options)) &&
           np_tunnel_set_options(easy);
}

static bool set_address(np_easy *easy, const np_connection *connection)
{
    if (easy->point->proxy)
        return np_tunnel_set_address(easy, connection);
    if (easy->resolve || easy->point->host_is_literal)
        return true;
    char address[INET6_ADDRSTRLEN] = "192.0.2.1";
    const struct sockaddr *peer = (const struct sockaddr *)&connection->peer;
    if (peer->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)peer)->sin6_addr, address,
                        sizeof address);
    else
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, address,
                        sizeof address);
    char entry[320];
    const int length = snprintf(entry, sizeof entry, "%s:%u:%s", easy->point->key.host,
                                easy->point->key.port, address);
    if (length < 0 || (size_t)length >= sizeof entry)
        return false;
    easy->resolve = curl_slist_append(NULL, entry);
    return easy->resolve &&
           curl_easy_setopt(easy->handle, CURLOPT_RESOLVE, easy->resolve) == CURLE_OK;
}

static np_easy *easy_create(np_service_point *point)
{
    np_easy *easy = calloc(1, sizeof *easy);
    if (!easy)
        return NULL;
    easy->point = point;
    easy->handle = curl_easy_init();
    if (!easy->handle || !np_curl_events_install(easy) || !set_common(easy)) {
        np_easy_free(easy);
        return NULL;
    }
    return easy;
}

np_easy *np_easy_take(np_service_point *point)
{
    np_easy *easy = point->free_easies;
    if (!easy)
        return easy_create(point);
    point->free_easies = easy->next_free;
    easy->next_free = NULL;
    return easy;
}

/* --- what a request sets --- */

/* A URL that is the same as before is not taken apart again: libcurl does that anew for every
 * transfer, and puts it together again, unless it is given the parts. (Version 7.88 loses the zone
 * of an address when it copies them; and what cannot be taken apart is left to it, with its words.)
 */
static CURLcode set_parts(np_easy *easy, const char *url)
{
    const unsigned flags = CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME; /* those of libcurl */
    if (!easy->parts && !(easy->parts = curl_url()))
        return CURLE_OUT_OF_MEMORY;
    const bool known = !strchr(easy->point->key.host, '%') &&
                       curl_url_set(easy->parts, CURLUPART_URL, url, flags) == CURLUE_OK;
    return curl_easy_setopt(easy->handle, CURLOPT_CURLU, known ? easy->parts : NULL);
}

static CURLcode set_url(np_easy *easy, const char *url)
{
    if (easy->url && strcmp(easy->url, url) == 0)
        return CURLE_OK;
    const size_t size = strlen(url) + 1;
    if (size > easy->url_capacity) {
        char *copy = realloc(easy->url, size);
        if (!copy)
            return CURLE_OUT_OF_MEMORY;
        easy->url = copy;
        easy->url_capacity = size;
    }
    memcpy(easy->url, url, size);
    const CURLcode rc = curl_easy_setopt(easy->handle, CURLOPT_URL, url);
    return rc ? rc : set_parts(easy, url);
}

static CURLcode set_method(np_easy *easy, const np_transfer_spec *spec)
{
    const char *method = spec->method;
    const int kind = strcmp(method, "GET") == 0    ? METHOD_GET
                     : strcmp(method, "HEAD") == 0 ? METHOD_HEAD
                                                   : METHOD_OTHER;
    if (easy->upload && spec->body_form == NP_BODY_FORM_NONE)
        easy->method_kind = -1; /* HTTPGET clears UPLOAD as well */
    if (kind == easy->method_kind && (kind != METHOD_OTHER || strcmp(easy->method, method) == 0))
        return CURLE_OK;
    easy->method_kind = kind;
    easy->method[0] = 0; /* a method too long to be remembered is set each time */
    if (kind == METHOD_OTHER && strlen(method) < sizeof easy->method)
        memcpy(easy->method, method, strlen(method) + 1);
    CURLcode rc =
        curl_easy_setopt(easy->handle, CURLOPT_CUSTOMREQUEST, kind == METHOD_OTHER ? method : NULL);
    rc = rc ? rc : curl_easy_setopt(easy->handle, CURLOPT_HTTPGET, 1L);
    easy->upload = false;
    if (kind == METHOD_HEAD)
        rc = rc ? rc : curl_easy_setopt(easy->handle, CURLOPT_NOBODY, 1L);
    return rc;
}

static bool is_named(const np_header_line *line, const char *name)
{
    return line->name_length == strlen(name) &&
           strncasecmp(line->name, name, line->name_length) == 0;
}

/* Room for `length` bytes in out[], where there is an out; the text of one field as libcurl wants
 * it. */
static size_t put_field(char *out, const np_header_line *line)
{
    if (line->value_length == 0) { /* "Name;" is libcurl's way to say an empty value */
        if (out) {
            memcpy(out, line->name, line->name_length);
            memcpy(out + line->name_length, ";", 2);
        }
        return line->name_length + 2;
    }
    if (out) {
        memcpy(out, line->name, line->name_length);
        memcpy(out + line->name_length, ": ", 2);
        memcpy(out + line->name_length + 2, line->value, line->value_length);
        out[line->name_length + 2 + line->value_length] = 0;
    }
    return line->name_length + line->value_length + 3;
}

/* "Name:" keeps libcurl from sending a field that nobody asked for. */
static size_t put_removal(char *out, const char *text)
{
    const size_t size = strlen(text) + 1;
    if (out)
        memcpy(out, text, size);
    return size;
}

/* What libcurl sends by itself; a field of ours in its place makes it look through our list for
 * every field it knows. */
static bool is_default_accept(const np_header_line *line)
{
    return is_named(line, "Accept") && line->value_length == 3 &&
           memcmp(line->value, "*/*", 3) == 0;
}

/* What the request expects, and 100-continue where the upload wants it; each may be NULL or "". */
static size_t put_expect(char *out, const char *own, const char *upload)
{
    static const char name[] = "Expect: ";
    const char *const parts[] = {name, own ? own : "", own && upload && *upload ? ", " : "",
                                 upload ? upload : ""};
    size_t length = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t n = strlen(parts[i]);
        if (out)
            memcpy(out + length, parts[i], n);
        length += n;
    }
    if (out)
        out[length] = 0;
    return length + 1;
}

/* Goes through the fields that a request hands to libcurl: its own, Host, and "Accept:" where
   libcurl would add one that nobody asked for.
   out NULL: only counts. Returns the bytes of all texts with their NULs. */
static size_t put_fields(char *out, const np_transfer_spec *spec, size_t *count)
{
    size_t length = 0;
    size_t accepts = 0;
    for (size_t i = 0; i < spec->header_count; i++)
        accepts += is_named(&spec->headers[i], "Accept");
    *count = 0;
    if (spec->host_header) {
        const np_header_line host = {"Host", spec->host_header, 4, strlen(spec->host_header)};
        length += put_field(out, &host);
        ++*count;
    }
    const char *expect = np_upload_expect(spec);
    if (spec->expect || (expect && *expect)) {
        length += put_expect(out ? out + length : NULL, spec->expect, expect);
        ++*count;
    } else if (expect) {
        length += put_removal(out ? out + length : NULL, "Expect:");
        ++*count;
    }
    for (size_t i = 0; i < spec->header_count; i++) {
        const np_header_line *line = &spec->headers[i];
        if (accepts == 1 && is_default_accept(line))
            continue;
        length += put_field(out ? out + length : NULL, line);
        ++*count;
    }
    if (accepts == 0) {
        length += put_removal(out ? out + length : NULL, "Accept:");
        ++*count;
    }
    return length;
}

/* Are the fields the same as those that are set? */
static bool same_fields(const np_easy *easy, const np_transfer_spec *spec)
{
    char text[1024];
    size_t count;
    const size_t length = put_fields(NULL, spec, &count);
    if (length != easy->header_length || length > sizeof text)
        return false;
    if (length == 0)
        return true; /* none set, none wanted */
    (void)put_fields(text, spec, &count);
    return memcmp(text, easy->header_text, length) == 0;
}

static CURLcode set_fields(np_easy *easy, const np_transfer_spec *spec)
{
    if (same_fields(easy, spec))
        return CURLE_OK;
    size_t count;
    const size_t length = put_fields(NULL, spec, &count);
    if (length > easy->header_capacity) {
        char *text = realloc(easy->header_text, length);
        if (!text)
            return CURLE_OUT_OF_MEMORY;
        easy->header_text = text;
        easy->header_capacity = length;
    }
    if (count > easy->list_capacity) {
        struct curl_slist *list = realloc(easy->list, count * sizeof *list);
        if (!list)
            return CURLE_OUT_OF_MEMORY;
        easy->list = list;
        easy->list_capacity = count;
    }
    (void)put_fields(easy->header_text, spec, &count);
    easy->header_length = length;
    char *text = easy->header_text;
    for (size_t i = 0; i < count; i++) {
        easy->list[i] = (struct curl_slist){text, i + 1 < count ? &easy->list[i + 1] : NULL};
        text += strlen(text) + 1;
    }
    return curl_easy_setopt(easy->handle, CURLOPT_HTTPHEADER, count ? easy->list : NULL);
}

/* With it libcurl tells of each write, and of the messages of a handshake as they are written. It
 * costs the formatting of texts nobody reads, so only where nothing else tells. */
static CURLcode set_verbose(np_easy *easy, const np_transfer_spec *spec,
                            const np_connection *connection)
{
    easy->many_writes = spec->body_form != NP_BODY_FORM_NONE ||
                        strlen(spec->url) + easy->header_length > LONG_REQUEST_BYTES;
    const bool for_tunnel = np_tunnel_has_phase(easy->point) && !connection->ready;
    const bool verbose = easy->many_writes || for_tunnel || np_look_is_wanted(connection) ||
                         np_wire_is_kept(easy->point->engine);
    if (verbose == easy->verbose)
        return CURLE_OK;
    easy->verbose = verbose;
    return curl_easy_setopt(easy->handle, CURLOPT_VERBOSE, (long)verbose);
}

/* See curl_events.c: on a connection that was used before, the end of send is told without it. */
static CURLcode set_progress(np_easy *easy, bool progress)
{
    if (progress == easy->progress)
        return CURLE_OK;
    easy->progress = progress;
    return curl_easy_setopt(easy->handle, CURLOPT_NOPROGRESS, (long)!progress);
}

static CURLcode set_version(np_easy *easy, const np_transfer_spec *spec)
{
    const long version = spec->version == 10                       ? (long)CURL_HTTP_VERSION_1_0
                         : spec->version == 20 && easy->point->tls ? (long)CURL_HTTP_VERSION_2TLS
                                                                   : (long)CURL_HTTP_VERSION_1_1;
    if (version == easy->version)
        return CURLE_OK;
    easy->version = version;
    return curl_easy_setopt(easy->handle, CURLOPT_HTTP_VERSION, version);
}

/* Any text will do: it turns on the decoders of all codings libcurl knows, and the Accept-Encoding
 * that it would send gives way to the one among our fields. */
static CURLcode set_decode(np_easy *easy, bool decode)
{
    if (decode == easy->decode)
        return CURLE_OK;
    easy->decode = decode;
    return curl_easy_setopt(easy->handle, CURLOPT_ACCEPT_ENCODING, decode ? "identity" : NULL);
}

static CURLcode set_cold(np_easy *easy, bool cold)
{
    if (!easy->point->tls || cold == easy->cold)
        return CURLE_OK;
    easy->cold = cold;
    return curl_easy_setopt(easy->handle, CURLOPT_SSL_SESSIONID_CACHE, (long)!cold);
}

/* After a failure nobody knows what the handle carries: the next request sets everything. The list
 * of fields may lie where it did not when libcurl was told of it. */
static void forget_what_is_set(np_easy *easy)
{
    if (easy->url)
        easy->url[0] = 0;
    easy->method_kind = -1;
    easy->version = -1;
    easy->header_length = SIZE_MAX;
    (void)curl_easy_setopt(easy->handle, CURLOPT_HTTPHEADER, NULL); /* cannot fail */
}

static CURLcode set_all(np_easy *easy, const np_transfer_spec *spec, np_connection *connection)
{
    CURLcode rc = np_connection_take_easy(connection, easy);
    rc = rc ? rc : set_url(easy, spec->url);
    rc = rc ? rc : set_method(easy, spec);
    rc = rc ? rc : np_upload_prepare(easy, spec);
    rc = rc ? rc : set_fields(easy, spec);
    rc = rc ? rc : set_version(easy, spec);
    rc = rc ? rc : set_verbose(easy, spec, connection);
    rc = rc ? rc : np_tunnel_prepare(easy, connection);
    rc = rc ? rc : set_progress(easy, !connection->ready || connection->protocol == 20);
    rc = rc ? rc : set_decode(easy, spec->decode);
    return rc ? rc : set_cold(easy, spec->reuse == NP_REUSE_COLD);
}

CURLcode np_easy_prepare(np_easy *easy, const np_transfer_spec *spec, np_connection *connection)
{
    easy->error[0] = 0;
    if (!set_address(easy, connection))
        return CURLE_OUT_OF_MEMORY;
    const CURLcode rc = set_all(easy, spec, connection);
    if (rc != CURLE_OK)
        forget_what_is_set(easy);
    return rc;
}

/* --- the end of a use --- */

void np_easy_rest(np_easy *easy)
{
    easy->transfer = NULL;
    easy->next_free = easy->point->free_easies;
    easy->point->free_easies = easy;
}

void np_easy_free(np_easy *easy)
{
    if (!easy)
        return;
    np_connection_drop_easy(easy);
    curl_easy_cleanup(easy->handle);
    curl_url_cleanup(easy->parts);
    curl_slist_free_all(easy->resolve);
    free(easy->header_text);
    free(easy->list);
    free(easy->url);
    free(easy);
}

uint32_t np_engine_decoders(void)
{
    static const struct {
        int feature;
        uint32_t decoder;
    } features[] = {
        {CURL_VERSION_LIBZ,   NP_DECOMPRESS_GZIP | NP_DECOMPRESS_DEFLATE},
        {CURL_VERSION_BROTLI, NP_DECOMPRESS_BROTLI                      },
        {CURL_VERSION_ZSTD,   NP_DECOMPRESS_ZSTD                        },
    };
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    uint32_t decoders = 0;
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (info->features & features[i].feature)
            decoders |= features[i].decoder;
    return decoders;
}
