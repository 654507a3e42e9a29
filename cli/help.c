/* Help made from the tables: the overview of a program, one verb, and the verb `help` itself. */
#include "message.h"
#include "options.h"
#include "output.h"
#include "verb.h"
#include "verb_help.h"
#include <stdio.h>
#include <string.h>

enum { HELP_INDENT = 2, NAMES_MOST = 30, HELP_WIDEST = 100 };

static int help_columns(const struct look *look)
{
    return look->columns < HELP_WIDEST ? look->columns : HELP_WIDEST;
}

/* "-b, --by COLUMN"; the letter's place stays blank where there is none. */
static void put_names(struct text *out, const struct verb_option *row)
{
    if (row->letter)
        text_print(out, "-%c, ", row->letter);
    else
        text_puts(out, "    ");
    text_print(out, "--%s", row->name);
    if (row->argument && row->argument_optional)
        text_print(out, "[=%s]", row->argument);
    else if (row->argument)
        text_print(out, " %s", row->argument);
}

static int names_width(const struct verb_option *table, int widest)
{
    for (; table && (table->type != OPTION_NONE || table->section); table++) {
        if (!table->name)
            continue;
        struct text names = {0};
        put_names(&names, table);
        int width = text_width(text_string(&names));
        if (width > widest && width <= NAMES_MOST)
            widest = width;
        text_done(&names);
    }
    return widest;
}

static void put_row(const struct look *look, struct text *out, const struct verb_option *row,
                    int width)
{
    struct text names = {0};
    struct text words = {0};
    put_names(&names, row);
    text_puts(&words, row->help ? row->help : "");
    if (row->fallback)
        text_print(&words, " (default %s)", row->fallback);

    int column = HELP_INDENT + width + 2;
    text_repeat(out, " ", HELP_INDENT);
    text_left(out, text_string(&names), width);
    if (text_width(text_string(&names)) > width) {
        text_char(out, '\n');
        text_repeat(out, " ", column);
    } else {
        text_puts(out, "  ");
    }
    text_wrap(out, text_string(&words), column, column, help_columns(look));
    text_char(out, '\n');
    text_done(&names);
    text_done(&words);
}

static void put_heading(const struct look *look, struct text *out, const char *heading)
{
    text_char(out, '\n');
    look_puts(look, out, ROLE_HEADING, heading);
    text_char(out, '\n');
}

static void put_table(const struct look *look, struct text *out, const char *heading,
                      const struct verb_option *table, int width)
{
    if (!table || (table->type == OPTION_NONE && !table->section))
        return;
    if (!table->section)
        put_heading(look, out, heading);
    for (; table->type != OPTION_NONE || table->section; table++) {
        if (table->section)
            put_heading(look, out, table->section);
        else
            put_row(look, out, table, width);
    }
}

static void put_examples(const struct look *look, struct text *out, const char *examples)
{
    put_heading(look, out, "Examples");
    for (const char *at = examples; *at;) {
        size_t line = strcspn(at, "\n");
        size_t command = strcspn(at, "\t\n");
        if (command < line) {
            struct text words = {0};
            text_add(&words, at + command + 1, line - command - 1);
            text_repeat(out, " ", HELP_INDENT);
            text_wrap(out, text_string(&words), HELP_INDENT, HELP_INDENT, help_columns(look));
            text_puts(out, ":\n");
            text_done(&words);
        }
        text_repeat(out, " ", HELP_INDENT + 2);
        text_add(out, at, command);
        text_char(out, '\n');
        at += line;
        at += *at == '\n';
    }
}

int help_verb(const struct call *call, const struct verb *verb)
{
    const struct look *look = &call->out;
    struct text out = {0};
    struct text title = {0};
    text_print(&title, "netphase %s", verb->name);
    look_puts(look, &out, ROLE_HEADING, text_string(&title));
    text_print(&out, ": %s\n\n", verb->summary);
    text_print(&out, "Usage: netphase %s [OPTIONS]%s%s\n", verb->name, verb->operands ? " " : "",
               verb->operands ? verb->operands : "");
    if (verb->description) {
        text_char(&out, '\n');
        text_wrap(&out, verb->description, 0, 0, help_columns(look));
        text_char(&out, '\n');
    }
    int width = names_width(options_common(), names_width(verb->options, 0));
    put_table(look, &out, "Options", verb->options, width);
    put_table(look, &out, "Options of every verb", options_common(), width);
    if (verb->examples)
        put_examples(look, &out, verb->examples);
    text_done(&title);
    if (look->ascii)
        text_to_ascii(&out);
    return output_write(call, &out);
}

void help_overview(const struct program *program, const struct look *look, struct text *out)
{
    text_puts(out, "netphase shows where the time before the first byte goes.\n\n");
    text_puts(out, "Usage: netphase VERB [OPTIONS] [ARGUMENTS]\n");
    put_heading(look, out, "Verbs");
    int width = 0;
    for (size_t i = 0; program->verbs[i]; i++) {
        int length = text_width(program->verbs[i]->name);
        width = length > width ? length : width;
    }
    for (size_t i = 0; program->verbs[i]; i++) {
        const struct verb *verb = program->verbs[i];
        text_repeat(out, " ", HELP_INDENT);
        text_left(out, verb->name, width + 2);
        text_wrap(out, verb->summary, HELP_INDENT + width + 2, HELP_INDENT + width + 2,
                  help_columns(look));
        text_char(out, '\n');
    }
    text_puts(out, "\nA trace is named where a verb takes one; else it is $NETPHASE_TRACE, else "
                   "netphase.db.\n");
    text_puts(out,
              "'netphase help VERB' tells all about a verb, 'netphase --version' the versions.\n");
}

static int help_run(struct call *call)
{
    if (call->operand_count == 0) {
        struct text out = {0};
        help_overview(call->program, &call->out, &out);
        return output_write(call, &out);
    }
    const char *names[64];
    size_t count = 0;
    for (; call->program->verbs[count] && count < 64; count++) {
        names[count] = call->program->verbs[count]->name;
        if (strcmp(names[count], call->operands[0]) == 0)
            return help_verb(call, call->program->verbs[count]);
    }
    const char *near = nearest_word(call->operands[0], names, count);
    if (near)
        return message_usage(call, "unknown verb '%s'; did you mean '%s'?", call->operands[0],
                             near);
    return message_usage(call, "unknown verb '%s'", call->operands[0]);
}

const struct verb verb_help = {
    .name = "help",
    .summary = "all about a verb",
    .operands = "[VERB]",
    .operands_most = 1,
    .run = help_run,
};
