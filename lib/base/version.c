/* The version, from the one place that has it: project() in CMakeLists.txt. Floor 0. */
#include <netphase/netphase.h>

const char *np_version(void)
{
    return NP_VERSION;
}
