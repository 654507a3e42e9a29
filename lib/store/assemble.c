/*
 * The fold of events into requests, connections and spans. Floor 2. See assemble.h for the picture.
 *
 * One function an event type, in a table. A warm request costs a slot of a slab, a place in a map
 * by number, and the fold of its cut; no malloc.
 */
#include "assemble.h"

#include <stdlib.h>
#include <string.h>

#define NP_PACKED_MAX (16u * 1024 * 1024)

/* ------------------------------------------------------------------------------------------------------------- texts */

static np_owned_text *own_copy(const char *text, size_t length)
{
    np_owned_text *own = malloc(sizeof *own + length + 1);
    if (!own)
        return NULL;
    own->length = (uint32_t)length;
    memcpy(own->text, text, length);
    own->text[length] = '\0';
    return own;
}

const char *np_held_text(const np_assembly *assembly, np_held held, size_t *length)
{
    if (held.own) {
        *length = held.own->length;
        return held.own->text;
    }
    if (held.ref && assembly->ring)
        return np_ring_get(assembly->ring, held.ref, length);
    *length = 0;
    return "";
}

static np_held hold(const np_event *event, int word, const np_inline_texts *texts)
{
    if (!texts)
        return (np_held){.ref = event->word[word]};
    return (np_held){.own = texts->length[word] ? own_copy(texts->text[word], texts->length[word])
                                                : NULL};
}

static void drop_text(np_held *held)
{
    free(held->own);
    *held = (np_held){0};
}

/* Before the event goes, its text becomes our own. Words stay in the ring for ever. */
static void keep_text(const np_assembly *assembly, np_held *held)
{
    if (held->own || held->ref == 0 || np_text_ref_is_word(held->ref))
        return;
    size_t length;
    const char *text = np_held_text(assembly, *held, &length);
    *held = (np_held){
        .own = own_copy(text, length)}; /* without memory the text is lost, the request is not */
}

/* -------------------------------------------------------------------------------------------------------------- pins */

static void pin_at(np_assembly *assembly, np_pin *pin, uint64_t position, uint64_t time_ns)
{
    pin->position = position;
    pin->time_ns = time_ns;
    pin->previous = assembly->pins.previous;
    pin->next = &assembly->pins;
    pin->previous->next = pin;
    assembly->pins.previous = pin;
}

static void unpin(np_pin *pin)
{
    if (!pin->next)
        return;
    pin->previous->next = pin->next;
    pin->next->previous = pin->previous;
    pin->previous = pin->next = NULL;
    pin->spilling = false;
}

uint64_t np_assembly_pin(const np_assembly *assembly, uint64_t read)
{
    for (const np_pin *pin = assembly->pins.next; pin != &assembly->pins; pin = pin->next)
        if (!pin->spilling)
            return pin->position;
    return read;
}

/* -------------------------------------------------------------------------------------------------------- life times */

np_assembly *np_assembly_create(np_ring *ring, int64_t run_id, int64_t process_id,
                                int64_t unix_minus_mono, np_detail detail)
{
    np_assembly *assembly = calloc(1, sizeof *assembly);
    if (!assembly)
        return NULL;
    assembly->hop_rows = calloc(NP_HOP_SLOTS, sizeof *assembly->hop_rows);
    if (!assembly->hop_rows) {
        free(assembly);
        return NULL;
    }
    assembly->ring = ring;
    assembly->run_id = run_id;
    assembly->process_id = process_id;
    assembly->unix_minus_mono = unix_minus_mono;
    assembly->detail = detail;
    assembly->pins.next = assembly->pins.previous = &assembly->pins;
    np_slab_init(&assembly->request_slab, sizeof(np_seen_request));
    np_slab_init(&assembly->connection_slab, sizeof(np_seen_connection));
    np_slab_init(&assembly->orphan_slab, sizeof(np_seen_orphan));
    np_slab_init(&assembly->span_slab, sizeof(np_seen_span));
    np_slab_init(&assembly->header_slab, sizeof(np_seen_header));
    np_slab_init(&assembly->tcp_slab, sizeof(np_seen_tcp));
    return assembly;
}

static void drop_connection_texts(np_seen_connection *connection)
{
    np_held *const texts[] = {&connection->origin, &connection->proxy,       &connection->remote,
                              &connection->local,  &connection->tls_version, &connection->cipher,
                              &connection->alpn,   &connection->certificate, &connection->reason};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        drop_text(texts[i]);
}

static void free_connection(np_assembly *assembly, np_seen_connection *connection)
{
    unpin(&connection->pin);
    drop_connection_texts(connection);
    np_map_remove(&assembly->connections, connection->number);
    np_slab_give(&assembly->connection_slab, connection);
}

static void leave_connection(np_assembly *assembly, np_seen_connection *connection)
{
    if (connection && --connection->users == 0 && connection->closed && connection->written &&
        !connection->ready)
        free_connection(assembly, connection);
}

static void free_orphan(np_assembly *assembly, np_seen_orphan *orphan)
{
    unpin(&orphan->pin);
    drop_text(&orphan->span.name);
    drop_text(&orphan->span.detail);
    np_map_remove(&assembly->orphans, orphan->span.number);
    np_slab_give(&assembly->orphan_slab, orphan);
}

static void free_request(np_assembly *assembly, np_seen_request *request)
{
    unpin(&request->pin);
    for (np_seen_span *span = request->first_span, *next; span; span = next) {
        next = span->next;
        drop_text(&span->name);
        drop_text(&span->detail);
        np_slab_give(&assembly->span_slab, span);
    }
    for (np_seen_header *header = request->first_header, *next; header; header = next) {
        next = header->next;
        drop_text(&header->name);
        drop_text(&header->value);
        np_slab_give(&assembly->header_slab, header);
    }
    for (np_seen_tcp *tcp = request->tcp, *next; tcp; tcp = next) {
        next = tcp->next;
        np_slab_give(&assembly->tcp_slab, tcp);
    }
    drop_text(&request->method);
    drop_text(&request->origin);
    drop_text(&request->path);
    drop_text(&request->error);
    drop_text(&request->proxy);
    if (request->packed.max)
        np_textbuf_done(&request->packed);
    if (request->setup && request->setup->owner == request)
        request->setup->owner = NULL;
    leave_connection(assembly, request->setup);
    leave_connection(assembly, request->connection);
    np_slab_give(&assembly->request_slab, request);
}

/* Steps through a map whose values are taken out one by one: what is shifted back never lands
 * before `at`, where all is empty. */
static void *any_of(const np_map *map, uint32_t *at)
{
    for (; map->slots && *at <= map->mask; (*at)++)
        if (map->slots[*at].number)
            return map->slots[*at].value;
    return NULL;
}

void np_assembly_free(np_assembly *assembly)
{
    if (!assembly)
        return;
    for (np_seen_request *request = assembly->first_ended, *next; request; request = next) {
        next = request->next;
        free_request(assembly, request);
    }
    uint32_t at = 0;
    for (np_seen_request *request; (request = any_of(&assembly->requests, &at));) {
        np_map_remove(&assembly->requests, request->number);
        free_request(assembly, request);
    }
    at = 0;
    for (np_seen_connection *connection; (connection = any_of(&assembly->connections, &at));)
        free_connection(assembly, connection);
    at = 0;
    for (np_seen_orphan *orphan; (orphan = any_of(&assembly->orphans, &at));)
        free_orphan(assembly, orphan);
    np_map_done(&assembly->requests);
    np_map_done(&assembly->connections);
    np_map_done(&assembly->orphans);
    np_slab_done(&assembly->request_slab);
    np_slab_done(&assembly->connection_slab);
    np_slab_done(&assembly->orphan_slab);
    np_slab_done(&assembly->span_slab);
    np_slab_done(&assembly->header_slab);
    np_slab_done(&assembly->tcp_slab);
    free(assembly->hop_rows);
    free(assembly->words);
    free(assembly);
}

/* --------------------------------------------------------------------------------------------------------------- hops */

int64_t np_assembly_hop_row(const np_assembly *assembly, uint32_t number)
{
    const np_hop_slot *slot = &assembly->hop_rows[number % NP_HOP_SLOTS];
    return slot->number == number ? slot->row_id : 0;
}

void np_assembly_set_hop_row(np_assembly *assembly, uint32_t number, int64_t row_id)
{
    assembly->hop_rows[number % NP_HOP_SLOTS] = (np_hop_slot){number, row_id};
}

/* Later hops that are under way learn the row of their hop 0 before it is forgotten. */
static void resolve_hops(np_assembly *assembly)
{
    np_seen_request **link = &assembly->hops;
    while (*link) {
        np_seen_request *request = *link;
        request->hop_row = np_assembly_hop_row(assembly, request->hop_of);
        if (request->hop_row)
            *link = request->next_hop;
        else
            link = &request->next_hop;
    }
}

static void forget_hop(np_assembly *assembly, const np_seen_request *request)
{
    for (np_seen_request **link = &assembly->hops; *link; link = &(*link)->next_hop)
        if (*link == request) {
            *link = request->next_hop;
            return;
        }
}

/* ------------------------------------------------------------------------------------------------------------ requests */

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
    request->method = hold(event, 0, texts);
    request->origin = hold(event, 1, texts);
    request->path = hold(event, 2, texts);
    request->hop_of = (uint32_t)event->word[3];
    request->hop = (uint16_t)(event->word[3] >> 32);
    request->hop_reason = (uint8_t)(event->word[3] >> 48);
    request->purpose = (uint8_t)(event->word[3] >> 56);
    request->proxy_source = (uint8_t)event->word[4];
    request->caller_ns = request->received_bytes = request->sent_bytes = -1;
    request->pin.kind = NP_PIN_REQUEST;
    pin_at(assembly, &request->pin, position, event->time_ns);
    if (request->hop_of) {
        request->next_hop = assembly->hops;
        assembly->hops = request;
    }
    assembly->last = request;
}

static void set_proxy(np_seen_request *request, const np_event *event, const np_inline_texts *texts)
{
    drop_text(&request->proxy);
    request->proxy = hold(event, 1, texts);
    request->proxy_source = (uint8_t)event->word[0];
    request->proxy_seen = true;
}

static void append_ended(np_assembly *assembly, np_seen_request *request)
{
    unpin(&request->pin);
    if (request->hop_of && !request->hop_row)
        forget_hop(assembly, request);
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
    request->error = hold(event, 4, texts);
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
    *header = (np_seen_header){
        .is_wire = is_wire,
        .direction = (uint8_t)w0,
        .part = (uint8_t)(w0 >> 8),
        .ordinal = is_wire ? (uint32_t)(w0 >> 16) : (uint32_t)(w0 >> 8) & 0xffffff,
        .at_ns = event->time_ns,
        .length = event->word[1],
        .kept = event->word[2],
        .name = is_wire ? (np_held){0} : hold(event, 1, texts),
        .value = hold(event, is_wire ? 3 : 2, texts)};
    if (request->last_header)
        request->last_header->next = header;
    else
        request->first_header = header;
    request->last_header = header;
}

/* --------------------------------------------------------------------------------------------------------------- spans */

static void fill_span(np_seen_span *span, const np_event *event, const np_inline_texts *texts)
{
    *span = (np_seen_span){.number = event->span,
                           .connection = event->connection,
                           .phase = (uint8_t)event->word[0],
                           .kind = (uint8_t)(event->word[0] >> 8),
                           .parent = (uint32_t)(event->word[0] >> 32),
                           .outcome = NP_SPAN_UNFINISHED,
                           .start_ns = event->time_ns,
                           .name = hold(event, 1, texts)};
}

static void end_span(np_seen_span *span, const np_event *event, const np_inline_texts *texts)
{
    if (span->ended)
        return;
    span->ended = true;
    span->end_ns = event->time_ns > span->start_ns ? event->time_ns : span->start_ns;
    span->outcome = (uint8_t)event->word[0];
    span->held_ns = event->word[2];
    span->detail = hold(event, 1, texts);
}

static void ready_orphan(np_assembly *assembly, np_seen_orphan *orphan)
{
    if (orphan->ready)
        return;
    orphan->ready = true;
    orphan->next_ready = NULL;
    if (assembly->last_ready_orphan)
        assembly->last_ready_orphan->next_ready = orphan;
    else
        assembly->ready_orphans = orphan;
    assembly->last_ready_orphan = orphan;
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
    pin_at(assembly, &orphan->pin, position, event->time_ns);
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
    ready_orphan(assembly, orphan);
}

/* --------------------------------------------------------------------------------------------------------- connections */

void np_assembly_ready_connection(np_assembly *assembly, np_seen_connection *connection)
{
    if (connection->ready)
        return;
    connection->ready = true;
    connection->next_ready = assembly->ready_connections;
    assembly->ready_connections = connection;
}

void np_connection_attribute(np_seen_connection *connection, np_seen_request *request)
{
    for (int i = 0; i < NP_SETUP_PHASES; i++) {
        const int phase = NP_PHASE_DNS + i;
        if (!(request->cut.present >> phase & 1))
            continue;
        const int64_t spent = request->cut.duration_ns[phase] - request->attributed_ns[i];
        if (spent > 0 || (connection->setup_ns[i] < 0 && request->attributed_ns[i] == 0))
            connection->setup_ns[i] = spent;
    }
}

np_seen_connection *np_assembly_known_connection(np_assembly *assembly, uint32_t number,
                                                 int64_t row_id, int64_t proxy_id)
{
    np_seen_connection *connection = np_slab_take(&assembly->connection_slab);
    if (!connection || !np_map_put(&assembly->connections, number, connection)) {
        if (connection)
            np_slab_give(&assembly->connection_slab, connection);
        return NULL;
    }
    *connection = (np_seen_connection){
        .pin = {.kind = NP_PIN_CONNECTION},
        .number = number,
        .resumed = -1,
        .early_data = -1,
        .sent_bytes = -1,
        .received_bytes = -1,
        .setup_ns = { -1, -1, -1, -1},
        .row_id = row_id,
        .written = row_id != 0,
        .setup_ended = row_id != 0,
        .proxy_id = proxy_id
    };
    return connection;
}

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
        pin_at(assembly, &connection->pin, position, event->time_ns);
    } else if (!connection->written || connection->opened_ns) {
        return; /* opened twice: not by ours */
    }
    connection->opened_ns = event->time_ns;
    connection->origin = hold(event, 0, texts);
    connection->new_because = (uint8_t)event->word[1];
    connection->unlike = (uint32_t)(event->word[1] >> 32);
    connection->proxy = hold(event, 2, texts);
    np_seen_request *request = event->request ? request_of(assembly, event->request) : NULL;
    if (!request)
        return;
    if (request->setup && request->setup->owner == request)
        request->setup->owner = NULL;
    leave_connection(assembly, request->setup);
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
    connection->reason = hold(event, 3, texts);
}

static void change_connection(np_assembly *assembly, const np_event *event,
                              const np_inline_texts *texts)
{
    np_seen_connection *connection = np_map_get(&assembly->connections, event->connection);
    if (!connection || connection->closed)
        return;
    switch (event->type) {
    case NP_EVENT_CONNECTION_PEER:
        drop_text(&connection->remote);
        drop_text(&connection->local);
        connection->remote = hold(event, 0, texts);
        connection->local = hold(event, 1, texts);
        break;
    case NP_EVENT_CONNECTION_TLS:
        connection->tls_version = hold(event, 0, texts);
        connection->cipher = hold(event, 1, texts);
        connection->alpn = hold(event, 2, texts);
        connection->resumed = (event->word[3] & 0xff) != 0;
        connection->early_data = (event->word[3] >> 8 & 0xff) != 0;
        connection->certificate = hold(event, 4, texts);
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
        unpin(&connection->pin);
}

static void use_connection(np_assembly *assembly, np_seen_request *request, const np_event *event)
{
    np_seen_connection *connection = np_map_get(&assembly->connections, event->connection);
    request->connection_use = (uint32_t)event->word[0];
    if (connection == request->connection)
        return;
    leave_connection(assembly, request->connection);
    request->connection = connection;
    if (connection)
        connection->users++;
}

/* ---------------------------------------------------------------------------------------------------------- the events */

static void add_of_request(np_assembly *assembly, np_seen_request *request, const np_event *event,
                           uint64_t position, const np_inline_texts *texts)
{
    if (request->spilled && !request->pin.next)
        pin_at(assembly, &request->pin, position, event->time_ns);
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

static bool is_of_connection(uint16_t type)
{
    return type >= NP_EVENT_CONNECTION_OPEN && type <= NP_EVENT_CONNECTION_CLOSE;
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
    } else if (is_of_connection(event->type)) {
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
        np_seen_request *request = requests ? requests[i] : any_of(&assembly->requests, &at);
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
            unpin(pin);
        } else if (pin->kind == NP_PIN_ORPHAN) {
            ready_orphan(assembly, (np_seen_orphan *)pin);
            unpin(pin);
        }
    }
}

/* --------------------------------------------------------------------------------------------------------------- spill */

static const char *packed_text(np_text_ref ref, size_t *length, void *user)
{
    const np_ring *ring = user;
    return np_ring_get(ring, ref, length);
}

static void begin_packing(np_seen_request *request)
{
    if (request->packed.max == 0)
        np_textbuf_init(&request->packed, NP_PACKED_MAX);
    if (request->packed_committed == 0) {
        np_textbuf_clear(&request->packed);
        np_pack_begin(&request->packed, request->cut.start_ns);
        request->packed_last_ns = request->cut.start_ns;
    } else { /* a transaction before this one may have been rolled back */
        request->packed.length = request->packed_committed;
        request->packed_last_ns = request->packed_last_committed_ns;
    }
}

/* Events of connections are not packed: a connection under way has a row of its own by then. */
static void pack_events(np_assembly *assembly, uint64_t from, uint64_t read)
{
    np_event events[64];
    while (from < read) {
        const size_t count =
            np_ring_read(assembly->ring, from, events, sizeof events / sizeof events[0]);
        if (count == 0)
            return;
        for (size_t i = 0; i < count && from + i < read; i++) {
            if (events[i].request == 0 || is_of_connection(events[i].type))
                continue;
            np_seen_request *request = np_map_get(&assembly->requests, events[i].request);
            if (request && request->pin.spilling && from + i >= request->pin.position)
                np_pack_add(&request->packed, &request->packed_last_ns, &events[i], packed_text,
                            assembly->ring);
        }
        from += count;
    }
}

void np_assembly_spill(np_assembly *assembly, uint64_t now_ns, uint64_t limit, uint64_t read)
{
    uint64_t from = read;
    for (np_pin *pin = assembly->pins.next; pin != &assembly->pins; pin = pin->next) {
        if (pin->position >= limit && now_ns < pin->time_ns + NP_SPILL_AFTER_NS)
            break;
        pin->spilling = true;
        if (pin->kind == NP_PIN_REQUEST) {
            begin_packing((np_seen_request *)pin);
            if (pin->position < from)
                from = pin->position;
        } else if (pin->kind == NP_PIN_CONNECTION) {
            np_assembly_ready_connection(assembly, (np_seen_connection *)pin);
        } else {
            ready_orphan(assembly, (np_seen_orphan *)pin);
        }
    }
    pack_events(assembly, from, read);
}

/* ----------------------------------------------------------------------------------------- the end of a transaction */

bool np_assembly_is_ready(const np_assembly *assembly)
{
    const np_pin *first = assembly->pins.next;
    return assembly->first_ended || assembly->ready_connections || assembly->ready_orphans ||
           assembly->clock_count || (first != &assembly->pins && first->spilling);
}

static void keep_request_texts(np_assembly *assembly, np_seen_request *request)
{
    keep_text(assembly, &request->method);
    keep_text(assembly, &request->origin);
    keep_text(assembly, &request->path);
    keep_text(assembly, &request->proxy);
    for (np_seen_span *span = request->first_span; span; span = span->next) {
        keep_text(assembly, &span->name);
        keep_text(assembly, &span->detail);
    }
    for (np_seen_header *header = request->first_header; header; header = header->next) {
        keep_text(assembly, &header->name);
        keep_text(assembly, &header->value);
    }
}

static void spilled(np_assembly *assembly, np_seen_request *request)
{
    keep_request_texts(assembly, request);
    request->spilled = true;
    request->packed_committed = request->packed.length;
    request->packed_last_committed_ns = request->packed_last_ns;
    unpin(&request->pin);
}

static void connections_committed(np_assembly *assembly)
{
    np_seen_connection *connection = assembly->ready_connections;
    assembly->ready_connections = NULL;
    while (connection) {
        np_seen_connection *next = connection->next_ready;
        connection->ready = false;
        connection->written = true;
        drop_connection_texts(connection);
        if (connection->pin.spilling)
            unpin(&connection->pin);
        if (connection->closed && connection->users == 0)
            free_connection(assembly, connection);
        connection = next;
    }
}

static void orphans_committed(np_assembly *assembly)
{
    np_seen_orphan *orphan = assembly->ready_orphans;
    assembly->ready_orphans = assembly->last_ready_orphan = NULL;
    while (orphan) {
        np_seen_orphan *next = orphan->next_ready;
        orphan->ready = false;
        orphan->written = true;
        if (orphan->span.ended) {
            free_orphan(assembly, orphan);
        } else {
            drop_text(&orphan->span.name);
            unpin(&orphan->pin);
        }
        orphan = next;
    }
}

void np_assembly_committed(np_assembly *assembly)
{
    resolve_hops(assembly);
    connections_committed(
        assembly); /* before the requests, which are the last users of closed ones */
    orphans_committed(assembly);
    for (np_seen_request *request = assembly->first_ended, *next; request; request = next) {
        next = request->next;
        free_request(assembly, request);
    }
    assembly->first_ended = assembly->last_ended = NULL;
    assembly->ended_count = 0;
    assembly->clock_count = 0;
    for (np_pin *pin = assembly->pins.next, *next; pin != &assembly->pins && pin->spilling;
         pin = next) {
        next = pin->next;
        spilled(assembly, (np_seen_request *)pin); /* the others have let go above */
    }
}

void np_assembly_rolled_back(np_assembly *assembly)
{
    for (np_seen_connection *connection = assembly->ready_connections; connection;
         connection = connection->next_ready) {
        if (!connection->written)
            connection->row_id = 0;
        connection->proxy_id = connection->written ? connection->proxy_id : 0;
    }
    for (np_seen_orphan *orphan = assembly->ready_orphans; orphan; orphan = orphan->next_ready)
        if (!orphan->written)
            orphan->row_id = 0;
    for (np_seen_request *request = assembly->first_ended; request; request = request->next) {
        if (request->row_id)
            np_assembly_set_hop_row(assembly, request->number, 0);
        request->row_id = 0;
    }
    for (np_pin *pin = assembly->pins.next; pin != &assembly->pins; pin = pin->next)
        pin->spilling = false;
}
