/* netphase: reads traces, and finds the program that has the verb. */
#include "verbs.h"

int main(int argc, char **argv)
{
    static const struct program program = {.name = "netphase", .verbs = verbs};
    return program_main(&program, argc, argv);
}
