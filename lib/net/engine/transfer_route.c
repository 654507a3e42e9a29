/*
 * Which way a request takes. Floor 2; loop thread only.
 *
 * A service point is the pair of an origin and a way to it, so going on to the next proxy is going
 * to the queue of another service point. The key of a way has the credentials in it: it stays in
 * memory, what the trace shows is np_proxy_entry.text.
 */
#include "transfer_route.h"

#include "proxy_decide.h"

#include "easy.h"
#include "service_point.h"
#include "transfer_end.h"
#include "transfer_trace.h"
#include "tunnel.h"

#include "fail.h"
#include "textbuf.h"

#include <string.h>

static const np_proxy_entry *entry_of(const np_transfer *transfer)
{
    const np_proxy_list *list = transfer->route.list;
    if (!list || transfer->route.index >= list->count)
        return NULL;
    const np_proxy_entry *entry = &list->entry[transfer->route.index];
    return entry->kind == NP_PROXY_DIRECT ? NULL : entry;
}

/* "2://user:password@host:port": what makes two ways the same. */
static void write_key(np_textbuf *out, const np_proxy_entry *entry)
{
    np_textbuf_print(out, "%d://", (int)entry->kind);
    if (entry->user)
        np_textbuf_print(out, "%zu:%s:%s@", strlen(entry->user), entry->user,
                         entry->password ? entry->password : "");
    np_textbuf_print(out, "%s:%u", entry->host, (unsigned)entry->port);
}

np_pool_key np_route_key(const np_transfer_spec *spec)
{
    return (np_pool_key){
        .scheme = spec->scheme, .host = spec->host, .port = spec->port, .group = spec->group};
}

static np_service_point *find_point(np_transfer *transfer)
{
    np_pool_key key = np_route_key(&transfer->spec);
    const np_proxy_entry *entry = entry_of(transfer);
    if (!entry)
        return np_service_point_get(transfer->engine, &key);
    np_textbuf text;
    np_textbuf_init(&text, 4096);
    write_key(&text, entry);
    key.proxy = text.text;
    key.via = entry;
    key.via_list = transfer->route.list;
    np_service_point *point = text.failed ? NULL : np_service_point_get(transfer->engine, &key);
    np_textbuf_done(&text);
    return point;
}

/* Into the queue of the entry it is at; false: no memory. */
static bool enter(np_transfer *transfer, uint64_t now_ns)
{
    np_service_point *point = find_point(transfer);
    if (!point)
        return false;
    transfer->point = point;
    transfer->stage = NP_STAGE_QUEUE;
    np_trace_proxy(transfer, now_ns);
    np_list_push_back(&point->arriving, &transfer->in_queue);
    np_service_point_changed(point);
    return true;
}

static void fail_without_memory(np_transfer *transfer, uint64_t now_ns)
{
    np_error failure;
    (void)np_fail(&failure, NP_E_NO_MEMORY, "no memory for a connection");
    np_transfer_fail(transfer, &failure, now_ns);
}

static void on_list(np_proxy_list *list, const np_error *error, void *user)
{
    np_transfer *transfer = user;
    const uint64_t now_ns = np_now();
    transfer->route.lookup = NULL;
    transfer->route.list = list;
    if (error)
        np_transfer_fail(transfer, error, now_ns);
    else if (!enter(transfer, now_ns))
        fail_without_memory(transfer, now_ns);
}

bool np_route_begin(np_transfer *transfer)
{
    const np_engine *engine = transfer->engine;
    const np_transfer_spec *spec = &transfer->spec;
    const uint64_t loop_ns = np_loop_now(engine->loop);
    const uint64_t now_ns = loop_ns > spec->begin_ns ? loop_ns : spec->begin_ns;
    if (spec->proxy_list || !engine->options.proxies) {
        transfer->route.list = np_proxy_list_retain(spec->proxy_list);
        return enter(transfer, now_ns);
    }
    const np_proxy_question question = {.scheme = spec->scheme,
                                        .host = spec->host,
                                        .port = spec->port,
                                        .request = transfer->number,
                                        .cold = spec->reuse == NP_REUSE_COLD,
                                        .settings = spec->proxy};
    transfer->route.lookup = np_proxy_ask(engine->options.proxies, &question, now_ns,
                                          &transfer->route.list, on_list, transfer);
    if (!transfer->route.lookup)
        return enter(transfer, now_ns);
    transfer->stage = NP_STAGE_PROXY;
    transfer->point = NULL; /* nothing would keep it */
    return true;
}

void np_route_leave(np_transfer *transfer, uint64_t now_ns)
{
    if (transfer->route.lookup)
        np_proxy_lookup_cancel(transfer->route.lookup, now_ns);
    transfer->route.lookup = NULL;
}

/* The set-up through the entry it is at has failed, and it was the proxy's fault: remembers that,
 * and true: there is another entry to be tried. Its connection is still there. */
static bool may_go_on(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
{
    np_tunnel *tunnel = transfer->connection ? transfer->connection->tunnel : NULL;
    const np_proxy_list *list = transfer->route.list;
    if (!tunnel || !list || transfer->prereq_seen)
        return false;
    if (tunnel->origin_failed) {
        np_tunnel_failed(tunnel, failure, 0, now_ns);
        return false;
    }
    np_proxy_resolver *resolver = transfer->engine->options.proxies;
    if (resolver)
        np_proxy_failed(resolver, tunnel->proxy, now_ns);
    np_tunnel_failed(tunnel, failure, resolver ? NP_PROXY_BAD_NS : 0, now_ns);
    return transfer->route.index + 1 < list->count;
}

/* Into the queue of the next entry. */
static void go_on(np_transfer *transfer, uint64_t now_ns)
{
    transfer->route.index++;
    np_emit_phase_begin(transfer->engine->producer, now_ns, transfer->number, NP_PHASE_QUEUE,
                        NP_SOURCE_CALL);
    if (!enter(transfer, now_ns))
        fail_without_memory(transfer, now_ns);
}

bool np_route_fail_over(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
{
    if (!may_go_on(transfer, failure, now_ns))
        return false;
    np_easy *easy = transfer->easy;
    const np_close_reason reason = transfer->connection->state == NP_CONNECTION_CONNECTING
                                       ? NP_CLOSE_CONNECT
                                       : np_transfer_close_reason(failure);
    np_list_remove(&transfer->in_queue);
    if (easy && easy->transfer == transfer) {
        np_transfer_tear_out(transfer, reason, now_ns);
    } else {
        if (easy)
            np_easy_rest(easy);
        transfer->easy = NULL;
        np_transfer_drop_connection(transfer, reason, now_ns);
    }
    transfer->no_socket = false;
    go_on(transfer, now_ns);
    return true;
}
