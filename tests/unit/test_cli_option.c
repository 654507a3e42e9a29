/* The option tables: every type, every kind of mistake, and help that is made from them. */
#include "message.h"
#include "options.h"
#include "output.h"
#include "verb.h"
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sample_args {
    bool fresh;
    int family, format, wpad;
    const char *by;
    int64_t count, timeout_ns, bytes, since_ns;
    double rate, loss;
    struct option_list headers;
    struct option_pairs labels;
};

static const char *const formats[] = {"table", "json", "csv", NULL};
static const char *const wpad_words[] = {"both", "dns", "dhcp", NULL};

/* clang-format off */
static const struct verb_option sample_options[] = {
    {.name = "fresh", .type = OPTION_FLAG, .help = "a new connection for every request", OPTION_FIELD(struct sample_args, fresh)},
    {.name = "ipv4", .letter = '4', .type = OPTION_CHOICE, .value = 4, .help = "IPv4 only", OPTION_FIELD(struct sample_args, family)},
    {.name = "ipv6", .letter = '6', .type = OPTION_CHOICE, .value = 6, .help = "IPv6 only", OPTION_FIELD(struct sample_args, family)},
    {.name = "by", .letter = 'b', .type = OPTION_TEXT, .argument = "COLUMN", .help = "group by this column", OPTION_FIELD(struct sample_args, by)},
    {.name = "requests", .letter = 'n', .type = OPTION_INT, .low = 1, .high = 1000, .argument = "N", .help = "how many", .fallback = "1", OPTION_FIELD(struct sample_args, count)},
    {.section = "Limits"},
    {.name = "timeout", .type = OPTION_DURATION, .low = 1, .high = INT64_MAX, .argument = "TIME", .help = "for the whole of a request", OPTION_FIELD(struct sample_args, timeout_ns)},
    {.name = "size", .type = OPTION_SIZE, .argument = "BYTES", .help = "of the body", OPTION_FIELD(struct sample_args, bytes)},
    {.name = "rate", .type = OPTION_REAL, .high = 1000000, .argument = "N", .help = "requests a second", OPTION_FIELD(struct sample_args, rate)},
    {.name = "loss", .type = OPTION_PERCENT, .argument = "P%", .help = "packets lost", OPTION_FIELD(struct sample_args, loss)},
    {.name = "format", .type = OPTION_WORD, .words = formats, .argument = "FORMAT", .help = "of the output", OPTION_FIELD(struct sample_args, format)},
    {.name = "wpad", .type = OPTION_WORD, .words = wpad_words, .argument = "HOW", .argument_optional = true, .help = "find the proxy script", OPTION_FIELD(struct sample_args, wpad)},
    {.name = "header", .letter = 'H', .type = OPTION_LIST, .argument = "'K: V'", .help = "a header field", OPTION_FIELD(struct sample_args, headers)},
    {.name = "label", .type = OPTION_PAIRS, .argument = "KEY=VALUE", .help = "a label", OPTION_FIELD(struct sample_args, labels)},
    {.name = "since", .type = OPTION_CUSTOM, .parse = time_option, .argument = "TIME", .help = "from then on", OPTION_FIELD(struct sample_args, since_ns)},
    {0},
};
/* clang-format on */

static int sample_run(struct call *call)
{
    (void)call;
    return EXIT_DONE;
}

static const struct verb sample_verb = {
    .name = "sample",
    .summary = "tries the tables",
    .operands = "URL…",
    .options = sample_options,
    .args_size = sizeof(struct sample_args),
    .operands_least = 1,
    .operands_most = 2,
    .run = sample_run,
};

static const struct verb prefix_verb = {
    .name = "prefix",
    .summary = "runs a program",
    .operands = "CMD…",
    .options = sample_options,
    .args_size = sizeof(struct sample_args),
    .operands_most = -1,
    .stops_at_operand = true,
    .run = sample_run,
};

static const struct verb *const verbs[] = {&sample_verb, &prefix_verb, NULL};
static const struct program program = {.name = "netphase", .verbs = verbs};

enum { WORDS_MOST = 24 };

struct parsed {
    struct call call;
    struct sample_args args;
    char *argv[WORDS_MOST];
    char *line;
    enum options_result result;
};

/* `line`: words between blanks, the verb first. */
static void parse(struct parsed *p, const struct verb *verb, const char *line)
{
    *p = (struct parsed){
        .call = {.verb = verb, .program = &program, .err = {.ascii = true, .columns = 80}}
    };
    p->call.args = &p->args;
    p->line = strdup(line);
    int argc = 0;
    char *rest = p->line;
    for (char *word = strsep(&rest, " "); word && argc < WORDS_MOST - 1; word = strsep(&rest, " "))
        p->argv[argc++] = word;
    p->result = options_parse(&p->call, argc, p->argv);
}

static void done(struct parsed *p)
{
    options_free(&p->call);
    free(p->line);
}

Test(cli_option, every_type_is_read)
{
    struct parsed p;
    parse(&p, &sample_verb,
          "sample --fresh -6 --by=host -n 20 --timeout 80ms --size 64k --rate 2.5 --loss 0.5% "
          "--format csv --label a=b=c http://x/");
    cr_assert_eq(p.result, OPTIONS_OK);
    cr_assert(p.args.fresh);
    cr_assert_eq(p.args.family, 6);
    cr_assert_str_eq(p.args.by, "host");
    cr_assert_eq(p.args.count, 20);
    cr_assert_eq(p.args.timeout_ns, 80000000);
    cr_assert_eq(p.args.bytes, 65536);
    cr_assert_float_eq(p.args.rate, 2.5, 1e-12);
    cr_assert_float_eq(p.args.loss, 0.005, 1e-12);
    cr_assert_eq(p.args.format, 2);
    cr_assert_eq(p.args.labels.count, 1);
    cr_assert_str_eq(p.args.labels.items[0].key, "a");
    cr_assert_str_eq(p.args.labels.items[0].value, "b=c");
    cr_assert_eq(p.call.operand_count, 1);
    cr_assert_str_eq(p.call.operands[0], "http://x/");
    done(&p);
}

Test(cli_option, options_may_follow_operands_and_repeat)
{
    struct parsed p;
    parse(&p, &sample_verb, "sample one -H A:1 two -HB:2 -n 3");
    cr_assert_eq(p.result, OPTIONS_OK);
    cr_assert_eq(p.args.headers.count, 2);
    cr_assert_str_eq(p.args.headers.items[0], "A:1");
    cr_assert_str_eq(p.args.headers.items[1], "B:2");
    cr_assert_eq(p.args.count, 3);
    cr_assert_eq(p.call.operand_count, 2);
    cr_assert_str_eq(p.call.operands[1], "two");
    done(&p);
}

Test(cli_option, two_dashes_end_the_options)
{
    struct parsed p;
    parse(&p, &sample_verb, "sample -- --fresh -6");
    cr_assert_eq(p.result, OPTIONS_OK);
    cr_assert_not(p.args.fresh);
    cr_assert_eq(p.call.operand_count, 2);
    cr_assert_str_eq(p.call.operands[0], "--fresh");
    done(&p);
}

Test(cli_option, a_verb_that_runs_a_program_leaves_its_options_alone)
{
    struct parsed p;
    parse(&p, &prefix_verb, "prefix --fresh curl -v --by x");
    cr_assert_eq(p.result, OPTIONS_OK);
    cr_assert(p.args.fresh);
    cr_assert_null(p.args.by);
    cr_assert_eq(p.call.operand_count, 4);
    cr_assert_str_eq(p.call.operands[1], "-v");
    done(&p);
}

Test(cli_option, an_optional_value_may_be_left_out)
{
    struct parsed p;
    parse(&p, &sample_verb, "sample --wpad=dhcp x");
    cr_assert_eq(p.args.wpad, 2);
    done(&p);
    parse(&p, &sample_verb, "sample --wpad dhcp");
    cr_assert_eq(p.result, OPTIONS_OK);
    cr_assert_eq(p.args.wpad, 0);
    cr_assert_eq(p.call.operand_count, 1);
    done(&p);
}

Test(cli_option, common_options_are_known_to_every_verb)
{
    struct parsed p;
    parse(&p, &sample_verb, "sample -q --color never --ascii x");
    cr_assert_eq(p.result, OPTIONS_OK);
    cr_assert(p.call.common.quiet && p.call.common.ascii);
    cr_assert_eq(p.call.common.color, COLOR_NEVER);
    done(&p);
    parse(&p, &sample_verb, "sample --help");
    cr_assert_eq(p.result, OPTIONS_HELP);
    done(&p);
}

struct mistake {
    const char *line, *told;
};

/* One process a mistake would be dear: what stderr got is read from a pipe. */
static void told_of(const struct mistake *mistake, char *out, size_t size)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    struct parsed p;
    parse(&p, &sample_verb, mistake->line);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t length = read(ends[0], out, size - 1);
    out[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    cr_assert_eq(p.result, OPTIONS_WRONG, "%s", mistake->line);
    done(&p);
}

Test(cli_option, every_mistake_says_what_was_found_and_expected)
{
    static const struct mistake mistakes[] = {
        {"sample --formt csv x",                  "unknown option '--formt'; did you mean '--format'?"                    },
        {"sample --zzzzzzz x",                    "unknown option '--zzzzzzz'\n"                                          },
        {"sample -z x",                           "unknown option '-z'"                                                   },
        {"sample --ip x",                         "option '--ip' is ambiguous: --ipv4, --ipv6"                            },
        {"sample x --by",                         "option --by needs a value: COLUMN"                                     },
        {"sample x -n",                           "option -n needs a value: N"                                            },
        {"sample --fresh=1 x",                    "option --fresh takes no value"                                         },
        {"sample -n 0 x",                         "--requests: found '0', expected a whole number from 1 to 1000"         },
        {"sample -n 1001 x",                      "expected a whole number from 1 to 1000"                                },
        {"sample -n 2x x",                        "found '2x'"                                                            },
        {"sample -n 99999999999999999999 x",      "found '99999999999999999999'"                                          },
        {"sample --timeout 80 x",
         "--timeout: found '80', expected a time with its unit, such as 250us, 80ms, 2s or 1m"                            },
        {"sample --timeout 0 x",                  "expected a time of more than 0 or more"                                },
        {"sample --size 1T x",                    "--size: found '1T', expected a number of bytes"                        },
        {"sample --size -1 x",                    "found '-1'"                                                            },
        {"sample --size 9223372036854775807k x",  "found '9223372036854775807k'"                                          },
        {"sample --rate 0 x",                     "--rate: found '0', expected a number above 0, at most 1000000"         },
        {"sample --rate inf x",                   "found 'inf'"                                                           },
        {"sample --rate 1e3 x",                   "found '1e3'"                                                           },
        {"sample --loss 5 x",
         "--loss: found '5', expected a percentage from 0% to 100%, such as 0.5%"                                         },
        {"sample --loss 101% x",                  "found '101%'"                                                          },
        {"sample --format jsn x",                 "found 'jsn', expected table, json or csv; did you mean 'json'?"        },
        {"sample --label abc x",                  "--label: found 'abc', expected KEY=VALUE"                              },
        {"sample --label =abc x",                 "expected KEY=VALUE"                                                    },
        {"sample --since yesterday x",            "--since: found 'yesterday', expected a time such as "
                                       "2026-11-23T12:04:26Z, or an age such as 10m"},
        {"sample --since 2026-02-31T00:00:00Z x", "found '2026-02-31T00:00:00Z'"                                          },
        {"sample",                                "nothing to work on, expected URL"                                      },
        {"sample a b c",                          "one argument too many: 'c', expected URL"                              },
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        char told[1024];
        told_of(&mistakes[i], told, sizeof told);
        cr_expect_not_null(strstr(told, mistakes[i].told), "%s told: %s", mistakes[i].line, told);
        cr_expect_eq(strncmp(told, "netphase sample: ", 17), 0, "%s", told);
        cr_expect_not_null(strstr(told, "\n          try 'netphase help sample'\n"), "%s", told);
    }
}

Test(cli_option, control_characters_in_arguments_stay_out_of_the_terminal)
{
    char told[1024];
    told_of(&(struct mistake){"sample --format \033[31mred x", ""}, told, sizeof told);
    cr_assert_null(strchr(told, '\033'), "%s", told);
}

Test(cli_option, times_are_read_as_rfc_3339_or_as_an_age)
{
    char message[200];
    int64_t at_ns = 0;
    cr_assert(time_option("2026-11-23T12:04:26.5Z", &at_ns, message, sizeof message));
    cr_assert_eq(at_ns, INT64_C(1795435466500000000));
    cr_assert(time_option("2026-11-23T13:04:26+01:00", &at_ns, message, sizeof message));
    cr_assert_eq(at_ns, INT64_C(1795435466000000000));
    cr_assert(time_option("1970-01-02 00:00:00z", &at_ns, message, sizeof message));
    cr_assert_eq(at_ns, INT64_C(86400000000000));
    cr_assert(time_option("2024-02-29T23:59:60Z", &at_ns, message, sizeof message));
    int64_t ten_minutes_ago = 0;
    int64_t hour_ago = 0;
    cr_assert(time_option("10m", &ten_minutes_ago, message, sizeof message));
    cr_assert(time_option("1h", &hour_ago, message, sizeof message));
    cr_assert_gt(ten_minutes_ago, hour_ago);
    cr_assert_leq(ten_minutes_ago - hour_ago, INT64_C(3000000000000));
    static const char *const wrong[] = {"2026-13-01T00:00:00Z",
                                        "2026-11-23",
                                        "2026-11-23T12:04:26",
                                        "2026-11-23T25:00:00Z",
                                        "2026-11-23T12:04:26+1",
                                        "",
                                        "x",
                                        "2026-11-23T12:04:26Zx",
                                        "2262-01-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(time_option(wrong[i], &at_ns, message, sizeof message), "%s", wrong[i]);
}

/* ---------------------------------------------------------------------------------------------------
 * help */

Test(cli_option, help_lists_every_option_within_the_width, .init = cr_redirect_stdout)
{
    struct call call = {
        .verb = &sample_verb, .program = &program, .out = {.ascii = true, .columns = 60}
    };
    int saved = dup(STDOUT_FILENO);
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
    cr_assert_eq(help_verb(&call, &sample_verb), EXIT_DONE);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    char help[8192];
    ssize_t length = read(ends[0], help, sizeof help - 1);
    cr_assert_gt(length, 0);
    help[length] = '\0';
    close(ends[0]);

    for (size_t i = 0; sample_options[i].name || sample_options[i].section; i++) {
        char name[64];
        snprintf(name, sizeof name, "--%s",
                 sample_options[i].name ? sample_options[i].name : "fresh");
        cr_expect_not_null(strstr(help, name), "%s", name);
    }
    cr_expect_not_null(strstr(help, "-n, --requests N"), "%s", help);
    cr_expect_not_null(strstr(help, "how many (default 1)"), "%s", help);
    cr_expect_not_null(strstr(help, "\nLimits\n"), "%s", help);
    cr_expect_not_null(strstr(help, "--wpad[=HOW]"), "%s", help);
    char *rest = help;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        cr_expect_leq(text_width(line), 60, "%s", line);
}
