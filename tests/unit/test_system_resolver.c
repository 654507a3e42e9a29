/*
 * The system's resolver in processes of its own: the real helper on this machine's configuration,
 * and one that hangs, dies and lies. Through dns.c, as a dial uses it; spans are read out of the
 * ring.
 */
#include "clock.h"
#include "dial_rig.h"
#include "dns.h"
#include "dns_server.h"
#include "system_resolver.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ASKS = 24 };

struct rig;

struct one_ask {
    struct rig *rig;
    const char *name;
    np_dns_ask *ask;
    np_dns_state state; /* at its end */
    bool leaves;        /* ended by run_leave, not by an answer */
};

struct rig {
    np_loop_task task; /* first */
    np_loop *loop;
    np_dns *dns;
    struct recording recording;
    char folder[64], hosts[96], nsswitch[96], gate[96];
    struct one_ask asks[ASKS];
    size_t first, count;
    sem_t done;
};

static void end_ask(struct one_ask *a, uint64_t now_ns)
{
    a->state = *np_dns_ask_state(a->ask);
    np_dns_ask_end(a->ask, now_ns);
    a->ask = NULL;
    sem_post(&a->rig->done);
}

static void on_news(uint64_t now_ns, void *user)
{
    struct one_ask *a = user;
    const np_dns_state *state = np_dns_ask_state(a->ask);
    if (state->done_v4 && state->done_v6)
        end_ask(a, now_ns);
}

static void run_asks(np_loop_task *task)
{
    struct rig *rig = (struct rig *)task;
    for (size_t i = rig->first; i < rig->first + rig->count; i++) {
        struct one_ask *a = &rig->asks[i];
        a->ask =
            np_dns_ask_start(rig->dns, a->name, (uint32_t)i + 1, 0, false, np_now(), on_news, a);
        const np_dns_state *state = np_dns_ask_state(a->ask);
        if (state->done_v4 && state->done_v6)
            end_ask(a, np_now());
    }
    rig->first += rig->count;
    sem_post(&rig->done);
}

static void wait_done(struct rig *rig, size_t count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(sem_timedwait(&rig->done, &deadline), 0, "not done within 30 s");
}

/* Starts lookups; returns when they have been started. */
static void start(struct rig *rig, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rig->asks[rig->first + i] = (struct one_ask){.rig = rig, .name = names[i]};
    rig->count = count;
    rig->task.run = run_asks;
    np_loop_post(rig->loop, &rig->task);
    wait_done(rig, 1);
}

static const np_dns_state *ask(struct rig *rig, const char *name)
{
    start(rig, &name, 1);
    wait_done(rig, 1);
    return &rig->asks[rig->first - 1].state;
}

static void rig_open_dns(struct rig *rig, np_dns_options options)
{
    np_error err;
    memset(rig, 0, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/netphase-nss-XXXXXX");
    cr_assert(mkdtemp(rig->folder));
    snprintf(rig->hosts, sizeof rig->hosts, "%s/hosts", rig->folder);
    snprintf(rig->nsswitch, sizeof rig->nsswitch, "%s/nsswitch.conf", rig->folder);
    snprintf(rig->gate, sizeof rig->gate, "%s/gate", rig->folder);
    setenv("RESOLVE_FAKE_GATE", rig->gate, 1);
    options.hosts_file = rig->hosts;
    options.resolv_conf = "/nonexistent";
    if (!options.nsswitch_conf)
        options.nsswitch_conf = rig->nsswitch;
    sem_init(&rig->done, 0, 0);
    recording_init(&rig->recording);
    cr_assert_eq(np_loop_create(&rig->loop, &err), NP_OK);
    cr_assert_eq(np_dns_create(rig->loop, &options, &rig->recording.producer, &rig->dns, &err),
                 NP_OK, "%s", err.text);
    cr_assert_eq(np_loop_start(rig->loop, &err), NP_OK);
}

struct free_task {
    np_loop_task task; /* first */
    struct rig *rig;
};

static void run_free(np_loop_task *task)
{
    np_dns_free(((struct free_task *)task)->rig->dns);
}

/* Children of this process that have not been reaped, running or not; *one is one of them. */
static int find_children(pid_t *one)
{
    char path[64];
    char words[4096];
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/self/task/%.16s/children", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        words[fread(words, 1, sizeof words - 1, file)] = '\0';
        fclose(file);
        if (words[0])
            *one = atoi(words);
        for (const char *at = words; (at = strchr(at, ' ')); at++)
            count++;
    }
    closedir(tasks);
    return count;
}

static int children(void)
{
    pid_t one;
    return find_children(&one);
}

static void rig_close(struct rig *rig)
{
    struct free_task task = {.task.run = run_free, .rig = rig};
    np_loop_post(rig->loop, &task.task);
    np_loop_stop(rig->loop);
    np_loop_free(rig->loop);
    recording_done(&rig->recording);
    unlink(rig->hosts);
    unlink(rig->nsswitch);
    unlink(rig->gate);
    rmdir(rig->folder);
    sem_destroy(&rig->done);
    cr_assert_eq(children(), 0, "a process is left");
}

static const char *addresses_of(const np_dns_state *state)
{
    static char out[1024];
    char text[NP_ADDRESS_TEXT];
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < state->count; i++)
        length += (size_t)snprintf(out + length, sizeof out - length, "%s%s", i ? " " : "",
                                   np_address_host_text(&state->address[i], text));
    return out;
}

static const struct recorded_span *lookup_span(struct rig *rig, size_t index)
{
    static struct recorded_span spans[64];
    recording_read(&rig->recording);
    const size_t count = recording_spans(&rig->recording, NP_SPAN_LOOKUP, spans, 64);
    cr_assert_lt(index, count);
    return &spans[index];
}

static const np_dns_options fake = {.resolver = NP_RESOLVER_SYSTEM,
                                    .system_program = NP_RESOLVE_FAKE,
                                    .system_timeout_ns = 20 * NP_NS_PER_S};

Test(system_resolver, the_real_helper_answers)
{
    struct rig rig;
    np_dns_options options = {.resolver = NP_RESOLVER_SYSTEM, .system_program = NP_RESOLVE_PROGRAM};
    rig_open_dns(&rig, options);
    cr_assert_str_eq(addresses_of(ask(&rig, "127.0.0.9")),
                     "127.0.0.9"); /* needs no configuration */
    cr_assert(rig.asks[0].state.from_wire);
    cr_assert_not(rig.asks[0].state.cached);
    cr_assert(strstr(lookup_span(&rig, 0)->detail, "\"source\":\"nss\""));
    cr_assert(strstr(lookup_span(&rig, 0)->detail, "\"127.0.0.9\""));
    cr_assert_eq(lookup_span(&rig, 0)->outcome, NP_SPAN_OK);
    rig_close(&rig);
}

Test(system_resolver, a_family_that_is_not_asked_for_does_not_come)
{
    struct rig rig;
    np_dns_options options = {.resolver = NP_RESOLVER_SYSTEM,
                              .family = NP_FAMILY_IPV6,
                              .system_program = NP_RESOLVE_PROGRAM};
    rig_open_dns(&rig, options);
    const np_dns_state *state = ask(&rig, "127.0.0.9");
    cr_assert_eq(state->count, 0);
    cr_assert_eq(state->error.status, NP_E_WEB);
    cr_assert_eq(state->outcome, NP_DNS_NODATA, "%s", state->error.text);
    rig_close(&rig);
}

Test(system_resolver, processes_are_kept_and_their_answers_are_not_cached)
{
    struct rig rig;
    rig_open_dns(&rig, fake);
    for (int i = 0; i < 5; i++)
        cr_assert_str_eq(addresses_of(ask(&rig, "plain.test")), "192.0.2.1 2001:db8::1");
    cr_assert_eq(children(), 1);
    cr_assert(strstr(lookup_span(&rig, 4)->detail, "\"source\":\"nss\""));
    rig_close(&rig);
}

Test(system_resolver, one_slow_name_does_not_block_others)
{
    static const char *const slow[] = {"slow.a.test", "slow.b.test", "slow.c.test"};
    struct rig rig;
    rig_open_dns(&rig, fake);
    start(&rig, slow, 3);
    cr_assert_str_eq(addresses_of(ask(&rig, "quick.test")), "192.0.2.1 2001:db8::1");
    rig_write(rig.gate, "");
    wait_done(&rig, 3);
    cr_assert_str_eq(addresses_of(&rig.asks[2].state), "192.0.2.1 2001:db8::1");
    rig_close(&rig);
}

Test(system_resolver, more_lookups_than_processes_wait_in_order)
{
    static char texts[20][32];
    const char *names[20];
    struct rig rig;
    rig_open_dns(&rig, fake);
    for (size_t i = 0; i < 20; i++) {
        snprintf(texts[i], sizeof texts[i], "slow.%zu.test", i);
        names[i] = texts[i];
    }
    start(&rig, names, 20);
    cr_assert_eq(children(), 8);
    rig_write(rig.gate, "");
    wait_done(&rig, 20);
    for (size_t i = 0; i < 20; i++)
        cr_assert_eq(rig.asks[i].state.count, 2);
    rig_close(&rig);
}

Test(system_resolver, one_name_is_asked_for_once)
{
    static const char *const names[] = {"slow.a.test", "slow.a.test", "slow.a.test"};
    struct rig rig;
    rig_open_dns(&rig, fake);
    start(&rig, names, 3);
    cr_assert_eq(children(), 1);
    rig_write(rig.gate, "");
    wait_done(&rig, 3);
    cr_assert(strstr(lookup_span(&rig, 1)->detail, "\"source\":\"shared\""));
    rig_close(&rig);
}

/* Every way to lie: the lookup fails with a reason, the next one is answered. */
Test(system_resolver, a_process_that_dies_or_lies_is_replaced)
{
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"die.test",     "has ended without an answer"},
        {"garbage.test", "cannot be understood"       },
        {"huge.test",    "cannot be understood"       },
        {"short.test",   "cannot be understood"       },
        {"number.test",  "cannot be understood"       },
        {"many.test",    "cannot be understood"       },
        {"empty.test",   "cannot be understood"       },
        {"family.test",  "cannot be understood"       },
        {"code.test",    "cannot be understood"       },
    };
    struct rig rig;
    rig_open_dns(&rig, fake);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const np_dns_state *state = ask(&rig, cases[i].name);
        cr_assert_eq(state->count, 0, "%s", cases[i].name);
        cr_assert_eq(state->error.status, NP_E_WEB);
        cr_assert_eq(state->error.web_status, NP_WEB_NAME_RESOLUTION_FAILURE);
        cr_assert(strstr(state->error.text, cases[i].words), "%s: %s", cases[i].name,
                  state->error.text);
        cr_assert_eq(lookup_span(&rig, 2 * i)->outcome, NP_SPAN_FAILED);
        cr_assert_eq(ask(&rig, "plain.test")->count, 2, "after %s", cases[i].name);
    }
    rig_close(&rig);
}

Test(system_resolver, an_answer_too_many_costs_the_process_its_life_and_nobody_else)
{
    struct rig rig;
    rig_open_dns(&rig, fake);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(ask(&rig, "twice.test")->count, 2);
    rig_close(&rig);
}

Test(system_resolver, a_process_that_is_killed_in_a_lookup_is_replaced_and_asked_again)
{
    static const char *const names[] = {"slow.a.test"};
    struct rig rig;
    rig_open_dns(&rig, fake);
    start(&rig, names, 1);
    pid_t child = 0;
    cr_assert_eq(find_children(&child), 1);
    cr_assert_eq(kill(child, SIGKILL), 0);
    rig_write(rig.gate, "");
    wait_done(&rig, 1);
    cr_assert_eq(rig.asks[0].state.count, 2, "%s", rig.asks[0].state.error.text);
    rig_close(&rig);
}

Test(system_resolver, a_process_that_hangs_is_killed_at_the_limit)
{
    struct rig rig;
    np_dns_options options = fake;
    options.system_timeout_ns = 50 * NP_NS_PER_MS;
    rig_open_dns(&rig, options);
    const np_dns_state *state = ask(&rig, "hang.test");
    cr_assert_eq(state->outcome, NP_DNS_TIMEOUT);
    cr_assert_str_eq(state->error.text, "no answer from the system resolver within 50.0 ms");
    cr_assert_eq(lookup_span(&rig, 0)->outcome, NP_SPAN_TIMEOUT);
    rig_close(&rig);
}

static void run_leave(np_loop_task *task)
{
    struct rig *rig = (struct rig *)task;
    end_ask(&rig->asks[0], np_now());
}

Test(system_resolver, a_lookup_nobody_wants_is_killed)
{
    static const char *const names[] = {"hang.test"};
    struct rig rig;
    rig_open_dns(&rig, fake);
    start(&rig, names, 1);
    cr_assert_eq(children(), 1);
    rig.task.run = run_leave;
    np_loop_post(rig.loop, &rig.task);
    wait_done(&rig, 1);
    cr_assert_eq(ask(&rig, "plain.test")->count, 2);
    cr_assert_eq(lookup_span(&rig, 0)->outcome, NP_SPAN_ABANDONED);
    rig_close(&rig);
}

Test(system_resolver, its_words_for_failures)
{
    struct rig rig;
    rig_open_dns(&rig, fake);
    const np_dns_state *state = ask(&rig, "unknown.test");
    cr_assert_eq(state->outcome, NP_DNS_NXDOMAIN);
    cr_assert_str_eq(state->error.text, "unknown host unknown.test");
    cr_assert_neq(state->error.code, 0);
    state = ask(&rig, "again.test");
    cr_assert_eq(state->outcome, NP_DNS_FAILED);
    cr_assert_str_eq(state->error.text, "the system resolver fails for again.test");
    cr_assert(strstr(state->error.cause, "emporary failure"), "%s", state->error.cause);
    rig_close(&rig);
}

Test(system_resolver, a_program_that_cannot_run_is_a_failed_lookup)
{
    struct rig rig;
    np_dns_options options = fake;
    options.system_program = "/nonexistent/netphase-resolve";
    rig_open_dns(&rig, options);
    const np_dns_state *state = ask(&rig, "plain.test");
    cr_assert_str_eq(state->error.text,
                     "the system resolver's process cannot be started: No such file or directory");
    options.system_program = "/bin/true"; /* it runs, and ends */
    rig_close(&rig);
    rig_open_dns(&rig, options);
    cr_assert_eq(ask(&rig, "plain.test")->count, 0);
    cr_assert_eq(rig.asks[0].state.error.status, NP_E_WEB);
    rig_close(&rig);
}

Test(system_resolver, nsswitch_decides_and_is_read_again)
{
    struct dns_rule rules[] = {
        {.name = "a.test",          .type = DNS_A, .addresses = "192.0.2.7", .ttl_s = 60},
        {0}
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    np_dns_options options = {.system_program = NP_RESOLVE_FAKE};
    rig_open_dns(&rig, options);
    rig_write(rig.hosts, "192.0.2.99 both.test\n");
    rig_write(rig.nsswitch, "hosts: files mdns4_minimal [NOTFOUND=return] dns\n");
    cr_assert_str_eq(addresses_of(ask(&rig, "a.test")), "192.0.2.1 2001:db8::1");
    cr_assert_str_eq(addresses_of(ask(&rig, "both.test")), "192.0.2.99", "files is ours to read");
    rig_write(rig.nsswitch, "hosts: mdns4_minimal files dns\n");
    cr_assert_str_eq(addresses_of(ask(&rig, "both.test")), "192.0.2.1 2001:db8::1");
    rig_close(&rig);

    options.dns_servers = dns_server_address(server); /* who names servers wants them asked */
    rig_open_dns(&rig, options);
    rig_write(rig.nsswitch, "hosts: files mdns4_minimal [NOTFOUND=return] dns\n");
    cr_assert_str_eq(addresses_of(ask(&rig, "a.test")), "192.0.2.7");
    cr_assert_eq(children(), 0);
    rig_close(&rig);
    dns_server_stop(server);
}

Test(system_resolver, dns_files_gives_the_hosts_file_the_last_word)
{
    struct dns_rule rules[] = {
        {.name = "a.test",          .type = DNS_A, .addresses = "192.0.2.7", .ttl_s = 60},
        {0}
    };
    struct dns_server *server = dns_server_start(rules);
    struct rig rig;
    rig_open_dns(&rig, (np_dns_options){.dns_servers = dns_server_address(server)});
    rig_write(rig.hosts, "192.0.2.99 a.test\n192.0.2.98 only.test\n");
    rig_write(rig.nsswitch, "hosts: dns files\n");
    cr_assert_str_eq(addresses_of(ask(&rig, "a.test")), "192.0.2.7");
    cr_assert_str_eq(addresses_of(ask(&rig, "only.test")), "192.0.2.98");
    cr_assert(strstr(lookup_span(&rig, 1)->detail, "\"source\":\"hosts\""));
    cr_assert_str_eq(addresses_of(ask(&rig, "only.test.")), "192.0.2.98");
    cr_assert_eq(ask(&rig, "none.test")->count, 0);
    rig_write(rig.hosts, "192.0.2.97 none.test\n");
    cr_assert_str_eq(addresses_of(ask(&rig, "none.test")), "192.0.2.97",
                     "also when the name is cached as unknown");
    rig_close(&rig);
    dns_server_stop(server);
}

Test(system_resolver, servers_and_the_systems_resolver_exclude_each_other)
{
    np_loop *loop;
    np_dns *dns;
    np_error err;
    np_dns_options options = fake;
    options.dns_servers = "127.0.0.1";
    cr_assert_eq(np_loop_create(&loop, &err), NP_OK);
    cr_assert_eq(np_dns_create(loop, &options, NULL, &dns, &err), NP_E_ARGUMENT);
    cr_assert(strstr(err.text, "DNS servers"));
    setenv("NETPHASE_EXEC_PATH", "/nonexistent", 1);
    options = (np_dns_options){.resolver = NP_RESOLVER_SYSTEM};
    cr_assert_eq(np_dns_create(loop, &options, NULL, &dns, &err), NP_E_INPUT);
    cr_assert(strstr(err.text, "netphase-resolve"));
    np_loop_free(loop);
}
