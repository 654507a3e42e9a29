/* netphase lab: starts a lab, runs a program in it or says how to reach it, and leaves nothing
 * behind. */
#include "verb_lab.h"

#include "command.h"
#include "condition.h"
#include "environment.h"
#include "lab.h"
#include "message.h"
#include "output.h"
#include "response.h"
#include "truth.h"

#include <string.h>
#include <unistd.h>

enum { HANDSHAKES = 20, HANDSHAKES_LEAST = 3 };
#define MEASURE_LIMIT_NS INT64_C(4000000000)

static void add_variable(const char *name, const char *value, void *user)
{
    text_print(user, "export %s=%s\n", name, value);
}

/* A whole that a shell can read: all but the variables is a comment. */
static int print_use(const struct call *call, const struct lab *lab)
{
    const struct sockets *sockets = &lab->sockets;
    struct text out = {0};
    text_puts(
        &out,
        "# the lab runs until it is interrupted (Ctrl-C)\n#   origin   https://origin.lab/   ");
    add_endpoint(&out, sockets->address, sockets->https_port);
    text_puts(&out, "\n#            http://origin.lab/    ");
    add_endpoint(&out, sockets->address, sockets->http_port);
    text_puts(&out, "\n#   DNS      ");
    add_endpoint(&out, sockets->address, sockets->dns_port);
    text_puts(
        &out,
        "\n#   names    origin.lab dual.lab v4.lab; refused.lab (nothing listens); v6.lab (no "
        "address "
        "here); nx*.lab (do not exist)\n"
        "#   paths    / /bytes/N /drip/PARTS/MS /hdrgap/MS /early /redirect /redirect/N /reset "
        "/status/N\n"
        "# for programs in another shell:\n");
    environment_each(lab, add_variable, &out);
    text_puts(&out, "# for example:\n"
                    "#   netphase record https://origin.lab/\n"
                    "#   curl --connect-to origin.lab:443:");
    add_endpoint(&out, sockets->address, sockets->https_port);
    text_puts(&out, " https://origin.lab/\n");
    return output_write(call, &out);
}

/* Fewer handshakes where each is told to be slow. */
static int handshakes_for(const struct lab_conditions *told)
{
    int64_t each_ns = told->tls_ns + told->accept_ns + 1;
    int64_t count = MEASURE_LIMIT_NS / each_ns;
    return count > HANDSHAKES         ? HANDSHAKES
           : count < HANDSHAKES_LEAST ? HANDSHAKES_LEAST
                                      : (int)count;
}

static int print_truth(const struct call *call, const struct lab *lab)
{
    struct truth truth = truth_of(&lab->conditions, response_page_bytes());
    if (lab->conditions.certificate_fault == CERTIFICATE_GOOD)
        truth.handshake_ns = truth_measure_handshake(lab, handshakes_for(&lab->conditions));
    struct text out = {0};
    struct json json = {.out = &out};
    truth_print(&json, lab, &truth);
    return output_write(call, &out);
}

static bool is_ours(const char *command)
{
    const char *slash = strrchr(command, '/');
    return strncmp(slash ? slash + 1 : command, "netphase", strlen("netphase")) == 0;
}

/* A program that does not know our variables would go past the lab; it is told how not to. */
static void tell_stranger(const struct call *call, const struct lab *lab, const char *command)
{
    struct text where = {0};
    add_endpoint(&where, lab->sockets.address, lab->sockets.https_port);
    message_note(call,
                 "netphase lab: '%s' gets the certificate variables only: on loopback it keeps its "
                 "own resolver; "
                 "the origin is at %s (curl: --connect-to origin.lab:443:%s)",
                 command, text_string(&where), text_string(&where));
    text_done(&where);
}

static int run_in(const struct call *call, const struct lab *lab, bool has_printed)
{
    if (call->operand_count > 0) {
        if (!is_ours(call->operands[0]))
            tell_stranger(call, lab, call->operands[0]);
        return command_run(call, lab, call->operands, STDOUT_FILENO);
    }
    if (has_printed)
        return EXIT_DONE;
    int status = print_use(call, lab);
    return status ? status : command_wait(call, lab);
}

static int lab_run(struct call *call)
{
    const struct lab_args *args = call->args;
    int status = conditions_check(call, args);
    if (status)
        return status;
    command_hold_signals();
    struct lab lab;
    np_error err = {0};
    if (lab_start(&args->conditions, &lab, &err))
        return message_failure(call, &err);
    if (args->print_truth)
        status = print_truth(call, &lab);
    if (status == EXIT_DONE)
        status = run_in(call, &lab, args->print_truth);
    lab_stop(&lab);
    return status;
}

const struct verb verb_lab = {
    .name = "lab",
    .summary = "a private network with chosen delays and faults, to try things on",
    .operands = "[-- CMD…]",
    .description = "Starts a DNS server and an HTTPS origin (https://origin.lab/) that are as slow "
                   "as told, on a loopback address "
                   "of their own, and runs CMD with what it needs to reach them in its "
                   "environment. Every TIME is added at its "
                   "place; what the machine itself takes comes on top. Without CMD the lab says "
                   "how to reach it and stays until "
                   "it is interrupted.\n"
                   "Exits as CMD did, with 128+N for signal N, 127 when there is no such program, "
                   "126 when it cannot be run, 125 "
                   "when the lab itself broke.",
    .examples = "netphase lab --dns 80ms --ttfb 120ms -- netphase record https://origin.lab/\twhat "
                "two slow servers cost\n"
                "netphase lab --tls 50ms\ta slow handshake, for programs in another shell\n",
    .options = condition_options,
    .args_size = sizeof(struct lab_args),
    .defaults = &condition_defaults,
    .operands_most = -1,
    .stops_at_operand = true,
    .run = lab_run,
};
