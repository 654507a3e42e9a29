/* netphase: reads traces, and finds the program that has the verb. */
#include "verbs.h"
#include <netphase/store.h>

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = "netphase", .verbs = verbs, .sqlite_version = np_sqlite_version};
    return program_main(&program, argc, argv);
}
