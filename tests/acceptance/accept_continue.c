/* Section 8.3: the gate of 100-continue. */
#include "acceptance.h"

#define EXPECT "Expect: 100-continue\r\n"

static np_request *ask_5(struct world *w, int64_t continue_timeout_ms)
{
    np_request *r = ask(w, "POST");
    OK(np_request_set_content_length(r, 5, e));
    OK(np_request_set_continue_timeout(r, continue_timeout_ms, e));
    return r;
}

static void post_5(np_request *r)
{
    np_stream *s = open_stream(r);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
}

Test(gate, a_body_with_a_length_or_in_chunks_announces_itself)
{
    struct world w = world_open("head; " CONTINUE "body 5; " HELLO_REPLY "head; " CONTINUE
                                "chunks; " HELLO_REPLY);
    post_5(ask_5(&w, -1));
    np_request *r = ask(&w, "PUT");
    OK(np_request_set_send_chunked(r, true, e));
    OK(np_request_set_continue_timeout(r, -1, e));
    post_5(r);
    cr_assert_eq(times_heard(&w, EXPECT), 2);
    world_close(&w);
}

Test(gate, it_is_not_said_when_switched_off_or_by_http_1_0_or_without_a_body)
{
    struct world w =
        world_open("head; body 5; " HELLO_REPLY "head; body 5; " HELLO_REPLY "\n---\n" HELLO);
    np_request *off = ask_5(&w, -1), *old = ask_5(&w, -1), *empty = ask(&w, "POST");
    without_expect(off);
    post_5(off);
    OK(np_request_set_protocol_version(old, 10, e));
    OK(np_request_set_keep_alive(old, false, e));
    post_5(old);
    OK(np_request_set_content_length(empty, 0, e));
    finish(open_stream(empty));
    expect_hello(empty);
    cr_assert_not(heard(&w, "Expect"));
    world_close(&w);
}

Test(gate, the_body_is_held_back_until_the_server_says_100)
{
    struct world w = world_open("head; wait; " CONTINUE "body 5; " HELLO_REPLY);
    np_request *r = ask_5(&w, -1);
    np_async *async = begin_stream(r);
    np_stream *s;
    UNTIL(scripted_server_heads(w.server) == 1);
    cr_assert_eq(np_async_wait(async, 30), 1);
    scripted_server_go(w.server);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}

Test(gate, when_its_time_is_over_the_body_goes_without_100)
{
    struct world w = world_open(TAKES(5));
    post_5(ask_5(&w, 20));
    cr_assert(heard(&w, EXPECT));
    world_close(&w);
}

Test(gate, a_time_of_zero_does_not_wait)
{
    struct world w = world_open(TAKES(5));
    post_5(ask_5(&w, 0));
    cr_assert(heard(&w, EXPECT));
    world_close(&w);
}

Test(gate, a_100_that_comes_late_or_twice_does_no_harm)
{
    struct world w = world_open("head; body 5; " CONTINUE CONTINUE HELLO_REPLY
                                "head; " CONTINUE CONTINUE "body 5; " HELLO_REPLY);
    post_5(ask_5(&w, 0));
    post_5(ask_5(&w, -1));
    world_close(&w);
}

Test(gate, a_final_status_in_its_place_means_that_the_body_is_not_sent)
{
    struct world w =
        world_open("head; " SEND("401 Unauthorized", "Content-Length: 2\\r\\n", "no") "hang");
    np_request *r = ask_5(&w, -1);
    np_stream *s = open_stream(r);
    put(s, "abcde");
    finish(s);
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    cr_assert_not(heard(&w, "abcde"));
    world_close(&w);
}

Test(gate, a_good_final_status_in_its_place_is_the_response)
{
    struct world w = world_open("head; " HELLO_REPLY);
    np_request *r = ask_5(&w, -1);
    np_stream *s = open_stream(r);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    cr_assert_not(heard(&w, "abcde"));
    world_close(&w);
}

Test(gate, a_417_is_answered_once_without_the_field)
{
    struct world w = world_open("head; " SEND(
        "417 No", "Content-Length: 0\\r\\nConnection: close\\r\\n", "") "\n---\n" TAKES(5));
    np_request *r = ask_5(&w, -1);
    post_5(r);
    cr_assert_eq(times_heard(&w, EXPECT), 1);
    cr_assert_eq(times_heard(&w, "POST / HTTP/1.1\r\n"), 2);
    world_close(&w);
}

Test(gate, a_second_417_is_the_answer)
{
    struct world w = world_open("head; " SEND(
        "417 No", "Content-Length: 0\\r\\nConnection: close\\r\\n",
        "") "\n---\nhead; body 5; " SEND("417 No", "Content-Length: 0\\r\\nConnection: close\\r\\n",
                                         ""));
    np_request *r = ask_5(&w, -1);
    np_stream *s = open_stream(r);
    put(s, "abcde");
    finish(s);
    np_error error = failure_of(r);
    cr_assert_eq(error.web_status, NP_WEB_PROTOCOL_ERROR, "%s", error.text);
    cr_assert_eq(scripted_server_heads(w.server), 2);
    world_close(&w);
}

static atomic_int continues, last_status;
static void *continue_user;

static void note_continue(np_request *request, int status, void *user)
{
    (void)request;
    continue_user = user;
    atomic_store(&last_status, status);
    atomic_fetch_add(&continues, 1);
}

Test(gate, a_100_calls_who_asked_to_be_told)
{
    struct world w = world_open("head; " CONTINUE "body 5; " HELLO_REPLY);
    np_request *r = ask_5(&w, -1);
    OK(np_request_set_continue_callback(r, note_continue, &w, e));
    post_5(r);
    UNTIL(atomic_load(&continues) == 1);
    cr_assert_eq(atomic_load(&last_status), 100);
    cr_assert_eq(continue_user, &w);
    world_close(&w);
}

Test(gate, without_a_100_nobody_is_told)
{
    struct world w = world_open(TAKES(5));
    np_request *r = ask_5(&w, 0);
    OK(np_request_set_continue_callback(r, note_continue, &w, e));
    post_5(r);
    world_close(&w);
    cr_assert_eq(atomic_load(&continues), 0);
}

Test(gate, another_1xx_does_not_open_the_gate)
{
    struct world w =
        world_open("head; send \"HTTP/1.1 102 Processing\\r\\n\\r\\n\"; wait; " CONTINUE
                   "body 5; " HELLO_REPLY);
    np_request *r = ask_5(&w, -1);
    np_async *async = begin_stream(r);
    np_stream *s;
    UNTIL(scripted_server_heads(w.server) == 1);
    cr_assert_eq(np_async_wait(async, 30), 1);
    scripted_server_go(w.server);
    OK(np_request_end_get_request_stream(r, async, &s, e));
    np_async_release(async);
    put(s, "abcde");
    finish(s);
    expect_hello(r);
    world_close(&w);
}
