/* A loop, a dialer on it and a recording; dials are started from the test's thread and waited for. */
#ifndef NP_TEST_DIAL_RIG_H
#define NP_TEST_DIAL_RIG_H

#include "dial.h"
#include "recording.h"

#include <semaphore.h>

enum { RIG_DIALS = 16 };

struct dial_rig;

struct rig_dial {
    np_loop_task task; /* first */
    struct dial_rig *rig;
    np_dial_target target;
    np_dial *dial;
    bool called_inside; /* `done` came from inside np_dial_start */
    bool in_start;
    bool is_done;
    np_dial_result result;
};

struct dial_rig {
    np_loop *loop;
    struct recording recording;
    np_dialer *dialer;
    char folder[64], hosts[96], resolv[96]; /* empty hosts file, resolv.conf with `options timeout:1 attempts:1` */
    sem_t done;
    struct rig_dial dials[RIG_DIALS];
    size_t count;
};

/* Files are filled in where options leave them out. */
void rig_init(struct dial_rig *rig, np_dialer_options options);
void rig_write(const char *path, const char *text);
/* Starts one; its request number is its index + 1. Returns the index. */
size_t rig_start(struct dial_rig *rig, const char *host, uint16_t port, bool cold);
void rig_wait(struct dial_rig *rig, int dones);               /* for so many more to be done */
const np_dial_result *rig_dial(struct dial_rig *rig, const char *host, uint16_t port); /* both in one */
void rig_call(struct dial_rig *rig, void (*fn)(void *user), void *user); /* on the loop; waits */
void rig_cancel(struct dial_rig *rig, size_t index);
/* Ends everything and reads the recording; the descriptors that were won are closed. */
void rig_end(struct dial_rig *rig);
void rig_done(struct dial_rig *rig); /* after rig_end */

/* Sockets to dial to. A silent one accepts nothing: its backlog is full, SYNs are dropped. */
int listener_open(const char *address, uint16_t *port); /* port 0: any; answers the port */
void listener_fill(int listener, int filler[4]);
uint16_t closed_port(void);
int count_descriptors(void);

#endif
