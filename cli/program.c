/*
 * What the programs have in common: find the verb, read its options, run it. A verb that another
 * program has is executed there with the words it was given; that program tells its mistakes in the
 * name of `netphase VERB`, so the user sees one program.
 */
#include "memory.h"
#include "message.h"
#include "options.h"
#include "output.h"
#include "verb.h"
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <netphase/netphase.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct verb *find_verb(const struct program *program, const char *name)
{
    for (size_t i = 0; program->verbs[i]; i++)
        if (strcmp(program->verbs[i]->name, name) == 0)
            return program->verbs[i];
    return NULL;
}

static const char *nearest_verb(const struct program *program, const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (; program->verbs[count] && count < 64; count++)
        names[count] = program->verbs[count]->name;
    return nearest_word(name, names, count);
}

static int unknown_verb(struct call *call, const char *name)
{
    static const char *const options[] = {"--help", "--version"};
    bool is_option = name[0] == '-';
    const char *near =
        is_option ? nearest_word(name, options, 2) : nearest_verb(call->program, name);
    const char *what = is_option ? "unknown option" : "unknown verb";
    if (strstr(name, "://"))
        return message_usage(call, "'%s' is no verb; to record it: netphase record %s", name, name);
    if (near)
        return message_usage(call, "%s '%s'; did you mean '%s'?", what, name, near);
    return message_usage(call, "%s '%s'", what, name);
}

/* ------------------------------------------------------------------------------------- another
 * program's verb */

/* FOLDER/NAME into path[PATH_MAX] where it can be executed. */
static bool is_program(const char *folder, const char *name, char path[PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return length > 0 && length < PATH_MAX && access(path, X_OK) == 0;
}

/* In $NETPHASE_EXEC_PATH alone where that is set; else beside this program, then in its libexec
 * folder. */
static bool find_program(const char *name, char path[PATH_MAX])
{
    const char *given = getenv("NETPHASE_EXEC_PATH");
    if (given && *given)
        return is_program(given, name, path);
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return false;
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash)
        return false;
    *slash = '\0';
    if (is_program(self, name, path))
        return true;
    char libexec[PATH_MAX];
    int written = snprintf(libexec, sizeof libexec, "%s/../libexec/netphase", self);
    return written > 0 && written < PATH_MAX && is_program(libexec, name, path);
}

static int execute_verb(struct call *call, const char *program, char **argv)
{
    char path[PATH_MAX];
    if (!find_program(program, path)) {
        const char *given = getenv("NETPHASE_EXEC_PATH");
        message_error(call, "the program %s is not there: looked %s%s", program,
                      given && *given ? "in " : "beside netphase and in ../libexec/netphase",
                      given && *given ? given : "");
        message_hint(call, "install it, or name its folder in NETPHASE_EXEC_PATH");
        return EXIT_USAGE;
    }
    argv[0] = path;
    signal(SIGPIPE, SIG_DFL);
    execv(path, argv);
    message_error(call, "%s cannot be executed (%s)", path, strerror(errno));
    return EXIT_USAGE;
}

/* -----------------------------------------------------------------------------------------------
 * one call */

static int run_verb(struct call *call, int argc, char **argv)
{
    const struct verb *verb = call->verb;
    const char **words = xcalloc((size_t)argc + 1, sizeof *words); /* options_parse reorders argv */
    words[0] = "netphase";
    for (int i = 0; i < argc; i++)
        words[i + 1] = argv[i];
    call->words = words;
    call->word_count = (size_t)argc + 1;
    call->args = xcalloc(1, verb->args_size);
    if (verb->defaults)
        memcpy(call->args, verb->defaults, verb->args_size);

    int status = EXIT_USAGE;
    enum options_result result = options_parse(call, argc, argv);
    call->out = look_at(STDOUT_FILENO, (enum color_when)call->common.color, call->common.ascii);
    call->err = look_at(STDERR_FILENO, (enum color_when)call->common.color, call->common.ascii);
    if (result == OPTIONS_HELP)
        status = help_verb(call, verb);
    else if (result == OPTIONS_OK)
        status = verb->run(call);
    options_free(call);
    free(call->args);
    free(words);
    return status;
}

static int show_version(struct call *call)
{
    struct text out = {0};
    text_print(&out, "%s %s\n", call->program->name, NP_VERSION);
    text_print(&out, "libnetphase-trace %s\n", np_version());
    if (call->program->sqlite_version)
        text_print(&out, "SQLite %s\n", call->program->sqlite_version());
    call->verb = NULL;
    return output_write(call, &out);
}

static int show_overview(struct call *call, int fd)
{
    struct text out = {0};
    help_overview(call->program, fd == STDOUT_FILENO ? &call->out : &call->err, &out);
    if (fd == STDOUT_FILENO)
        return output_write(call, &out);
    (void)fputs(text_string(&out), stderr); /* nowhere left to tell of a failure */
    text_done(&out);
    return EXIT_USAGE;
}

/* `help VERB` of a verb that another program has is that program's business. */
static const struct verb *verb_to_execute(const struct program *program, const struct verb *verb,
                                          int argc, char **argv)
{
    if (verb->executes)
        return verb;
    const struct verb *about =
        strcmp(verb->name, "help") == 0 && argc == 3 ? find_verb(program, argv[2]) : NULL;
    return about && about->executes ? about : NULL;
}

int program_main(const struct program *program, int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, ""); /* an unknown locale leaves "C", which draws in ASCII; numbers
                                      stay in "C" in any case */
    signal(SIGPIPE, SIG_IGN);      /* a reader that goes away is an exit status, not a death */

    struct call call = {.program = program};
    call.out = look_at(STDOUT_FILENO, COLOR_AUTO, false);
    call.err = look_at(STDERR_FILENO, COLOR_AUTO, false);
    if (argc < 2)
        return show_overview(&call, STDERR_FILENO);
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return show_overview(&call, STDOUT_FILENO);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return show_version(&call);

    const struct verb *verb = find_verb(program, word);
    if (!verb)
        return unknown_verb(&call, word);
    call.verb = verb;
    const struct verb *elsewhere = verb_to_execute(program, verb, argc, argv);
    if (elsewhere) {
        call.verb = elsewhere;
        return execute_verb(&call, elsewhere->executes, argv);
    }
    return run_verb(&call, argc - 1, argv + 1);
}

const char *trace_path_or(const char *given)
{
    if (given && *given)
        return given;
    const char *environment = getenv("NETPHASE_TRACE");
    return environment && *environment ? environment : "netphase.db";
}

const char *trace_operand(const struct call *call, int index)
{
    return trace_path_or(index < call->operand_count ? call->operands[index] : NULL);
}
