/* netphase-tui: the terminal UI. `netphase` executes it; it speaks in the name of `netphase tui`.
 */
#include "verb_help.h"
#include "verb_tui.h"

static const struct verb *const verbs[] = {&verb_tui, &verb_help, NULL};

int main(int argc, char **argv)
{
    static const struct program program = {.name = "netphase-tui", .verbs = verbs};
    return program_main(&program, argc, argv);
}
