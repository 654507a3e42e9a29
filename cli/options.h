/* Reading a command line by the table of its verb (option.h). */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "option.h"

struct call;

enum options_result { OPTIONS_OK, OPTIONS_HELP, OPTIONS_WRONG };

/*
 * Reads argv[1 …] (argv[0] is the verb) into call->args, call->common, call->operands.
 * OPTIONS_WRONG: the mistake has been told on stderr. Reorders argv.
 */
enum options_result options_parse(struct call *call, int argc, char **argv);
/* Frees what lists of the verb's args hold. */
void options_free(struct call *call);

/* The rows every verb has besides its own; ends with a zeroed row. */
const struct verb_option *options_common(void);

#endif
