/* netphase-lab: a private network to try things on. `netphase` executes it; it speaks in the name
 * of `netphase VERB`. */
#include "../verb_help.h"
#include "verb_lab.h"

static const struct verb *const verbs[] = {&verb_demo, &verb_lab, &verb_help, NULL};

int main(int argc, char **argv)
{
    static const struct program program = {.name = "netphase-lab", .verbs = verbs};
    return program_main(&program, argc, argv);
}
