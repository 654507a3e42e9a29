#include "dispatch_rules.h"

np_dispatch_choice np_dispatch_choose(const np_dispatch_view *view)
{
    if (!view->must_be_new) {
        if (view->has_fitting)
            return NP_DISPATCH_IDLE;
        if (view->has_room)
            return NP_DISPATCH_STREAM;
        if (view->may_share)
            return NP_DISPATCH_AWAIT;
    }
    if (view->connection_count >= view->limit)
        return view->has_idle ? NP_DISPATCH_REPLACE : NP_DISPATCH_WAIT;
    if (view->has_descriptor)
        return NP_DISPATCH_OPEN;
    if (view->has_idle)
        return NP_DISPATCH_REPLACE;
    return view->may_free_one ? NP_DISPATCH_FREE : NP_DISPATCH_NO_DESCRIPTOR;
}
