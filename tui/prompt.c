/* One line that a person types; see prompt.h. */
#include "prompt.h"
#include "character.h"
#include "key.h"
#include "memory.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------- history */

void history_add(struct history *history, const char *line)
{
    if (!*line || (history->count > 0 && strcmp(history->lines[history->count - 1], line) == 0))
        return;
    if (history->count == PROMPT_HISTORY) {
        free(history->lines[0]);
        memmove(&history->lines[0], &history->lines[1],
                (PROMPT_HISTORY - 1) * sizeof history->lines[0]);
        history->count--;
    }
    history->lines[history->count++] = xstrndup(line, strlen(line));
}

void history_done(struct history *history)
{
    for (int i = 0; i < history->count; i++)
        free(history->lines[i]);
    history->count = 0;
}

/* ------------------------------------------------------------------------------------------- line */

static void set_line(struct prompt *prompt, const char *line)
{
    text_clear(&prompt->line);
    text_puts(&prompt->line, line);
    prompt->cursor = prompt->line.length;
}

void prompt_open(struct prompt *prompt, int kind, const char *label, const char *line,
                 struct history *history, const char *const *words)
{
    prompt_close(prompt);
    *prompt = (struct prompt){.is_open = true,
                              .kind = kind,
                              .label = label,
                              .history = history,
                              .history_at = history->count,
                              .words = words};
    set_line(prompt, line);
}

void prompt_close(struct prompt *prompt)
{
    text_done(&prompt->line);
    free(prompt->typed);
    *prompt = (struct prompt){0};
}

/* The first byte of the character before `at`; combining marks go with theirs. */
static size_t before(const struct prompt *prompt, size_t at)
{
    const char *line = text_string(&prompt->line);
    while (at > 0) {
        do {
            at--;
        } while (at > 0 && ((unsigned char)line[at] & 0xc0) == 0x80);
        const char *character = line + at;
        if (character_cells(character_next(&character)) > 0)
            break;
    }
    return at;
}

static size_t behind(const struct prompt *prompt, size_t at)
{
    const char *line = text_string(&prompt->line);
    const char *next = line + at;
    if (!*next)
        return at;
    (void)character_next(&next); /* the character itself */
    for (const char *mark = next; *mark; next = mark) {
        if (character_cells(character_next(&mark)) > 0)
            break;
    }
    return (size_t)(next - line);
}

static void cut(struct prompt *prompt, size_t from, size_t to)
{
    char *data = prompt->line.data;
    if (from >= to)
        return;
    memmove(data + from, data + to, prompt->line.length - to + 1);
    prompt->line.length -= to - from;
    prompt->cursor = from;
}

static void insert(struct prompt *prompt, const char *string, size_t length)
{
    struct text line = {0};
    if (prompt->line.length + length > PROMPT_BYTES)
        return;
    text_add(&line, text_string(&prompt->line), prompt->cursor);
    text_add(&line, string, length);
    text_puts(&line, text_string(&prompt->line) + prompt->cursor);
    text_done(&prompt->line);
    prompt->line = line;
    prompt->cursor += length;
}

static void cut_word(struct prompt *prompt)
{
    const char *line = text_string(&prompt->line);
    size_t from = prompt->cursor;
    while (from > 0 && line[from - 1] == ' ')
        from--;
    while (from > 0 && line[from - 1] != ' ')
        from--;
    cut(prompt, from, prompt->cursor);
}

static void recall(struct prompt *prompt, int at)
{
    if (at < 0 || at > prompt->history->count || at == prompt->history_at)
        return;
    if (prompt->history_at == prompt->history->count) {
        free(prompt->typed);
        prompt->typed = xstrndup(text_string(&prompt->line), prompt->line.length);
    }
    prompt->history_at = at;
    set_line(prompt, at < prompt->history->count ? prompt->history->lines[at] : prompt->typed);
}

/* ------------------------------------------------------------------------------------- completion */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* The word that ends at the cursor. */
static size_t word_start(const struct prompt *prompt)
{
    const char *line = text_string(&prompt->line);
    size_t start = prompt->cursor;
    while (start > 0 && is_word(line[start - 1]))
        start--;
    return start;
}

static bool begins(const struct prompt *prompt, const char *word)
{
    const size_t start = word_start(prompt);
    return strncmp(word, text_string(&prompt->line) + start, prompt->cursor - start) == 0;
}

void prompt_completions(const struct prompt *prompt, struct text *out)
{
    for (size_t i = 0; prompt->words && prompt->words[i]; i++) {
        if (!begins(prompt, prompt->words[i]))
            continue;
        text_puts(out, out->length > 0 ? "  " : "");
        text_puts(out, prompt->words[i]);
    }
}

/* Puts in what all words that fit have in common. */
static void complete(struct prompt *prompt)
{
    const char *first = NULL;
    size_t common = 0;
    for (size_t i = 0; prompt->words && prompt->words[i]; i++) {
        const char *word = prompt->words[i];
        if (!begins(prompt, word))
            continue;
        size_t same = 0;
        while (first && same < common && first[same] == word[same])
            same++;
        common = first ? same : strlen(word);
        first = first ? first : word;
    }
    const size_t typed = prompt->cursor - word_start(prompt);
    if (first && common > typed)
        insert(prompt, first + typed, common - typed);
}

/* ------------------------------------------------------------------------------------------- keys */

static void edit(struct prompt *prompt, int key)
{
    char bytes[5];
    switch (key) {
    case KEY_CODE_LEFT:
    case 'b' - 'a' + 1:
        prompt->cursor = before(prompt, prompt->cursor);
        break;
    case KEY_CODE_RIGHT:
    case 'f' - 'a' + 1:
        prompt->cursor = behind(prompt, prompt->cursor);
        break;
    case KEY_CODE_HOME:
    case 'a' - 'a' + 1:
        prompt->cursor = 0;
        break;
    case KEY_CODE_END:
    case 'e' - 'a' + 1:
        prompt->cursor = prompt->line.length;
        break;
    case KEY_CODE_BACKSPACE:
    case 'h' - 'a' + 1:
        cut(prompt, before(prompt, prompt->cursor), prompt->cursor);
        break;
    case KEY_CODE_DELETE:
    case 'd' - 'a' + 1:
        cut(prompt, prompt->cursor, behind(prompt, prompt->cursor));
        break;
    case 'u' - 'a' + 1:
        cut(prompt, 0, prompt->cursor);
        break;
    case 'k' - 'a' + 1:
        if (prompt->line.length > prompt->cursor) {
            prompt->line.length = prompt->cursor;
            prompt->line.data[prompt->cursor] = '\0';
        }
        break;
    case 'w' - 'a' + 1:
        cut_word(prompt);
        break;
    case KEY_CODE_UP:
    case 'p' - 'a' + 1:
        recall(prompt, prompt->history_at - 1);
        break;
    case KEY_CODE_DOWN:
    case 'n' - 'a' + 1:
        recall(prompt, prompt->history_at + 1);
        break;
    case KEY_CODE_TAB:
        complete(prompt);
        break;
    default:
        if (key >= ' ' && key < 0x110000 && key != KEY_CODE_BACKSPACE)
            insert(prompt, bytes, (size_t)character_put((uint32_t)key, bytes));
    }
}

enum prompt_result prompt_key(struct prompt *prompt, int key)
{
    if (key == KEY_CODE_ESCAPE || key == 'c' - 'a' + 1 || key == 'g' - 'a' + 1)
        return PROMPT_LEFT;
    if (key == KEY_CODE_BACKSPACE && prompt->line.length == 0)
        return PROMPT_LEFT;
    if (key == KEY_CODE_ENTER) {
        history_add(prompt->history, text_string(&prompt->line));
        prompt->history_at = prompt->history->count; /* where it stays open, that line is typed */
        return PROMPT_DONE;
    }
    edit(prompt, key);
    return PROMPT_GOES_ON;
}
