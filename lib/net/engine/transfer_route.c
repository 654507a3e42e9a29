/*
 * Which way a request takes. Floor 2; loop thread only.
 *
 * A service point is the pair of an origin and a way to it, so going on to the next proxy is going
 * to the queue of another service point. The key of a way has the credentials in it: it stays in
 * memory, what the trace shows is np_proxy_entry.text.
 */
#include "transfer_route.h"

#include "proxy_decide.h"

#include "service_point.h"
#include "transfer_run.h"
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
    return (np_pool_key){.scheme = spec->scheme,
                         .host = spec->host,
                         .port = spec->port,
                         .group = spec->group};
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

void np_route_end(np_transfer *transfer)
{
    np_proxy_list_release(transfer->route.list);
    transfer->route.list = NULL;
}

bool np_route_may_go_on(np_transfer *transfer, const np_error *failure, uint64_t now_ns)
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

void np_route_go_on(np_transfer *transfer, uint64_t now_ns)
{
    transfer->route.index++;
    np_emit_phase_begin(transfer->engine->producer, now_ns, transfer->number, NP_PHASE_QUEUE,
                        NP_SOURCE_CALL);
    if (!enter(transfer, now_ns))
        fail_without_memory(transfer, now_ns);
}

void np_route_proxy_worked(np_engine *engine, const np_proxy_entry *proxy)
{
    if (engine->options.proxies)
        np_proxy_worked(engine->options.proxies, proxy);
}
