/* See auth_challenge.h. Floor 2; pure. */
#include "auth_challenge.h"

#include <string.h>
#include <strings.h>

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_token_byte(char c)
{
    return is_alnum(c) || is_in(c, "!#$%&'*+-.^_`|~");
}

static bool is_token68_byte(char c)
{
    return is_alnum(c) || is_in(c, "-._~+/");
}

static char *skip_blanks(char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static char *skip_empty_elements(char *at)
{
    while (*at == ' ' || *at == '\t' || *at == ',')
        at++;
    return at;
}

static char *token_end(char *at)
{
    while (is_token_byte(*at))
        at++;
    return at;
}

/* Behind the next comma that lies in no quoted string, or the end. */
static char *skip_element(char *at)
{
    bool quoted = false;
    for (; *at && (quoted || *at != ','); at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (quoted && *at == '\\' && at[1])
            at++;
    }
    return at;
}

/* Takes the escapes out, in place. at: behind the opening quote. Returns what follows the closing
 * one; NULL: there is none. */
static char *read_quoted(char *at)
{
    char *to = at;
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        *to++ = *at;
    }
    if (!*at)
        return NULL;
    *to = '\0'; /* at the quote or before it */
    return at + 1;
}

/* An unquoted value: what servers send there is not always a token, so it goes on to the next blank
 * or comma. NULL: there is none, or a quote inside it. */
static char *read_plain(char *at)
{
    char *const end = at + strcspn(at, " \t,\"");
    if (end == at || *end == '"')
        return NULL;
    const bool is_last = *end == '\0';
    *end = '\0';
    return is_last ? end : end + 1;
}

/* name BWS "=" BWS ( token / quoted-string ). Returns what follows it; NULL: its value is none. */
static char *read_parameter(char *at, np_challenge_parameter *out)
{
    char *const name_end = token_end(at);
    char *value = skip_blanks(skip_blanks(name_end) + 1);
    const bool quoted = *value == '"';
    value += quoted;
    char *const rest = quoted ? read_quoted(value) : read_plain(value);
    if (rest)
        *name_end = '\0';
    *out = (np_challenge_parameter){at, value};
    return rest;
}

/* The scheme is followed by one word, as "Negotiate YII==": its end, or NULL. */
static char *token68_end(char *at)
{
    char *end = at;
    while (is_token68_byte(*end))
        end++;
    if (end == at)
        return NULL;
    while (*end == '=')
        end++;
    return *skip_blanks(end) == ',' || *skip_blanks(end) == '\0' ? end : NULL;
}

/* Does a parameter stand here, or the next challenge? */
static bool is_parameter(char *at)
{
    char *const end = token_end(at);
    return end > at && *skip_blanks(end) == '=';
}

static char *read_parameters(char *at, np_challenge *out)
{
    at = skip_empty_elements(at);
    while (is_parameter(at)) {
        np_challenge_parameter parameter;
        char *rest = read_parameter(at, &parameter);
        if (!rest) {
            at = skip_empty_elements(skip_element(at));
            continue;
        }
        if (out->parameter_count < NP_CHALLENGE_PARAMETERS)
            out->parameters[out->parameter_count++] = parameter;
        at = skip_empty_elements(rest);
    }
    return at;
}

/* A scheme stands here: a token that is followed by a blank, a comma or the end. */
static char *scheme_end(char *at)
{
    char *const end = token_end(at);
    if (end == at || (*end && !is_in(*end, " \t,")) || is_parameter(at))
        return NULL;
    return end;
}

bool np_challenge_next(char **text, np_challenge *out)
{
    char *at = skip_empty_elements(*text);
    char *end;
    while (*at && !(end = scheme_end(at)))
        at = skip_empty_elements(skip_element(at));
    *text = at;
    if (!*at)
        return false;
    *out = (np_challenge){.scheme_name = at};
    const char after = *end;
    *end = '\0';
    at = end + (after != '\0');
    if (after == ' ' || after == '\t') {
        at = skip_blanks(at);
        end = token68_end(at);
        if (end) {
            out->token68 = at;
            const char behind = *end;
            *end = '\0';
            at = end + (behind != '\0');
        } else {
            at = read_parameters(at, out);
        }
    }
    *text = at;
    return true;
}

const char *np_challenge_parameter_of(const np_challenge *challenge, const char *name)
{
    for (size_t i = 0; i < challenge->parameter_count; i++)
        if (strcasecmp(challenge->parameters[i].name, name) == 0)
            return challenge->parameters[i].value;
    return NULL;
}

np_auth_scheme np_challenge_scheme(const np_challenge *challenge)
{
    static const struct {
        const char *name;
        np_auth_scheme scheme;
    } known[] = {
        {"Basic",     NP_AUTH_BASIC    },
        {"Digest",    NP_AUTH_DIGEST   },
        {"NTLM",      NP_AUTH_NTLM     },
        {"Negotiate", NP_AUTH_NEGOTIATE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(challenge->scheme_name, known[i].name) == 0)
            return known[i].scheme;
    return NP_AUTH_NONE;
}
