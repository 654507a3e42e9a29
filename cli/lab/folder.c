/* See folder.h. */
#include "folder.h"

#include "fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

np_status folder_create(struct folder *out, np_error *err)
{
    *out = (struct folder){0};
    struct folder folder;
    const char *base = getenv("TMPDIR");
    if (!base || base[0] != '/')
        base = "/tmp";
    int length = snprintf(folder.path, sizeof folder.path, "%s/netphase-lab-XXXXXX", base);
    if (length < 0 || (size_t)length + sizeof "/ca.pem" > sizeof folder.path)
        return lab_fail(err, NP_E_OUTPUT, "TMPDIR is too long for a folder in it: %s", base);
    if (!mkdtemp(folder.path)) /* 0700 */
        return lab_fail_os(err, NP_E_OUTPUT, errno, "no folder can be made in %s", base);
    (void)snprintf(folder.ca_path, sizeof folder.ca_path, "%.*s/ca.pem", length, folder.path);
    *out = folder;
    return NP_OK;
}

void folder_remove(const struct folder *folder)
{
    if (!folder->path[0])
        return;
    (void)unlink(folder->ca_path);
    (void)rmdir(folder->path);
}
