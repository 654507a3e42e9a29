/* A bar that says what a request's time went on; see share_bar.h. */
#include "share_bar.h"

const char *share_glyph(const struct app *app, np_phase phase, char letter[2])
{
    letter[0] = np_phase_letter(phase);
    letter[1] = '\0';
    if (app->look.colors == 0 || app->look.ascii)
        return letter;
    /* two pairs of phases share a colour; they differ in the glyph */
    return phase == NP_PHASE_TUNNEL ? "▓" : phase == NP_PHASE_GAP ? "░" : app->glyphs->bar;
}

/* The phase that has most of from … to. */
static np_phase phase_between(const int64_t phase_ns[NP_PHASE_COUNT], double from, double to)
{
    double begins = 0;
    double most = -1;
    int found = NP_PHASE_GAP;
    for (int phase = 0; phase < NP_PHASE_COUNT; phase++) {
        const double ends = begins + (phase_ns[phase] > 0 ? (double)phase_ns[phase] : 0);
        const double shared = (ends < to ? ends : to) - (begins > from ? begins : from);
        if (shared > most && ends > begins) {
            most = shared;
            found = phase;
        }
        begins = ends;
    }
    return (np_phase)found;
}

void share_bar_draw(const struct app *app, struct cells *cells, struct rect where, int x, int y,
                    int width, const int64_t phase_ns[NP_PHASE_COUNT])
{
    double whole = 0;
    for (int phase = 0; phase < NP_PHASE_COUNT; phase++)
        whole += phase_ns[phase] > 0 ? (double)phase_ns[phase] : 0;
    for (int i = 0; whole > 0 && i < width; i++) {
        char letter[2];
        const np_phase phase = phase_between(phase_ns, whole * i / width, whole * (i + 1) / width);
        cells_put(cells, where, x + i, y, ROLE_PHASE + (int)phase, share_glyph(app, phase, letter));
    }
}
