/* See pacing.h. */
#include "pacing.h"

enum {
    PIECES_A_SECOND = 500
}; /* finer steps cost processor time, coarser ones show in the client's stamps */

static uint64_t due_by_rate(const struct pacing *pacing, uint64_t end)
{
    if (pacing->rate == 0)
        return pacing->start_ns;
    unsigned __int128 ns = (unsigned __int128)end * 1000000000U / pacing->rate;
    return ns > UINT64_MAX / 4 ? UINT64_MAX / 2 : pacing->start_ns + (uint64_t)ns;
}

uint64_t pacing_next(const struct pacing *pacing, uint64_t sent, uint64_t *due_ns)
{
    uint64_t piece = PACING_LARGEST_PIECE;
    if (pacing->rate > 0) {
        piece = pacing->rate / PIECES_A_SECOND;
        if (piece > PACING_LARGEST_PIECE)
            piece = PACING_LARGEST_PIECE;
        if (piece == 0)
            piece = 1;
    }
    uint64_t part_due_ns = pacing->start_ns;
    if (pacing->part_bytes > 0) {
        uint64_t part = sent / pacing->part_bytes;
        uint64_t left = pacing->part_bytes - sent % pacing->part_bytes;
        if (piece > left)
            piece = left;
        part_due_ns += part * pacing->part_gap_ns;
    }
    if (piece > pacing->total_bytes - sent)
        piece = pacing->total_bytes - sent;
    *due_ns = due_by_rate(pacing, sent + piece);
    if (*due_ns < part_due_ns)
        *due_ns = part_due_ns;
    return sent + piece;
}

uint64_t pacing_end_ns(const struct pacing *pacing)
{
    if (pacing->total_bytes == 0)
        return pacing->start_ns;
    uint64_t due_ns;
    (void)pacing_next(pacing, pacing->total_bytes - 1, &due_ns);
    return due_ns;
}
