/* See operations_use.h. */
#include "operations_use.h"
#include "operations_watch.h"

#include <stdio.h>

static void release(int which, void *thing)
{
    if (which == REQUEST)
        np_request_release(thing);
    else if (which < ANSWER)
        np_stream_release(thing);
    else if (which < READING)
        np_response_release(thing);
    else if (which < ASYNC)
        np_stream_release(thing);
    else
        np_async_release(thing);
}

void *use_borrow(struct use *use, int which)
{
    struct handle *handle = &use->handles[which];
    pthread_mutex_lock(&use->lock);
    void *thing = handle->dropped ? NULL : handle->thing;
    handle->borrowers += thing != NULL;
    pthread_mutex_unlock(&use->lock);
    return thing;
}

void use_give_back(struct use *use, int which)
{
    struct handle *handle = &use->handles[which];
    pthread_mutex_lock(&use->lock);
    void *gone = --handle->borrowers == 0 && handle->dropped ? handle->thing : NULL;
    pthread_mutex_unlock(&use->lock);
    if (gone)
        release(which, gone);
}

bool use_drop(struct use *use, int which)
{
    struct handle *handle = &use->handles[which];
    pthread_mutex_lock(&use->lock);
    const bool was_there = handle->thing && !handle->dropped;
    void *gone = was_there && handle->borrowers == 0 ? handle->thing : NULL;
    handle->dropped = handle->dropped || was_there;
    pthread_mutex_unlock(&use->lock);
    if (gone) {
        struct doing doing;
        doing_begin(&doing, "a release", use->number);
        release(which, gone);
        doing_end(&doing);
    }
    return was_there;
}

void use_keep(struct use *use, int first, int end, void *thing)
{
    int which = first;
    pthread_mutex_lock(&use->lock);
    while (which < end && use->handles[which].thing)
        which++;
    if (which < end)
        use->handles[which].thing = thing;
    pthread_mutex_unlock(&use->lock);
    if (which == end)
        release(first, thing);
}

void *use_borrow_any(struct use *use, int first, int end, int *which)
{
    for (*which = first; *which < end; ++*which) {
        void *thing = use_borrow(use, *which);
        if (thing)
            return thing;
    }
    return NULL;
}

void use_drop_all(struct use *use, np_random *random)
{
    int order[HANDLES];
    for (int i = 0; i < HANDLES; i++) {
        const int j = (int)np_random_below(random, (uint64_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < HANDLES; i++)
        (void)use_drop(use, order[i]);
}

void use_check(const struct use *use, const char *call, np_status status, unsigned may,
               const void *out, const np_error *err)
{
    static const np_status statuses[] = {NP_E_WEB, NP_E_PROTOCOL_VIOLATION, NP_E_INVALID_OPERATION,
                                         NP_E_NOT_SUPPORTED, NP_E_OBJECT_DISPOSED};
    char text[400];
    bool allowed = status == NP_OK;
    for (unsigned i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        allowed = allowed || (status == statuses[i] && (may & (1u << i)));
    snprintf(text, sizeof text, "%s answers %d, \"%s\"", call, (int)status,
             status ? err->text : "");
    check(allowed, text, use->number);
    check(status == NP_OK || (err->text[0] && err->status == status), text, use->number);
    check(status == NP_OK || !out, text, use->number);
}
