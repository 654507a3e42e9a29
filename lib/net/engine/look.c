/* What was there when we looked. Floor 2; loop thread only. See look.h. */
#include "look.h"

#include "kernel_time.h"
#include "tunnel.h"

/* How far a stamp may lie behind the first of the segments it stands for, when the loop slept and
   was woken by that: others can be merged until the thread runs and asks. */
#define WAKE_UP_NS      (256 * (uint64_t)NP_NS_PER_US)
#define SLOW_WAKE_UP_NS (uint64_t) NP_NS_PER_MS /* where more than one segment waits */
#define ONE_SEGMENT     1400
/* More than this is left: the response does not end in this look. (libcurl reads at most 100
   buffers of 16 KiB at a time.) */
#define MAY_END_BYTES   (2 * 1024 * 1024)

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

static uint64_t taken_of(const np_transfer *transfer)
{
    return transfer->header_bytes + transfer->received_bytes;
}

/* Can its response, or a handshake, end with what is queued now? */
static bool may_end(const np_transfer *transfer)
{
    if (transfer->stage != NP_STAGE_RECEIVE || transfer->expected_bytes < 0)
        return true;
    return (uint64_t)transfer->expected_bytes <= transfer->received_bytes + MAY_END_BYTES;
}

static void find_lateness(np_look *look)
{
    look->late_ns = 0;
    if (!look->first_ns)
        return;
    const uint64_t late_ns = between(later(look->first_ns, look->before_ns), look->looked_ns);
    look->late_ns = late_ns >= NP_LATE_VISIBLE_NS ? late_ns : 0;
}

/* Set-up and first request, or every one. */
bool np_look_is_wanted(const np_connection *connection)
{
    return connection->stamped &&
           (connection->engine->options.kernel_times == NP_KERNEL_TIMES_ALWAYS ||
            connection->requests <= 1);
}

static np_phase setup_phase(const np_connection *connection)
{
    if (connection->state != NP_CONNECTION_HANDSHAKING)
        return NP_PHASE_QUEUE;
    return np_tunnel_is_asking(connection->tunnel) ? NP_PHASE_TUNNEL : NP_PHASE_TLS;
}

void np_look_begin(np_connection *connection, uint64_t now_ns)
{
    const np_engine *engine = connection->engine;
    np_look *look = &connection->look;
    const np_transfer *transfer = connection->transfer;
    look->looked_ns = 0;
    if (!connection->stamped || !transfer)
        return;
    const np_loop_look loop = np_loop_last_look(engine->loop);
    const bool each = np_look_is_wanted(connection);
    const uint64_t free_ns = loop.slept ? loop.woke_ns : loop.before_ns;
    if (!each && between(free_ns, now_ns) < NP_LATE_VISIBLE_NS)
        return;
    *look = (np_look){.looked_ns = now_ns,
                      .before_ns = loop.before_ns,
                      .asleep_ns = loop.asleep_ns,
                      .slept = loop.slept,
                      .setup = setup_phase(connection),
                      .taken = taken_of(transfer)};
    look->first_ns = np_kernel_time_of(connection->fd, NP_KERNEL_FIRST_BYTE, &look->queued);
    look->by_poll = !look->first_ns && look->queued;
    if (look->by_poll)
        look->first_ns = loop.woke_ns;
    else if (each && look->first_ns && may_end(transfer))
        look->last_ns = np_kernel_time_of(connection->fd, NP_KERNEL_LAST_BYTE, NULL);
    look->peeked_ns = np_now();
    find_lateness(look);
}

void np_look_inside(np_connection *connection, uint64_t before_ns, uint64_t now_ns)
{
    np_look *look = &connection->look;
    const np_transfer *transfer = connection->transfer;
    if (!transfer || !np_look_is_wanted(connection))
        return;
    *look = (np_look){.looked_ns = now_ns, .before_ns = before_ns, .taken = taken_of(transfer)};
    look->first_ns = np_kernel_time_of(connection->fd, NP_KERNEL_FIRST_BYTE, &look->queued);
    if (look->first_ns)
        look->last_ns = np_kernel_time_of(connection->fd, NP_KERNEL_LAST_BYTE, NULL);
    look->peeked_ns = np_now();
}

void np_look_ahead(np_transfer *transfer, size_t length)
{
    np_connection *connection = transfer->connection;
    const uint64_t received = transfer->received_bytes + length;
    const bool known = transfer->expected_bytes >= 0;
    if (connection)
        transfer->touched_ns = connection->look.looked_ns;
    if (!connection || !np_look_is_wanted(connection) ||
        (known && (received >= (uint64_t)transfer->expected_bytes ||
                   (uint64_t)transfer->expected_bytes > received + MAY_END_BYTES)))
        return;
    np_look *look = &connection->look;
    uint64_t queued;
    const uint64_t last_ns = np_kernel_time_of(connection->fd, NP_KERNEL_LAST_BYTE, &queued);
    if (!last_ns)
        return;
    if (!look->looked_ns)
        *look = (np_look){.looked_ns = np_now()};
    look->last_ns = last_ns;
    look->queued = queued;
    look->taken = taken_of(transfer) + length;
}

void np_look_again(np_connection *connection)
{
    np_look *look = &connection->look;
    if (!look->looked_ns)
        return;
    /* Not what comes next has woken us, but the record: nothing lies before that. */
    const uint64_t record_ns = between(WAKE_UP_NS, look->first_ns);
    if (look->slept && look->first_ns)
        look->before_ns = later(look->before_ns, record_ns);
    look->slept = look->by_poll = false;
    look->setup = NP_PHASE_QUEUE;
    look->first_ns = np_kernel_time_of(connection->fd, NP_KERNEL_FIRST_BYTE, &look->queued);
    look->peeked_ns = np_now();
    find_lateness(look);
}

bool np_look_has_more(const np_connection *connection)
{
    return connection->look.looked_ns && connection->look.first_ns;
}

static bool is_setup(const np_look *look)
{
    return look->setup == NP_PHASE_TLS || look->setup == NP_PHASE_TUNNEL;
}

/* Set-up may have ended, and the request begun, in this look. */
static np_phase phase_of(const np_look *look, const np_transfer *transfer)
{
    if (is_setup(look))
        return look->setup;
    return transfer->stage == NP_STAGE_RECEIVE ? NP_PHASE_RECEIVE : NP_PHASE_WAIT;
}

static void tell_lateness(const np_connection *connection, np_transfer *transfer)
{
    const np_look *look = &connection->look;
    np_producer *producer = connection->engine->producer;
    const np_phase phase = phase_of(look, transfer);
    if (!is_setup(look))
        transfer->late_ns += look->late_ns;
    if (transfer->late_count++ >= NP_LATE_SPANS)
        return;
    const uint32_t span =
        np_emit_span_begin(producer, look->looked_ns - look->late_ns, transfer->number,
                           connection->number, phase, NP_SPAN_LATENESS, 0, "loop busy");
    np_emit_span_end(producer, look->looked_ns, transfer->number, span, NP_SPAN_OK, NULL);
}

static bool is_alone(const np_connection *connection)
{
    return connection->transfers.next == connection->transfers.previous;
}

void np_look_end(np_connection *connection)
{
    const np_look *look = &connection->look;
    if (!look->looked_ns || !look->late_ns)
        return;
    const np_link *all = &connection->transfers;
    for (np_link *link = all->next; link != all; link = link->next) {
        np_transfer *transfer = np_item(link, np_transfer, in_connection);
        if (is_alone(connection) || transfer->touched_ns == look->looked_ns)
            tell_lateness(connection, transfer);
    }
}

static uint8_t source_of(const np_look *look)
{
    return look->by_poll ? NP_SOURCE_SYSCALL : NP_SOURCE_KERNEL;
}

/* How far before its stamp the first byte may have come. What came right behind the moment at which
   the loop was about to sleep may belong to what had come before that: then the loop did not sleep,
   but its poll took long. */
static uint64_t spread_of(const np_look *look, uint64_t not_before_ns)
{
    const uint64_t most_ns = between(later(look->before_ns, not_before_ns), look->first_ns);
    const bool is_slow = look->by_poll || look->queued > ONE_SEGMENT;
    const uint64_t wake_up_ns = is_slow ? SLOW_WAKE_UP_NS : WAKE_UP_NS;
    if (!look->slept || look->first_ns < look->asleep_ns + wake_up_ns)
        return most_ns;
    const uint64_t awake_ns = later(wake_up_ns, between(look->first_ns, look->peeked_ns));
    return awake_ns < most_ns ? awake_ns : most_ns;
}

np_stamp np_look_first_byte(np_transfer *transfer, uint64_t now_ns)
{
    const np_look *look = &transfer->connection->look;
    transfer->touched_ns = look->looked_ns;
    np_stamp told = {.ns = now_ns, .source = NP_SOURCE_CALLBACK};
    if (look->looked_ns && look->queued && !look->first_ns) /* asked inside, and no stamp */
        told.uncertainty =
            np_uncertainty(between(later(look->before_ns, transfer->send_begin_ns), now_ns));
    if (!look->looked_ns || !look->first_ns || look->first_ns > now_ns ||
        look->first_ns < transfer->send_begin_ns)
        return told;
    /* It cannot have come before the request was sent: that stamp is what lies too late. */
    const uint64_t at_ns = later(look->first_ns, transfer->wait_begin_ns);
    uint64_t off_ns = spread_of(look, transfer->send_begin_ns) + between(look->first_ns, at_ns);
    if (!is_alone(transfer->connection)) /* the first byte may be another response's */
        off_ns = later(off_ns, between(look->first_ns, now_ns));
    return (np_stamp){
        .ns = at_ns, .source = source_of(look), .uncertainty = np_uncertainty(off_ns)};
}

np_stamp np_look_last_byte(const np_transfer *transfer)
{
    const np_look *look = transfer->connection ? &transfer->connection->look : NULL;
    const np_stamp told = {.ns = transfer->last_ns, .source = NP_SOURCE_CALLBACK};
    if (!look || !look->looked_ns || !look->last_ns || look->late_ns ||
        transfer->last_ns < look->looked_ns || look->last_ns > transfer->last_ns ||
        look->last_ns < transfer->send_begin_ns)
        return told;
    /* HTTP/2 packs header fields: what we have is no measure of what was on the wire. */
    const bool counts = transfer->protocol < NP_PROTOCOL_H2;
    if (counts && look->queued && taken_of(transfer) > look->taken + look->queued)
        return told; /* more has come while libcurl read */
    const uint64_t at_ns = later(look->last_ns, transfer->receive_begin_ns);
    /* Of several responses on one connection it may be another one's byte. */
    const uint64_t earliest_ns =
        is_alone(transfer->connection) || !look->first_ns ? look->last_ns : look->first_ns;
    return (np_stamp){.ns = at_ns,
                      .source = NP_SOURCE_KERNEL,
                      .uncertainty = np_uncertainty(between(earliest_ns, transfer->last_ns))};
}

np_stamp np_look_peer_finished(const np_connection *connection, uint64_t now_ns)
{
    const np_look *look = &connection->look;
    if (!look->looked_ns || !look->first_ns || look->first_ns > now_ns ||
        look->first_ns < connection->flight_ns)
        return (np_stamp){.ns = now_ns, .source = NP_SOURCE_CALLBACK};
    const uint64_t off_ns =
        look->by_poll ? spread_of(look, connection->flight_ns) : between(look->first_ns, now_ns);
    return (np_stamp){
        .ns = look->first_ns, .source = source_of(look), .uncertainty = np_uncertainty(off_ns)};
}
