/*
 * The fold of events into requests, connections and spans. Floor 2. See fold.h.
 *
 * One function an event type. A warm request costs a slot of a slab, a place in a map by number,
 * and the fold of its cut; no malloc.
 */
#include "fold.h"

#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------------- requests */

static np_seen_request *request_of(np_assembly *assembly, uint32_t number)
{
    if (assembly->last && assembly->last->number == number)
        return assembly->last;
    np_seen_request *request = np_map_get(&assembly->requests, number);
    if (request)
        assembly->last = request;
    return request;
}

static void begin_request(np_assembly *assembly, const np_event *event, uint64_t position,
                          const np_inline_texts *texts)
{
    if (event->request == 0 || request_of(assembly, event->request) ||
        (assembly->stored && np_map_get(assembly->stored, event->request)))
        return;
    np_seen_request *request = np_slab_take(&assembly->request_slab);
    if (!request || !np_map_put(&assembly->requests, event->request, request)) {
        if (request)
            np_slab_give(&assembly->request_slab, request);
        assembly->lost++;
        return;
    }
    memset(request, 0, offsetof(np_seen_request, cut));
    memset(&request->row_id, 0, sizeof *request - offsetof(np_seen_request, row_id));
    np_cut_init(&request->cut);
    request->number = event->request;
    request->method = np_held_take(event, 0, texts);
    request->origin = np_held_take(event, 1, texts);
    request->path = np_held_take(event, 2, texts);
    request->hop_of = (uint32_t)event->word[3];
    request->hop = (uint16_t)(event->word[3] >> 32);
    request->hop_reason = (uint8_t)(event->word[3] >> 48);
    request->purpose = (uint8_t)(event->word[3] >> 56);
    request->proxy_source = (uint8_t)event->word[4];
    request->caller_ns = request->received_bytes = request->sent_bytes = -1;
    request->pin.kind = NP_PIN_REQUEST;
    np_pin_put(assembly, &request->pin, position, event->time_ns);
    if (request->hop_of) {
        request->next_hop = assembly->hops;
        assembly->hops = request;
    }
    assembly->last = request;
}

static void set_proxy(np_seen_request *request, const np_event *event, const np_inline_texts *texts)
{
    np_held_drop(&request->proxy);
    request->proxy = np_held_take(event, 1, texts);
    request->proxy_source = (uint8_t)event->word[0];
    request->proxy_seen = true;
}

static void append_ended(np_assembly *assembly, np_seen_request *request)
{
    np_pin_remove(&request->pin);
    if (request->hop_of && !request->hop_row)
        np_assembly_forget_hop(assembly, request);
    np_map_remove(&assembly->requests, request->number);
    if (assembly->last == request)
        assembly->last = NULL;
    request->next = NULL;
    if (assembly->last_ended)
        assembly->last_ended->next = request;
    else
        assembly->first_ended = request;
    assembly->last_ended = request;
    assembly->ended_count++;

    np_seen_connection *setup = request->setup;
    if (!setup && request->connection_use == 1 &&
        request->connection) { /* OPEN was seen by the killed process's collector */
        setup = request->setup = request->connection;
        setup->users++;
        setup->owner = request;
    }
    if (setup && setup->owner == request) {
        np_connection_attribute(setup, request);
        setup->owner = NULL;
        if (setup->setup_ended)
            np_assembly_ready_connection(assembly, setup);
    }
}

static void end_request(np_assembly *assembly, np_seen_request *request, const np_event *event,
                        const np_inline_texts *texts)
{
    const uint64_t w0 = event->word[0];
    request->outcome = (uint8_t)w0;
    request->web_status = (uint8_t)(w0 >> 8);
    request->layer = (uint8_t)(w0 >> 16);
    request->protocol = (uint8_t)(w0 >> 24);
    request->status = (uint16_t)(w0 >> 32);
    request->error_code = (int32_t)(uint32_t)event->word[1];
    request->flags = (uint32_t)(event->word[1] >> 32);
    request->received_bytes = (int64_t)event->word[2]; /* all ones: not known */
    request->sent_bytes = (int64_t)event->word[3];
    request->error = np_held_take(event, 4, texts);
    request->ended = true;
    append_ended(assembly, request);
}

static void add_tcp(np_assembly *assembly, np_seen_request *request, const np_event *event)
{
    np_seen_tcp *tcp = np_slab_take(&assembly->tcp_slab);
    if (!tcp) {
        assembly->lost++;
        return;
    }
    *tcp = (np_seen_tcp){.next = request->tcp, .time_ns = event->time_ns};
    memcpy(tcp->word, event->word, sizeof tcp->word);
    request->tcp = tcp;
}

static void add_lateness(np_seen_request *request, uint64_t late_ns)
{
    const uint64_t room = (uint64_t)INT64_MAX - request->late_ns;
    request->late_told = true;
    request->late_ns += late_ns < room ? late_ns : room;
}

static void add_header(np_assembly *assembly, np_seen_request *request, const np_event *event,
                       const np_inline_texts *texts)
{
    np_seen_header *header = np_slab_take(&assembly->header_slab);
    if (!header) {
        assembly->lost++;
        return;
    }
    const bool is_wire = event->type == NP_EVENT_WIRE;
    const uint64_t w0 = event->word[0];
    *header =
        (np_seen_header){.is_wire = is_wire,
                         .direction = (uint8_t)w0,
                         .part = (uint8_t)(w0 >> 8),
                         .ordinal = is_wire ? (uint32_t)(w0 >> 16) : (uint32_t)(w0 >> 8) & 0xffffff,
                         .at_ns = event->time_ns,
                         .length = event->word[1],
                         .kept = event->word[2],
                         .name = is_wire ? (np_held){0} : np_held_take(event, 1, texts),
                         .value = np_held_take(event, is_wire ? 3 : 2, texts)};
    if (request->last_header)
        request->last_header->next = header;
    else
        request->first_header = header;
    request->last_header = header;
}

/* -------------------------------------------------------------------------------------------------------- spans */

static void fill_span(np_seen_span *span, const np_event *event, const np_inline_texts *texts)
{
    *span = (np_seen_span){.number = event->span,
                           .connection = event->connection,
                           .phase = (uint8_t)event->word[0],
                           .kind = (uint8_t)(event->word[0] >> 8),
                           .parent = (uint32_t)(event->word[0] >> 32),
                           .outcome = NP_SPAN_UNFINISHED,
                           .start_ns = event->time_ns,
                           .name = np_held_take(event, 1, texts)};
}

static void end_span(np_seen_span *span, const np_event *event, const np_inline_texts *texts)
{
    if (span->ended)
        return;
    span->ended = true;
    span->end_ns = event->time_ns > span->start_ns ? event->time_ns : span->start_ns;
    span->outcome = (uint8_t)event->word[0];
    span->held_ns = event->word[2];
    span->detail = np_held_take(event, 1, texts);
}

static void begin_orphan(np_assembly *assembly, const np_event *event, uint64_t position,
                         const np_inline_texts *texts)
{
    if (event->span == 0 || np_map_get(&assembly->orphans, event->span))
        return;
    np_seen_orphan *orphan = np_slab_take(&assembly->orphan_slab);
    if (!orphan || !np_map_put(&assembly->orphans, event->span, orphan)) {
        if (orphan)
            np_slab_give(&assembly->orphan_slab, orphan);
        assembly->lost++;
        return;
    }
    *orphan = (np_seen_orphan){.pin = {.kind = NP_PIN_ORPHAN}};
    fill_span(&orphan->span, event, texts);
    np_pin_put(assembly, &orphan->pin, position, event->time_ns);
}

static void begin_span(np_assembly *assembly, np_seen_request *request, const np_event *event,
                       uint64_t position, const np_inline_texts *texts)
{
    if (!request) {
        begin_orphan(assembly, event, position, texts);
        return;
    }
    np_seen_span *span = np_slab_take(&assembly->span_slab);
    if (!span) {
        assembly->lost++;
        return;
    }
    fill_span(span, event, texts);
    if (request->last_span)
        request->last_span->next = span;
    else
        request->first_span = span;
    request->last_span = span;
    request->span_count++;
    request->query_count += span->kind == NP_SPAN_QUERY;
    request->attempt_count += span->kind == NP_SPAN_ATTEMPT;
}

static void finish_span(np_assembly *assembly, np_seen_request *request, const np_event *event,
                        const np_inline_texts *texts)
{
    np_seen_span *span = request ? request->last_span : NULL; /* most end before the next begins */
    if (span && span->number != event->span)
        for (span = request->first_span; span && span->number != event->span;)
            span = span->next;
    if (span) {
        end_span(span, event, texts);
        return;
    }
    np_seen_orphan *orphan = np_map_get(&assembly->orphans, event->span);
    if (!orphan || orphan->span.ended)
        return;
    end_span(&orphan->span, event, texts);
    np_assembly_ready_orphan(assembly, orphan);
}

/* -------------------------------------------------------------------------------------------------- connections */

static void open_connection(np_assembly *assembly, const np_event *event, uint64_t position,
                            const np_inline_texts *texts)
{
    np_seen_connection *connection = np_map_get(&assembly->connections, event->connection);
    if (!connection) {
        connection = np_assembly_known_connection(assembly, event->connection, 0, 0);
        if (!connection) {
            assembly->lost++;
            return;
        }
        np_pin_put(assembly, &connection->pin, position, event->time_ns);
    } else if (!connection->written || connection->opened_ns) {
        return; /* opened twice: not by ours */
    }
    connection->opened_ns = event->time_ns;
    connection->origin = np_held_take(event, 0, texts);
    connection->new_because = (uint8_t)event->word[1];
    connection->unlike = (uint32_t)(event->word[1] >> 32);
    connection->proxy = np_held_take(event, 2, texts);
    np_seen_request *request = event->request ? request_of(assembly, event->request) : NULL;
    if (!request)
        return;
    if (request->setup && request->setup->owner == request)
        request->setup->owner = NULL;
    np_assembly_leave_connection(assembly, request->setup);
    request->setup = connection;
    connection->users++;
    connection->owner = request;
}

static void close_connection(np_seen_connection *connection, const np_event *event,
                             const np_inline_texts *texts)
{
    np_seen_request *owner = connection->owner;
    if (owner &&
        connection->ready_ns ==
            0) { /* the set-up failed: what its request does from here on is for another one */
        np_connection_attribute(connection, owner);
        for (int i = 0; i < NP_SETUP_PHASES; i++)
            owner->attributed_ns[i] = owner->cut.duration_ns[NP_PHASE_DNS + i];
        connection->owner = NULL;
    }
    connection->closed = connection->setup_ended = true;
    connection->closed_ns = event->time_ns;
    connection->requests = event->word[0];
    connection->sent_bytes = (int64_t)event->word[1];
    connection->received_bytes = (int64_t)event->word[2];
    connection->reason = np_held_take(event, 3, texts);
}

static void change_connection(np_assembly *assembly, const np_event *event,
                              const np_inline_texts *texts)
{
    np_seen_connection *connection = np_map_get(&assembly->connections, event->connection);
    if (!connection || connection->closed)
        return;
    switch (event->type) {
    case NP_EVENT_CONNECTION_PEER:
        np_held_drop(&connection->remote);
        np_held_drop(&connection->local);
        connection->remote = np_held_take(event, 0, texts);
        connection->local = np_held_take(event, 1, texts);
        break;
    case NP_EVENT_CONNECTION_TLS:
        connection->tls_version = np_held_take(event, 0, texts);
        connection->cipher = np_held_take(event, 1, texts);
        connection->alpn = np_held_take(event, 2, texts);
        connection->resumed = (event->word[3] & 0xff) != 0;
        connection->early_data = (event->word[3] >> 8 & 0xff) != 0;
        connection->certificate = np_held_take(event, 4, texts);
        break;
    case NP_EVENT_CONNECTION_READY:
        connection->ready_ns = event->time_ns;
        connection->protocol = (uint8_t)event->word[0];
        connection->setup_ended = true;
        break;
    default:
        close_connection(connection, event, texts);
        break;
    }
    if (connection->setup_ended || connection->written)
        np_assembly_ready_connection(assembly, connection);
    if (connection->setup_ended)
        np_pin_remove(&connection->pin);
}

static void use_connection(np_assembly *assembly, np_seen_request *request, const np_event *event)
{
    np_seen_connection *connection = np_map_get(&assembly->connections, event->connection);
    request->connection_use = (uint32_t)event->word[0];
    if (connection == request->connection)
        return;
    np_assembly_leave_connection(assembly, request->connection);
    request->connection = connection;
    if (connection)
        connection->users++;
}

/* --------------------------------------------------------------------------------------------------- the events */

static void add_of_request(np_assembly *assembly, np_seen_request *request, const np_event *event,
                           uint64_t position, const np_inline_texts *texts)
{
    if (request->spilled && !request->pin.next)
        np_pin_put(assembly, &request->pin, position, event->time_ns);
    np_cut_add(&request->cut, event);
    switch (event->type) {
    case NP_EVENT_SPAN_BEGIN:
        begin_span(assembly, request, event, position, texts);
        break;
    case NP_EVENT_SPAN_END:
        finish_span(assembly, request, event, texts);
        break;
    case NP_EVENT_HEADER:
    case NP_EVENT_WIRE:
        add_header(assembly, request, event, texts);
        break;
    case NP_EVENT_TCP:
        add_tcp(assembly, request, event);
        break;
    case NP_EVENT_LATE:
        add_lateness(request, event->word[0]);
        break;
    case NP_EVENT_CALLER:
        request->caller_ns = (int64_t)event->word[0];
        break;
    case NP_EVENT_CONNECTION_USE:
        use_connection(assembly, request, event);
        break;
    case NP_EVENT_PROXY:
        set_proxy(request, event, texts);
        break;
    case NP_EVENT_REQUEST_END:
        end_request(assembly, request, event, texts);
        break;
    default:
        break;
    }
}

void np_assembly_add(np_assembly *assembly, const np_event *event, uint64_t position,
                     const np_inline_texts *texts)
{
    assembly->event_count++;
    if (event->time_ns > assembly->newest_ns)
        assembly->newest_ns = event->time_ns;
    if (event->type == NP_EVENT_CLOCK) {
        if (assembly->clock_count < NP_CLOCKS)
            assembly->clocks[assembly->clock_count++] =
                (np_clock_reading){event->time_ns, (int64_t)event->word[0]};
    } else if (event->type == NP_EVENT_CONNECTION_OPEN) {
        open_connection(assembly, event, position, texts);
    } else if (np_event_is_of_connection(event)) {
        change_connection(assembly, event, texts);
    } else {
        if (event->type == NP_EVENT_REQUEST_BEGIN)
            begin_request(assembly, event, position, texts);
        np_seen_request *request = event->request ? request_of(assembly, event->request) : NULL;
        if (request) {
            if (position >= request->included)
                add_of_request(assembly, request, event, position, texts);
        } else if (event->type == NP_EVENT_SPAN_BEGIN) {
            begin_orphan(assembly, event, position, texts);
        } else if (event->type == NP_EVENT_SPAN_END) {
            finish_span(assembly, NULL, event, texts);
        }
    }
}

/* --------------------------------------------------------------------------------------- the end of the process */

static int by_number(const void *a, const void *b)
{
    const np_seen_request *x = *(np_seen_request *const *)a, *y = *(np_seen_request *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

static void interrupt_request(np_assembly *assembly, np_seen_request *request, uint64_t end_ns,
                              uint32_t flags)
{
    np_cut_close(&request->cut, end_ns > request->cut.start_ns ? end_ns : request->cut.start_ns);
    request->outcome = NP_OUTCOME_INTERRUPTED;
    request->flags |= flags;
    append_ended(assembly, request);
}

/* In the order of their numbers; a first hop before the later ones, which need its row. */
static void interrupt_requests(np_assembly *assembly, uint64_t end_ns, uint32_t flags)
{
    const size_t count = assembly->requests.count;
    np_seen_request **requests = count ? malloc(count * sizeof(np_seen_request *)) : NULL;
    size_t listed = 0;
    for (uint32_t i = 0; requests && i <= assembly->requests.mask; i++)
        if (assembly->requests.slots[i].number)
            requests[listed++] = assembly->requests.slots[i].value;
    if (requests)
        qsort(requests, listed, sizeof(np_seen_request *), by_number);
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        np_seen_request *request = requests ? requests[i] : np_map_any(&assembly->requests, &at);
        np_seen_request *first = request ? np_map_get(&assembly->requests, request->hop_of) : NULL;
        if (first && first != request)
            interrupt_request(assembly, first, end_ns, flags);
        if (request && np_map_get(&assembly->requests, request->number))
            interrupt_request(assembly, request, end_ns, flags);
    }
    free(requests);
}

void np_assembly_interrupt(np_assembly *assembly, uint64_t end_ns, uint32_t flags)
{
    interrupt_requests(assembly, end_ns, flags);
    for (np_pin *pin = assembly->pins.next, *next; pin != &assembly->pins; pin = next) {
        next = pin->next;
        if (pin->kind == NP_PIN_CONNECTION) {
            np_assembly_ready_connection(assembly, (np_seen_connection *)pin);
            np_pin_remove(pin);
        } else if (pin->kind == NP_PIN_ORPHAN) {
            np_assembly_ready_orphan(assembly, (np_seen_orphan *)pin);
            np_pin_remove(pin);
        }
    }
}
