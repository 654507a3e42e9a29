/*
 * What is under way and what is ready to be written: texts, pins, life times. Floor 2. See
 * assemble.h for the picture; fold.c fills it, settle.c empties it.
 */
#include "assemble.h"

#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------------- texts */

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

np_held np_held_take(const np_event *event, int word, const np_inline_texts *texts)
{
    if (!texts)
        return (np_held){.ref = event->word[word]};
    return (np_held){.own = texts->length[word] ? own_copy(texts->text[word], texts->length[word])
                                                : NULL};
}

void np_held_drop(np_held *held)
{
    free(held->own);
    *held = (np_held){0};
}

/* Before the event goes, its text becomes our own. Words stay in the ring for ever. */
void np_held_keep(const np_assembly *assembly, np_held *held)
{
    if (held->own || held->ref == 0 || np_text_ref_is_word(held->ref))
        return;
    size_t length;
    const char *text = np_held_text(assembly, *held, &length);
    *held = (np_held){
        .own = own_copy(text, length)}; /* without memory the text is lost, the request is not */
}

/* --------------------------------------------------------------------------------------------------------- pins */

void np_pin_put(np_assembly *assembly, np_pin *pin, uint64_t position, uint64_t time_ns)
{
    pin->position = position;
    pin->time_ns = time_ns;
    pin->previous = assembly->pins.previous;
    pin->next = &assembly->pins;
    pin->previous->next = pin;
    assembly->pins.previous = pin;
}

void np_pin_remove(np_pin *pin)
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

/* --------------------------------------------------------------------------------------------------- life times */

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

void np_connection_drop_texts(np_seen_connection *connection)
{
    np_held *const texts[] = {&connection->origin, &connection->proxy,       &connection->remote,
                              &connection->local,  &connection->tls_version, &connection->cipher,
                              &connection->alpn,   &connection->certificate, &connection->reason};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        np_held_drop(texts[i]);
}

void np_assembly_free_connection(np_assembly *assembly, np_seen_connection *connection)
{
    np_pin_remove(&connection->pin);
    np_connection_drop_texts(connection);
    np_map_remove(&assembly->connections, connection->number);
    np_slab_give(&assembly->connection_slab, connection);
}

void np_assembly_leave_connection(np_assembly *assembly, np_seen_connection *connection)
{
    if (connection && --connection->users == 0 && connection->closed && connection->written &&
        !connection->ready)
        np_assembly_free_connection(assembly, connection);
}

void np_assembly_free_orphan(np_assembly *assembly, np_seen_orphan *orphan)
{
    np_pin_remove(&orphan->pin);
    np_held_drop(&orphan->span.name);
    np_held_drop(&orphan->span.detail);
    np_map_remove(&assembly->orphans, orphan->span.number);
    np_slab_give(&assembly->orphan_slab, orphan);
}

void np_assembly_free_request(np_assembly *assembly, np_seen_request *request)
{
    np_pin_remove(&request->pin);
    for (np_seen_span *span = request->first_span, *next; span; span = next) {
        next = span->next;
        np_held_drop(&span->name);
        np_held_drop(&span->detail);
        np_slab_give(&assembly->span_slab, span);
    }
    for (np_seen_header *header = request->first_header, *next; header; header = next) {
        next = header->next;
        np_held_drop(&header->name);
        np_held_drop(&header->value);
        np_slab_give(&assembly->header_slab, header);
    }
    for (np_seen_tcp *tcp = request->tcp, *next; tcp; tcp = next) {
        next = tcp->next;
        np_slab_give(&assembly->tcp_slab, tcp);
    }
    np_held_drop(&request->method);
    np_held_drop(&request->origin);
    np_held_drop(&request->path);
    np_held_drop(&request->error);
    np_held_drop(&request->proxy);
    if (request->packed.max)
        np_textbuf_done(&request->packed);
    if (request->setup && request->setup->owner == request)
        request->setup->owner = NULL;
    np_assembly_leave_connection(assembly, request->setup);
    np_assembly_leave_connection(assembly, request->connection);
    np_slab_give(&assembly->request_slab, request);
}

void np_assembly_free(np_assembly *assembly)
{
    if (!assembly)
        return;
    for (np_seen_request *request = assembly->first_ended, *next; request; request = next) {
        next = request->next;
        np_assembly_free_request(assembly, request);
    }
    uint32_t at = 0;
    for (np_seen_request *request; (request = np_map_any(&assembly->requests, &at));) {
        np_map_remove(&assembly->requests, request->number);
        np_assembly_free_request(assembly, request);
    }
    at = 0;
    for (np_seen_connection *connection; (connection = np_map_any(&assembly->connections, &at));)
        np_assembly_free_connection(assembly, connection);
    at = 0;
    for (np_seen_orphan *orphan; (orphan = np_map_any(&assembly->orphans, &at));)
        np_assembly_free_orphan(assembly, orphan);
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

/* --------------------------------------------------------------------------------------------------------- hops */

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
void np_assembly_resolve_hops(np_assembly *assembly)
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

void np_assembly_forget_hop(np_assembly *assembly, const np_seen_request *request)
{
    for (np_seen_request **link = &assembly->hops; *link; link = &(*link)->next_hop)
        if (*link == request) {
            *link = request->next_hop;
            return;
        }
}

/* ---------------------------------------------------------------------------------------- what is to be written */

void np_assembly_ready_orphan(np_assembly *assembly, np_seen_orphan *orphan)
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

void np_assembly_ready_connection(np_assembly *assembly, np_seen_connection *connection)
{
    if (connection->ready)
        return;
    connection->ready = true;
    connection->next_ready = assembly->ready_connections;
    assembly->ready_connections = connection;
}

bool np_assembly_is_ready(const np_assembly *assembly)
{
    const np_pin *first = assembly->pins.next;
    return assembly->first_ended || assembly->ready_connections || assembly->ready_orphans ||
           assembly->clock_count || (first != &assembly->pins && first->spilling);
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
