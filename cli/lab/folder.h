/* The lab's private folder, 0700, with the certificate that CMD trusts. Program netphase-lab. */
#ifndef LAB_FOLDER_H
#define LAB_FOLDER_H

#include <netphase/status.h>

enum { FOLDER_PATH_SIZE = 512 };

struct folder {
    char path[FOLDER_PATH_SIZE];    /* "": none */
    char ca_path[FOLDER_PATH_SIZE]; /* a file in it, not made here */
};

/* Makes an empty folder in $TMPDIR, else /tmp. NP_E_OUTPUT when it cannot be made; `out` is empty
 * then. */
np_status folder_create(struct folder *out, np_error *err);

/* Removes the folder and the file; what is gone already is fine, so two processes may do it. */
void folder_remove(const struct folder *folder);

#endif
