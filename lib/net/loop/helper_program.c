/* Where helper programs are; see helper_program.h. Floor 2; any thread. */
#include "helper_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_program(const char *folder, const char *name, char path[PATH_MAX])
{
    const int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return length > 0 && length < PATH_MAX && access(path, X_OK) == 0;
}

/* The folder of the running program. */
static bool own_folder(char folder[PATH_MAX])
{
    const ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (length <= 0)
        return false;
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

bool np_helper_find(const char *name, char path[PATH_MAX])
{
    const char *given = secure_getenv("NETPHASE_EXEC_PATH"); /* not in a set-user-ID program */
    if (given && *given)
        return is_program(given, name, path);
    char folder[PATH_MAX];
    char libexec[PATH_MAX];
    if (own_folder(folder)) {
        if (is_program(folder, name, path))
            return true;
        const int length = snprintf(libexec, sizeof libexec, "%s/../libexec/netphase", folder);
        if (length > 0 && length < PATH_MAX && is_program(libexec, name, path))
            return true;
    }
    return is_program(NP_LIBEXEC_DIR, name, path);
}
