/* What a transaction takes out of an assembly, and what stays in it. Floor 2. See settle.h. */
#include "settle.h"

#include "pack.h"

#define NP_PACKED_MAX (16u * 1024 * 1024)

/* -------------------------------------------------------------------------------------------------------- spill */

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
            if (events[i].request == 0 || np_event_is_of_connection(&events[i]))
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
            np_assembly_ready_orphan(assembly, (np_seen_orphan *)pin);
        }
    }
    pack_events(assembly, from, read);
}

/* ------------------------------------------------------------------------------------- the end of a transaction */

static void keep_request_texts(np_assembly *assembly, np_seen_request *request)
{
    np_held_keep(assembly, &request->method);
    np_held_keep(assembly, &request->origin);
    np_held_keep(assembly, &request->path);
    np_held_keep(assembly, &request->proxy);
    for (np_seen_span *span = request->first_span; span; span = span->next) {
        np_held_keep(assembly, &span->name);
        np_held_keep(assembly, &span->detail);
    }
    for (np_seen_header *header = request->first_header; header; header = header->next) {
        np_held_keep(assembly, &header->name);
        np_held_keep(assembly, &header->value);
    }
}

static void spilled(np_assembly *assembly, np_seen_request *request)
{
    keep_request_texts(assembly, request);
    request->spilled = true;
    request->packed_committed = request->packed.length;
    request->packed_last_committed_ns = request->packed_last_ns;
    np_pin_remove(&request->pin);
}

static void connections_committed(np_assembly *assembly)
{
    np_seen_connection *connection = assembly->ready_connections;
    assembly->ready_connections = NULL;
    while (connection) {
        np_seen_connection *next = connection->next_ready;
        connection->ready = false;
        connection->written = true;
        np_connection_drop_texts(connection);
        if (connection->pin.spilling)
            np_pin_remove(&connection->pin);
        if (connection->closed && connection->users == 0)
            np_assembly_free_connection(assembly, connection);
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
            np_assembly_free_orphan(assembly, orphan);
        } else {
            np_held_drop(&orphan->span.name);
            np_pin_remove(&orphan->pin);
        }
        orphan = next;
    }
}

void np_assembly_committed(np_assembly *assembly)
{
    np_assembly_resolve_hops(assembly);
    connections_committed(
        assembly); /* before the requests, which are the last users of closed ones */
    orphans_committed(assembly);
    for (np_seen_request *request = assembly->first_ended, *next; request; request = next) {
        next = request->next;
        np_assembly_free_request(assembly, request);
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
