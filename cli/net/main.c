/* netphase-net: the verbs that send requests. `netphase` executes it; it speaks in the name of
 * `netphase VERB`. */
#include "verb_help.h"
#include "verb_proxy.h"
#include "verb_record.h"

static const struct verb *const verbs[] = {&verb_record, &verb_proxy, &verb_help, NULL};

int main(int argc, char **argv)
{
    static const struct program program = {.name = "netphase-net", .verbs = verbs};
    return program_main(&program, argc, argv);
}
