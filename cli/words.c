/* What codes and details of a trace are in words. */
#include "words.h"
#include "json.h"
#include "output.h"
#include <inttypes.h>
#include <netphase/text.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct word {
    const char *code, *words;
};

static const struct word new_because_words[] = {
    {"first",          "first to this origin"                         },
    {"forced",         "a fresh one was asked for"                    },
    {"all_busy",       "all others were busy"                         },
    {"peer_closed",    "the peer had closed the idle one"             },
    {"dead_on_reuse",  "the idle one turned out dead when it was used"},
    {"too_old",        "the idle one was too old"                     },
    {"options_differ", "the idle one was made with other options"     },
    {"proxy_differs",  "the idle one goes through another proxy"      },
    {"evicted",        "the idle one had been closed to make room"    },
    {"lease_over",     "the lease of the idle one was over"           },
    {"group_differs",  "the idle one belongs to another group"        },
    {"unknown",        "not known"                                    },
};

const char *words_new_because(const char *code)
{
    for (size_t i = 0; i < sizeof new_because_words / sizeof new_because_words[0]; i++)
        if (strcmp(code, new_because_words[i].code) == 0)
            return new_because_words[i].words;
    return code;
}

const char *words_hop_reason(const char *code)
{
    static const struct {
        const char *code, *words;
    } reasons[] = {
        {"first",         "began"               },
        {"redirect",      "redirected"          },
        {"auth",          "authentication"      },
        {"proxy_auth",    "proxy authentication"},
        {"retry",         "connection was lost" },
        {"expect_failed", "without Expect"      },
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(code, reasons[i].code) == 0)
            return reasons[i].words;
    return code;
}

static void put_duration(struct text *out, int64_t duration_ns, bool ascii)
{
    char duration[32];
    text_outside(out, np_duration_text(duration_ns, duration, sizeof duration), ascii);
}

/* "; " between parts. */
static void separate(struct text *out)
{
    if (out->length > 0)
        text_puts(out, "; ");
}

void words_failure(struct text *out, const np_row *row, bool ascii)
{
    if (!row->failed)
        return;
    const char *class_name =
        row->web_status > 0 ? np_web_status_name((np_web_status)row->web_status) : row->outcome;
    text_outside(out, class_name, ascii);
    if (row->error[0]) {
        text_puts(out, ": ");
        text_outside(out, row->error, ascii);
    }
    if (row->error_code != 0) {
        text_puts(out, " (");
        text_outside(out, row->error_layer[0] ? row->error_layer : "code", ascii);
        text_print(out, " %d)", row->error_code);
    }
}

/* ------------------------------------------------------------------------------------------------
 * phases */

static void dns_words(struct text *out, const np_row *row)
{
    enum { FLAG_DNS_CACHED = 64 }; /* requests.flags, documented with the schema */
    if (row->flags & FLAG_DNS_CACHED)
        text_puts(out, "from the cache");
    else if (row->dns_queries > 0)
        text_print(out, row->dns_queries == 1 ? "1 query" : "%d queries", row->dns_queries);
}

static void connect_words(struct text *out, const np_row *row, bool ascii)
{
    text_outside(out, row->remote, ascii);
    if (row->connect_attempts > 1) {
        separate(out);
        text_print(out, "%d attempts", row->connect_attempts);
    }
}

static void tls_words(struct text *out, const np_request_detail *request, bool ascii)
{
    const np_connection_info *connection = request->connection;
    text_outside(out, request->row.tls_version, ascii);
    if (!connection)
        return;
    if (connection->tls_resumed >= 0) {
        if (out->length > 0)
            text_puts(out, ", ");
        text_puts(out, connection->tls_resumed ? "resumed" : "not resumed");
    }
    if (connection->alpn[0]) {
        text_puts(out, ", ");
        text_outside(out, connection->alpn, ascii);
    }
}

static void bytes_words(struct text *out, int64_t bytes, int64_t application_ns, const char *blame,
                        bool ascii)
{
    if (bytes > 0)
        size_people(out, bytes);
    if (application_ns > 0) {
        separate(out);
        text_puts(out, blame);
        put_duration(out, application_ns, ascii);
    }
}

void words_phase(struct text *out, const np_request_detail *request, np_phase phase, bool ascii)
{
    const np_row *row = &request->row;
    switch (phase) {
    case NP_PHASE_PROXY:
        text_outside(out, row->proxy[0] ? row->proxy : "direct", ascii);
        break;
    case NP_PHASE_DNS:
        dns_words(out, row);
        break;
    case NP_PHASE_CONNECT:
        connect_words(out, row, ascii);
        break;
    case NP_PHASE_TUNNEL:
        text_outside(out, row->proxy, ascii);
        break;
    case NP_PHASE_TLS:
        tls_words(out, request, ascii);
        break;
    case NP_PHASE_SEND:
        bytes_words(out, row->sent_bytes, row->send_application_ns, "the program gave no data for ",
                    ascii);
        break;
    case NP_PHASE_RECEIVE:
        bytes_words(out, row->received_bytes, row->receive_application_ns,
                    "the program took no data for ", ascii);
        break;
    case NP_PHASE_GAP:
        text_puts(out, "not attributed to any phase");
        break;
    case NP_PHASE_QUEUE:
    case NP_PHASE_WAIT:
        break;
    }
}

/* -------------------------------------------------------------------------------------------------
 * spans */

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

/* Keys whose value says enough. */
static bool speaks_for_itself(const char *key)
{
    static const char *const keys[] = {
        "server",  "address", "addresses", "remote", "transport", "rcode", "result",  "proxies",
        "version", "error",   "reason",    "url",    "alpn",      "errno", "verdict", "value"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* The key without its last `cut` bytes, underscores as blanks, and a blank. */
static void put_key(struct text *out, const char *key, size_t cut, bool ascii)
{
    struct text words = {0};
    text_add(&words, key, strlen(key) - cut);
    for (size_t i = 0; i < words.length; i++)
        if (words.data[i] == '_')
            words.data[i] = ' ';
    text_outside(out, text_string(&words), ascii);
    text_char(out, ' ');
    text_done(&words);
}

/* Brackets and quotes off, a blank behind each comma. */
static void put_list(struct text *out, const char *value, bool ascii)
{
    struct text words = {0};
    for (const char *at = value; *at; at++) {
        if (!strchr("[]{}\"", *at))
            text_char(&words, *at);
        if (*at == ',' && at[1] != ' ')
            text_char(&words, ' ');
    }
    text_outside(out, text_string(&words), ascii);
    text_done(&words);
}

static void put_member(struct text *out, const struct json_member *member, bool ascii)
{
    bool is_number = member->kind == 'n';
    long long number = is_number ? strtoll(member->value, NULL, 10) : 0;
    if (is_number && ends_in(member->key, "_ns")) {
        put_key(out, member->key, 3, ascii);
        put_duration(out, number, ascii);
    } else if (is_number && ends_in(member->key, "_bytes")) {
        put_key(out, member->key, 6, ascii);
        size_people(out, number);
    } else if (is_number && ends_in(member->key, "_s")) {
        put_key(out, member->key, 2, ascii);
        text_print(out, "%lld s", number);
    } else if (is_number && ends_in(member->key, "_ms")) {
        put_key(out, member->key, 3, ascii);
        text_print(out, "%lld ms", number);
    } else if (is_number && strcmp(member->key, "errno") == 0) {
        text_outside(out, number > 0 && number < 4096 ? strerror((int)number) : member->value,
                     ascii);
    } else if (member->kind == 'b') {
        put_key(out, member->key, 0, ascii);
        out->data[--out->length] = '\0'; /* the key alone says it */
    } else {
        if (!speaks_for_itself(member->key))
            put_key(out, member->key, 0, ascii);
        if (member->kind == '[' || member->kind == '{')
            put_list(out, member->value, ascii);
        else
            text_outside(out, member->value, ascii);
    }
}

static bool says_nothing(const struct json_member *member)
{
    return member->kind == '0' || strcmp(member->value, "false") == 0 ||
           strcmp(member->value, "[]") == 0 || (member->kind == 's' && !member->value[0]);
}

/* Is it said by the outcome ("refused": ECONNREFUSED), or of interest to programs alone? */
static bool goes_without_saying(const struct json_member *member, const np_span *span)
{
    static const struct {
        const char *word, *key, *value; /* of an outcome or a kind; NULL: any value */
    } said[] = {
        {"refused",   "errno",  "ECONNREFUSED"},
        {"timeout",   "errno",  "ETIMEDOUT"   },
        {"handshake", "last",   NULL          },
        {"handshake", "source", NULL          },
    };
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        if (strcmp(member->key, said[i].key) == 0 &&
            (strcmp(span->outcome, said[i].word) == 0 || strcmp(span->kind, said[i].word) == 0) &&
            (!said[i].value || strcmp(member->value, said[i].value) == 0))
            return true;
    return false;
}

static void put_detail(struct text *out, const np_span *span, bool ascii)
{
    bool is_first = true;
    struct json_member member;
    for (const char *detail = span->detail; json_member_next(&detail, &member);) {
        if (says_nothing(&member) || goes_without_saying(&member, span))
            continue;
        if (out->length > 0)
            text_puts(out, is_first ? ": " : ", ");
        put_member(out, &member, ascii);
        is_first = false;
    }
}

/* What goes without saying in a lookup or a query: it is what nearly all of them have, or what the
 * outcome says already. */
static bool is_usual(const struct json_member *member, const np_span *span)
{
    static const struct {
        const char *key, *value;
    } usual[] = {
        {"source",    "dns"      },
        {"source",    "localhost"}, /* the name says it */
        {"transport", "udp"      },
        {"attempt",   "1"        }
    };
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (strcmp(member->key, usual[i].key) == 0 && strcmp(member->value, usual[i].value) == 0)
            return true;
    if (strcmp(member->key, "rcode") == 0)
        return strcasecmp(member->value, span->outcome) == 0 ||
               (strcmp(span->outcome, "nodata") == 0 && strcmp(member->value, "NOERROR") == 0);
    return strcmp(member->key, "answered_bytes") == 0;
}

static void put_blank(struct text *out)
{
    if (out->length > 0)
        text_char(out, ' ');
}

/* Who answered a lookup. */
static const char *source_words(const char *code)
{
    return strcmp(code, "nss") == 0 ? "the system's resolver" : code;
}

/* "127.0.0.1:53 NOERROR ttl 60 s → 10.0.0.7": whom it asked, how it ended, what came. */
static void put_answer(struct text *out, const np_span *span, bool ascii)
{
    struct text facts = {0};
    struct text addresses = {0};
    struct json_member member;
    for (const char *detail = span->detail; json_member_next(&detail, &member);) {
        if (says_nothing(&member) || is_usual(&member, span) || goes_without_saying(&member, span))
            continue;
        if (strcmp(member.key, "server") == 0) {
            put_blank(out);
            put_member(out, &member, ascii);
        } else if (strcmp(member.key, "addresses") == 0) {
            put_member(&addresses, &member, ascii);
        } else {
            put_blank(&facts);
            if (strcmp(member.key, "source") == 0)
                text_outside(&facts, source_words(member.value), ascii);
            else
                put_member(&facts, &member, ascii);
        }
    }
    if (span->outcome[0] && strcmp(span->outcome, "ok") != 0) {
        put_blank(out);
        text_outside(out, span->outcome, ascii);
    }
    if (facts.length > 0) {
        put_blank(out);
        text_puts(out, text_string(&facts));
    }
    if (addresses.length > 0) {
        text_puts(out, ascii ? " -> " : " → ");
        text_puts(out, text_string(&addresses));
    }
    text_done(&facts);
    text_done(&addresses);
}

/* A query is named "A api.example"; below the lookup of that name "A" is enough. */
static void put_name(struct text *out, const np_span *span, const np_span *parent, bool ascii)
{
    const char *host = strchr(span->name, ' ');
    if (!parent || !host || strcmp(host + 1, parent->name) != 0) {
        text_outside(out, span->name, ascii);
        return;
    }
    struct text type = {0};
    text_add(&type, span->name, (size_t)(host - span->name));
    text_outside(out, text_string(&type), ascii);
    text_done(&type);
}

/* Proxies are tried in order; of several it says which one this was: " (2 of 3)". */
static void put_place(struct text *out, const char *detail)
{
    long long index = -1;
    long long count = 0;
    struct json_member member;
    while (json_member_next(&detail, &member)) {
        if (strcmp(member.key, "index") == 0 && member.kind == 'n')
            index = strtoll(member.value, NULL, 10);
        else if (strcmp(member.key, "of") == 0 && member.kind == 'n')
            count = strtoll(member.value, NULL, 10);
    }
    if (count > 1 && index >= 0 && index < count)
        text_print(out, " (%lld of %lld)", index + 1, count);
}

/* "403 api.example:443": what the proxy answered goes first, it is what one looks for. false: it
 * did not answer. */
static bool put_connect_request(struct text *out, const np_span *span, bool ascii)
{
    static const char method[] = "CONNECT ";
    const size_t length = sizeof method - 1;
    struct json_member member;
    for (const char *detail = span->detail; json_member_next(&detail, &member);) {
        if (strcmp(member.key, "status") != 0)
            continue;
        text_outside(out, member.value, ascii);
        text_char(out, ' ');
        text_outside(out,
                     strncmp(span->name, method, length) == 0 ? span->name + length : span->name,
                     ascii);
        return true;
    }
    return false;
}

void words_span(struct text *out, const np_span *span, const np_span *parent, bool ascii)
{
    const bool is_lookup = strcmp(span->kind, "lookup") == 0 || strcmp(span->kind, "query") == 0;
    const bool failed = !is_lookup && strcmp(span->outcome, "failed") == 0;
    if (strcmp(span->kind, "connect_request") == 0 && put_connect_request(out, span, ascii))
        return;
    if (failed)
        text_puts(out, ascii ? "x " : "✗ ");
    put_name(out, span, parent, ascii);
    if (is_lookup) {
        put_answer(out, span, ascii);
        return;
    }
    if (span->outcome[0] && !failed && strcmp(span->outcome, "ok") != 0) {
        put_blank(out);
        text_outside(out, span->outcome, ascii);
    }
    if (strcmp(span->kind, "proxy_try") == 0)
        put_place(out, span->detail);
    else
        put_detail(out, span, ascii);
}
