/* What has to wait for the turn's end. Floor 2; loop thread only. */
#include "turn_end.h"

static void on_again(np_loop_task *task)
{
    np_engine *engine = np_item(task, np_engine, again);
    engine->again_posted = false; /* the turn's end follows */
}

void np_turn_end_wake(np_engine *engine)
{
    if (engine->again_posted)
        return;
    engine->again_posted = true;
    engine->again.run = on_again;
    np_loop_post(engine->loop, &engine->again);
}

void np_turn_end_go_on(np_transfer *transfer, unsigned to_do)
{
    transfer->to_do |= to_do;
    if (np_link_used(&transfer->in_resumed))
        return;
    np_list_push_back(&transfer->engine->resumed, &transfer->in_resumed);
    if (!np_loop_is_current(transfer->engine->loop))
        np_turn_end_wake(transfer->engine);
}
