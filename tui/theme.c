/* Roles and what they look like; see theme.h. The palette is that of Okabe and Ito, the nearest of
 * the 256. */
#include "theme.h"

enum { NONE = -1, SELECTED_256 = 237 };

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE };

struct role_row {
    char letter;
    short rich;                 /* of 256 */
    short plain;                /* of 8 */
    unsigned rich_flags, flags; /* with 256; with 8 */
    unsigned bare_flags;        /* without colours */
};

/* clang-format off */
static const struct role_row roles[ROLES] = {
    [ROLE_PLAIN]                      = {'.', NONE, NONE,    0, 0, 0},
    [ROLE_HEADING]                    = {'H', NONE, NONE,    STYLE_BOLD, STYLE_BOLD, STYLE_BOLD},
    [ROLE_QUIET]                      = {'-', 245,  NONE,    0, STYLE_DIM, STYLE_DIM},
    [ROLE_BAD]                        = {'!', 166,  RED,     STYLE_BOLD, STYLE_BOLD, STYLE_BOLD},
    [ROLE_SUM]                        = {'=', NONE, NONE,    STYLE_BOLD, STYLE_BOLD, STYLE_BOLD},
    [ROLE_PHASE + NP_PHASE_QUEUE]     = {'q', 246,  NONE,    0, 0, 0},
    [ROLE_PHASE + NP_PHASE_PROXY]     = {'p', 175,  MAGENTA, 0, 0, 0},
    [ROLE_PHASE + NP_PHASE_DNS]       = {'d', 178,  YELLOW,  0, 0, 0},
    [ROLE_PHASE + NP_PHASE_CONNECT]   = {'c', 221,  YELLOW,  0, STYLE_BOLD, 0},
    [ROLE_PHASE + NP_PHASE_TUNNEL]    = {'x', 175,  MAGENTA, 0, STYLE_BOLD, 0},
    [ROLE_PHASE + NP_PHASE_TLS]       = {'t', 74,   CYAN,    0, 0, 0},
    [ROLE_PHASE + NP_PHASE_SEND]      = {'s', 36,   CYAN,    0, STYLE_BOLD, 0},
    [ROLE_PHASE + NP_PHASE_WAIT]      = {'w', 166,  RED,     0, 0, 0},
    [ROLE_PHASE + NP_PHASE_RECEIVE]   = {'r', 25,   BLUE,    0, 0, 0},
    [ROLE_PHASE + NP_PHASE_GAP]       = {'g', NONE, NONE,    0, 0, 0},
    [ROLE_TITLE]                      = {'T', NONE, NONE,    STYLE_BOLD, STYLE_BOLD, STYLE_BOLD},
    [ROLE_KEY]                        = {'K', 74,   CYAN,    STYLE_BOLD, STYLE_BOLD, STYLE_BOLD},
    [ROLE_RULE]                       = {'_', 240,  NONE,    0, STYLE_DIM, STYLE_DIM},
    [ROLE_SORTED]                     = {'S', 178,  YELLOW,  STYLE_BOLD, STYLE_BOLD, STYLE_BOLD | STYLE_UNDERLINE},
    [ROLE_LIVE]                       = {'L', 36,   CYAN,    STYLE_BOLD, STYLE_BOLD, STYLE_BOLD},
    [ROLE_MATCH]                      = {'M', 221,  YELLOW,  STYLE_UNDERLINE, STYLE_UNDERLINE, STYLE_UNDERLINE},
    [ROLE_PROMPT]                     = {'P', NONE, NONE,    0, 0, 0},
    [ROLE_TAB]                        = {'B', NONE, NONE,    STYLE_BOLD | STYLE_REVERSE, STYLE_BOLD | STYLE_REVERSE, STYLE_BOLD | STYLE_REVERSE},
};
/* clang-format on */

struct style theme_style(int colors, int role, bool is_selected)
{
    const struct role_row *row = &roles[role >= 0 && role < ROLES ? role : ROLE_PLAIN];
    struct style style = {NONE, NONE, row->bare_flags};
    if (colors >= 256)
        style = (struct style){row->rich, NONE, row->rich_flags};
    else if (colors >= 8)
        style = (struct style){row->plain, NONE, row->flags};
    if (!is_selected)
        return style;
    /* A bar keeps its colour on the line of the cursor; where there is no grey, the rest is
     * reversed instead. */
    if (colors >= 256)
        style.behind = SELECTED_256;
    else if (role < ROLE_PHASE || role >= ROLE_PHASE + NP_PHASE_COUNT)
        style.flags = (style.flags & ~(unsigned)STYLE_DIM) | STYLE_REVERSE;
    return style;
}

char theme_letter(int role)
{
    return role >= 0 && role < ROLES ? roles[role].letter : '?';
}
