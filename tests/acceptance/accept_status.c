/* Section 10: which web status a failure of the network is. */
#include "acceptance.h"
#include "dns_server.h"
#include "folder.h"
#include "test_ca.h"
#include <stdio.h>

static void expect_status(np_request *r, np_web_status web)
{
    np_error error = failure_of(r);
    cr_assert_eq(error.status, NP_E_WEB);
    cr_assert_eq(error.web_status, web, "%s (%s; %s)", np_web_status_name(error.web_status),
                 error.text, error.cause);
    cr_assert(error.text[0]);
    cr_assert_eq(np_request_get_state(r),
                 web == NP_WEB_PROTOCOL_ERROR ? np_request_get_state(r) : NP_REQUEST_FAILED);
    cr_assert_eq(np_request_have_response(r), web == NP_WEB_PROTOCOL_ERROR);
}

static void expect_status_of(const char *script, np_web_status web)
{
    struct world w = world_open(script);
    expect_status(ask(&w, "GET"), web);
    world_close(&w);
}

Test(web, a_name_that_is_not_there_is_name_resolution_failure)
{
    static const struct dns_rule rules[] = {{0}};
    struct dns_server *dns = dns_server_start(rules);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.dns_servers = dns_server_address(dns);
    options.resolver = NP_RESOLVER_OWN;
    struct world w = world_open_with(HELLO, &options);
    expect_status(ask_url(&w, "GET", "http://nobody.test/"), NP_WEB_NAME_RESOLUTION_FAILURE);
    np_request *post = ask_url(&w, "POST", "http://nobody.test/");
    cr_assert_eq(stream_failure_of(post).web_status, NP_WEB_NAME_RESOLUTION_FAILURE);
    world_close(&w);
    dns_server_stop(dns);
}

Test(web, a_name_server_that_says_nothing_holds_up_neither_begin_nor_abort)
{
    static const struct dns_rule rules[] = {
        {.name = "slow.test", .drop = true},
        {0                  }
    };
    struct dns_server *dns = dns_server_start(rules);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    options.proxy = np_proxy_direct();
    options.dns_servers = dns_server_address(dns);
    options.resolver = NP_RESOLVER_OWN;
    struct world w = world_open_with(HELLO, &options);
    np_request *r = ask_url(&w, "POST", "http://slow.test/");
    np_async *async = begin_stream(r);
    UNTIL(dns_server_count(dns) > 0);
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_PENDING);
    np_request_abort(r);
    cr_assert_eq(async_failure(async).web_status, NP_WEB_REQUEST_CANCELED);
    np_async_release(async);
    world_close(&w);
    dns_server_stop(dns);
}

Test(web, a_refused_connect_is_connect_failure)
{
    struct world w = world_open(HELLO);
    expect_status(ask_nobody(&w, "GET"), NP_WEB_CONNECT_FAILURE);
    world_close(&w);
}

Test(web, a_reset_within_the_response_header_is_receive_failure)
{
    expect_status_of("head; send \"HTTP/1.1 200 OK\\r\\nX-\"; reset", NP_WEB_RECEIVE_FAILURE);
}

Test(web, a_reset_before_the_response_is_receive_failure)
{
    expect_status_of("head; reset", NP_WEB_RECEIVE_FAILURE);
}

Test(web, a_reset_within_the_body_comes_out_of_read)
{
    struct world w = world_open(
        "head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhello\"; wait; reset");
    np_response *response = get_response(ask(&w, "GET"));
    np_stream *s;
    char text[16];
    size_t got;
    OK(np_response_stream(response, &s, e));
    OK(np_stream_read(s, text, 5, &got, e));
    cr_assert_eq(got, 5);
    scripted_server_go(w.server);
    WEB(np_stream_read(s, text, 5, &got, e), NP_WEB_RECEIVE_FAILURE);
    WEB(np_stream_read(s, text, 5, &got, e), NP_WEB_RECEIVE_FAILURE);
    np_stream_release(s);
    np_response_release(response);
    world_close(&w);
}

Test(web, an_end_before_the_response_is_connection_closed)
{
    expect_status_of("head", NP_WEB_CONNECTION_CLOSED);
}

Test(web, an_error_status_is_protocol_error)
{
    expect_status_of("head; " SEND("500 No", "Content-Length: 0\\r\\n", ""), NP_WEB_PROTOCOL_ERROR);
}

Test(web, what_is_no_http_is_server_protocol_violation)
{
    expect_status_of("head; send \"SSH-2.0-server\\r\\n\\r\\n\"; hang",
                     NP_WEB_SERVER_PROTOCOL_VIOLATION);
    expect_status_of("head; send \"HTTP/1.1 200 OK\\r\\nContent-Length: many\\r\\n\\r\\n\"; hang",
                     NP_WEB_SERVER_PROTOCOL_VIOLATION);
}

Test(web, tls_to_a_server_that_speaks_none_is_secure_channel_failure)
{
    struct world w = world_open("first; send \"HTTP/1.1 400 Bad\\r\\n\\r\\n\"");
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", scripted_server_port(w.server));
    expect_status(ask_url(&w, "GET", url), NP_WEB_SECURE_CHANNEL_FAILURE);
    world_close(&w);
}

/* A server whose certificate is for `names`, which is trusted or not. */
static void expect_tls(const char *names, bool trusts, np_web_status web)
{
    char folder[128], script[256], ca_file[256], url[128];
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    folder_make(folder, sizeof folder);
    cr_assert(test_ca_make(folder, names));
    snprintf(script, sizeof script, "tls %s; head; " HELLO_REPLY, folder);
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    options.proxy = np_proxy_direct();
    options.ca_file = trusts ? ca_file : NULL;
    struct world w = world_open_with(script, &options);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", scripted_server_port(w.server));
    np_request *r = ask_url(&w, "GET", url);
    if (web == NP_WEB_SUCCESS)
        expect_hello(r);
    else
        expect_status(r, web);
    world_close(&w);
    folder_remove(folder);
}

Test(web, a_certificate_has_to_be_vouched_for_and_of_the_right_name)
{
    expect_tls("IP:127.0.0.1", true, NP_WEB_SUCCESS);
    expect_tls("IP:127.0.0.1", false, NP_WEB_TRUST_FAILURE);
    expect_tls("DNS:origin.test", true, NP_WEB_TRUST_FAILURE);
}

Test(web,
     a_failed_handshake_belongs_to_the_stream_with_a_length_and_to_the_response_of_a_gathered_one)
{
    struct world w = world_open("first; send \"no tls\"\n---\nfirst; send \"no tls\"");
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", scripted_server_port(w.server));
    np_request *length = ask_url(&w, "POST", url), *gathered = ask_url(&w, "POST", url);
    OK(np_request_set_content_length(length, 3, e));
    cr_assert_eq(stream_failure_of(length).web_status, NP_WEB_SECURE_CHANNEL_FAILURE);
    finish(open_stream(gathered));
    cr_assert_eq(failure_of(gathered).web_status, NP_WEB_SECURE_CHANNEL_FAILURE);
    world_close(&w);
}

Test(web, a_proxy_whose_name_is_not_there_is_proxy_name_resolution_failure)
{
    static const struct dns_rule rules[] = {{0}};
    struct dns_server *dns = dns_server_start(rules);
    np_context_options options = NP_CONTEXT_OPTIONS_INIT;
    np_proxy_options proxy_options = NP_PROXY_OPTIONS_INIT;
    np_proxy *proxy;
    proxy_options.proxies = "http://nobody.test:3128";
    OK(np_proxy_create(&proxy_options, &proxy, e));
    options.dns_servers = dns_server_address(dns);
    options.resolver = NP_RESOLVER_OWN;
    struct world w = world_open_with(HELLO, &options);
    np_request *r = ask_url(&w, "GET", "http://somewhere.test/");
    OK(np_request_set_proxy(r, proxy, e));
    expect_status(r, NP_WEB_PROXY_NAME_RESOLUTION_FAILURE);
    world_close(&w);
    np_proxy_release(proxy);
    dns_server_stop(dns);
}

static np_status forbid(const np_proxy_query *query, char *answer, size_t capacity, void *user,
                        np_error *err)
{
    (void)query, (void)answer, (void)capacity, (void)user;
    *err = (np_error){.status = NP_E_WEB,
                      .web_status = NP_WEB_REQUEST_PROHIBITED_BY_PROXY,
                      .text = "not from here"};
    return NP_E_WEB;
}

Test(web, a_proxy_that_forbids_it_is_request_prohibited_by_proxy)
{
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    np_proxy *proxy;
    options.callback = forbid;
    OK(np_proxy_create(&options, &proxy, e));
    struct world w = world_open(HELLO);
    np_request *r = ask(&w, "GET");
    OK(np_request_set_proxy(r, proxy, e));
    expect_status(r, NP_WEB_REQUEST_PROHIBITED_BY_PROXY);
    cr_assert_eq(scripted_server_connections(w.server), 0);
    world_close(&w);
    np_proxy_release(proxy);
}

Test(web, a_proxy_that_refuses_the_connect_is_connect_failure)
{
    struct world w = world_open(HELLO);
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    np_proxy *proxy;
    const char *dead = np_request_uri(ask_nobody(&w, "GET"));
    options.proxies = dead;
    OK(np_proxy_create(&options, &proxy, e));
    np_request *r = ask(&w, "GET");
    OK(np_request_set_proxy(r, proxy, e));
    expect_status(r, NP_WEB_CONNECT_FAILURE);
    world_close(&w);
    np_proxy_release(proxy);
}

Test(web, a_header_beyond_the_limit_is_message_length_limit_exceeded)
{
    struct world w = world_open("head; send \"HTTP/1.1 200 OK\\r\\n\"; repeat 40 \"X-Long: "
                                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\r\\n\"; send "
                                "\"Content-Length: 0\\r\\n\\r\\n\"; again");
    np_request *small = ask(&w, "GET"), *none = ask(&w, "GET"), *any = ask(&w, "GET"),
               *usual = ask(&w, "GET");
    OK(np_request_set_maximum_response_headers_length(small, 1, e));
    OK(np_request_set_maximum_response_headers_length(none, 0, e));
    OK(np_request_set_maximum_response_headers_length(any, -1, e));
    expect_status(small, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED);
    expect_status(none, NP_WEB_MESSAGE_LENGTH_LIMIT_EXCEEDED);
    np_response_release(get_response(any));
    np_response_release(get_response(usual));
    world_close(&w);
}

/* ------------------------------------------------------- a proxy decision that does not come back */

struct gate {
    atomic_bool asked, open;
};

static np_status wait_at_gate(const np_proxy_query *query, char *answer, size_t capacity,
                              void *user, np_error *err)
{
    struct gate *gate = user;
    (void)query, (void)err;
    atomic_store(&gate->asked, true);
    while (!atomic_load(&gate->open))
        pause_1_ms();
    snprintf(answer, capacity, "DIRECT");
    return NP_OK;
}

static np_proxy *proxy_behind(struct gate *gate)
{
    np_proxy_options options = NP_PROXY_OPTIONS_INIT;
    np_proxy *proxy;
    options.callback = wait_at_gate;
    options.user = gate;
    OK(np_proxy_create(&options, &proxy, e));
    return proxy;
}

Test(px_3, who_waits_for_a_proxy_decision_leaves_at_once)
{
    struct gate gate = {0};
    struct world w = world_open(HELLO);
    np_proxy *proxy = proxy_behind(&gate);
    np_request *r = ask(&w, "POST");
    struct calls calls = {0};
    np_async *async;
    OK(np_request_set_proxy(r, proxy, e));
    OK(np_request_begin_get_request_stream(r, count_call, &calls, &async, e)); /* does not wait */
    UNTIL(atomic_load(&gate.asked));
    cr_assert_eq(np_request_get_state(r), NP_REQUEST_STREAM_PENDING);
    np_request_abort(r);
    cr_assert_eq(atomic_load(&calls.count), 1);
    cr_assert_eq(async_failure(async).web_status, NP_WEB_REQUEST_CANCELED);
    atomic_store(&gate.open, true);
    np_async_release(async);
    world_close(&w);
    np_proxy_release(proxy);
}

Test(ab_1, the_synchronous_timeout_is_for_the_proxy_decision_too)
{
    struct gate gate = {0};
    struct world w = world_open(HELLO);
    np_proxy *proxy = proxy_behind(&gate);
    np_request *r = ask(&w, "GET"), *later = ask(&w, "GET");
    np_response *response;
    OK(np_request_set_proxy(r, proxy, e));
    OK(np_request_set_proxy(later, proxy, e));
    OK(np_request_set_timeout(r, 20, e));
    WEB(np_request_get_response(r, &response, e), NP_WEB_TIMEOUT);
    np_async *async = begin_response(later); /* shares the decision that is under way */
    atomic_store(&gate.open, true);
    np_response_release(end_response(later, async));
    world_close(&w);
    np_proxy_release(proxy);
}

Test(er, an_error_of_a_layer_below_names_it_and_one_of_ours_does_not)
{
    struct world w = world_open("head; " SEND("404 Not Found", "Content-Length: 0\\r\\n", ""));
    np_error connect = failure_of(ask_nobody(&w, "GET")), status = failure_of(ask(&w, "GET")),
             usage = {0};
    np_async *async;
    cr_assert(connect.layer && connect.layer[0] && connect.code != 0);
    cr_assert(status.layer == NULL || status.code != 0);
    np_request_begin_get_request_stream(ask(&w, "GET"), NULL, NULL, &async, &usage);
    cr_assert_null(usage.layer);
    cr_assert_eq(usage.code, 0);
    world_close(&w);
}
