/*
 * Writes down the TCP packets of one interface, as a table for sqlite3's .import: what the trace's
 * boundaries are compared with. Until it is told to stop (SIGTERM, SIGINT) it does nothing but
 * wait: the kernel copies the packets into a ring that both see, so it takes no processor from
 * those it watches.
 *
 *   capture INTERFACE OUTPUT      "ready" on standard output when it listens
 *
 * at_ns (CLOCK_MONOTONIC), 1 for packets we send, client port, server port, TCP flags, payload
 * bytes, first payload byte. The client is the one whose port is the larger one.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 256, FRAMES = 131072, BLOCK = 65536 };

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Wall time less monotonic time: of several readings the narrowest. */
static int64_t wall_offset(int64_t *mono_ns)
{
    int64_t best = INT64_MAX, offset = 0;
    for (int i = 0; i < 100; i++) {
        const int64_t before = read_clock(CLOCK_MONOTONIC);
        const int64_t wall = read_clock(CLOCK_REALTIME);
        const int64_t width = read_clock(CLOCK_MONOTONIC) - before;
        if (width < best) {
            best = width;
            *mono_ns = before + width / 2;
            offset = wall - *mono_ns;
        }
    }
    return offset;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static char *open_ring(const char *interface, int *fd)
{
    const int version = TPACKET_V2;
    const struct tpacket_req ring = {.tp_block_size = BLOCK,
                                     .tp_block_nr = FRAME / 256 * FRAMES / (BLOCK / 256),
                                     .tp_frame_size = FRAME,
                                     .tp_frame_nr = FRAMES};
    *fd = socket(AF_PACKET, SOCK_DGRAM, 0);
    if (*fd < 0)
        die("a packet socket");
    if (setsockopt(*fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
        setsockopt(*fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring) != 0)
        die("a ring for packets");
    char *frames = mmap(NULL, (size_t)FRAME * FRAMES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_POPULATE, *fd, 0);
    if (frames == MAP_FAILED)
        die("a ring for packets");
    const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                        .sll_protocol = htons(ETH_P_ALL),
                                        .sll_ifindex = (int)if_nametoindex(interface)};
    if (address.sll_ifindex == 0)
        die(interface);
    if (bind(*fd, (const struct sockaddr *)&address, sizeof address) != 0)
        die("listening to the interface");
    return frames;
}

static void write_packet(FILE *out, const char *frame, int64_t at_ns)
{
    const struct tpacket2_hdr *head = (const struct tpacket2_hdr *)frame;
    const struct sockaddr_ll *from =
        (const struct sockaddr_ll *)(frame + TPACKET_ALIGN(sizeof *head));
    const unsigned char *packet = (const unsigned char *)frame + head->tp_net;
    struct iphdr ip;
    struct tcphdr tcp;
    if (head->tp_snaplen < sizeof ip)
        return;
    memcpy(&ip, packet, sizeof ip);
    const unsigned ip_length = ip.ihl * 4u;
    if (ip.version != 4 || ip.protocol != IPPROTO_TCP || head->tp_snaplen < ip_length + sizeof tcp)
        return;
    memcpy(&tcp, packet + ip_length, sizeof tcp);
    const unsigned head_length = ip_length + tcp.doff * 4u;
    const unsigned payload = ntohs(ip.tot_len) > head_length ? ntohs(ip.tot_len) - head_length : 0;
    const int first = payload > 0 && head->tp_snaplen > head_length ? packet[head_length] : -1;
    const unsigned source = ntohs(tcp.source), dest = ntohs(tcp.dest);
    fprintf(out, "%" PRId64 ",%d,%u,%u,%u,%u,%d\n", at_ns, from->sll_pkttype == PACKET_OUTGOING,
            source > dest ? source : dest, source > dest ? dest : source,
            (unsigned)(tcp.fin | tcp.syn << 1 | tcp.rst << 2 | tcp.ack << 4), payload, first);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: capture INTERFACE OUTPUT\n");
        return 2;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    int fd, signal_number;
    char *frames = open_ring(argv[1], &fd);
    FILE *out = fopen(argv[2], "w");
    if (!out)
        die(argv[2]);
    int64_t begin_ns, end_ns;
    const int64_t begin_offset = wall_offset(&begin_ns);
    puts("ready");
    fflush(stdout);
    sigwait(&stop, &signal_number);

    const int64_t end_offset = wall_offset(&end_ns);
    /* The wall clock may be slewed meanwhile: the offset in between by a straight line. */
    const double slope =
        (double)(end_offset - begin_offset) / (double)(end_ns > begin_ns ? end_ns - begin_ns : 1);
    struct tpacket_stats lost = {0};
    socklen_t size = sizeof lost;
    getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &lost, &size);
    fputs("at_ns,is_sent,client,server,flags,payload,first\n", out);
    for (int i = 0; i < FRAMES; i++) {
        const char *frame = frames + (size_t)i * FRAME;
        const struct tpacket2_hdr *head = (const struct tpacket2_hdr *)frame;
        if (!(head->tp_status & TP_STATUS_USER))
            break;
        const int64_t wall = (int64_t)head->tp_sec * 1000000000 + head->tp_nsec;
        const int64_t about = wall - begin_offset;
        write_packet(out, frame, about - (int64_t)(slope * (double)(about - begin_ns)));
    }
    if (fclose(out) != 0)
        die(argv[2]);
    if (lost.tp_drops > 0)
        fprintf(stderr, "capture: %u packets had no room\n", lost.tp_drops);
    return lost.tp_drops > 0;
}
