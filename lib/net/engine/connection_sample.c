/* When a connection's TCP is read. Floor 2; loop thread only. See connection_sample.h. */
#include "connection_sample.h"

#include "tcp_sample.h"

void np_connection_sample(np_connection *connection, uint32_t request, np_phase phase,
                          uint64_t now_ns)
{
    np_tcp_reading reading;
    if (!connection->stamped || connection->fd < 0 || request == 0 || now_ns == 0 ||
        !np_kernel_tcp(connection->fd, &reading))
        return;
    connection->sampled_ns = now_ns;
    np_tcp_sample_emit(connection->engine->producer, request, connection->number, phase, now_ns,
                       &reading);
}

void np_connection_sample_slow(np_connection *connection, uint32_t request, np_phase phase,
                               uint64_t begin_ns, uint64_t now_ns)
{
    if (begin_ns == 0 || now_ns < begin_ns + NP_TCP_SLOW_NS || now_ns == connection->sampled_ns ||
        now_ns < connection->slow_sampled_ns + NP_TCP_AGAIN_NS)
        return;
    connection->slow_sampled_ns = now_ns;
    np_connection_sample(connection, request, phase, now_ns);
}
