/* Names, letters and meanings of the phases, out of the one table in <netphase/phase.h>. Floor 1.
 */
#include <netphase/phase.h>

const char *np_phase_name(np_phase phase)
{
    switch (phase) {
#define NP_CASE(NAME, name, letter, meaning)                                                       \
    case NP_PHASE_##NAME:                                                                          \
        return name;
        NP_PHASES(NP_CASE)
#undef NP_CASE
    }
    return "?";
}

char np_phase_letter(np_phase phase)
{
    switch (phase) {
#define NP_CASE(NAME, name, letter, meaning)                                                       \
    case NP_PHASE_##NAME:                                                                          \
        return letter;
        NP_PHASES(NP_CASE)
#undef NP_CASE
    }
    return '?';
}

const char *np_phase_meaning(np_phase phase)
{
    switch (phase) {
#define NP_CASE(NAME, name, letter, meaning)                                                       \
    case NP_PHASE_##NAME:                                                                          \
        return meaning;
        NP_PHASES(NP_CASE)
#undef NP_CASE
    }
    return "";
}
