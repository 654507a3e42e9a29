/* What is drawn with beyond letters; see glyphs.h. */
#include "glyphs.h"

static const struct glyphs utf8 = {
    .cursor = "▌",
    .rule = "─",
    .frame_from = "▕",
    .frame_to = "▏",
    .bar = "█",
    .failed = "✗",
    .dash = "–",
    .dot = "●",
    .down = "▼",
    .up = "▲",
    .separator = " · ",
    .from = "├",
    .middle = "─",
    .to = "┤",
    .busy = "═",
    .idle = "┄",
    .tick = "┊",
    .onwards = "→",
    .backwards = "←",
    .eighths = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"},
    .heights = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
    .arrows_vertical = "↑↓",
    .arrows_sideways = "←→",
    .times = "×",
    .thumb = "┃",
};

static const struct glyphs plain = {
    .cursor = ">",
    .rule = "-",
    .frame_from = "[",
    .frame_to = "]",
    .bar = "#",
    .failed = "x",
    .dash = "-",
    .dot = "*",
    .down = "v",
    .up = "^",
    .separator = " | ",
    .from = "|",
    .middle = "-",
    .to = "|",
    .busy = "=",
    .idle = ".",
    .tick = ":",
    .onwards = ">",
    .backwards = "<",
    .eighths = {" ", "#", "#", "#", "#", "#", "#", "#", "#"},
    .heights = {" ", "_", ".", ".", "-", "-", "=", "=", "#"},
    .arrows_vertical = "jk",
    .arrows_sideways = "hl",
    .times = "x",
    .thumb = "#",
};

const struct glyphs *glyphs_for(bool ascii)
{
    return ascii ? &plain : &utf8;
}
