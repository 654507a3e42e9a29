/* Events as bytes, and which words of an event are texts. Floor 1; pure, any thread. */
#include "pack.h"

#define W(i) (1u << (i))

/* The words that event.h calls "text". */
static const uint8_t text_words[NP_EVENT_TYPES] = {
    [NP_EVENT_REQUEST_BEGIN] = W(0) | W(1) | W(2),
    [NP_EVENT_SPAN_BEGIN] = W(1),
    [NP_EVENT_SPAN_END] = W(1),
    [NP_EVENT_HEADER] = W(1) | W(2),
    [NP_EVENT_REQUEST_END] = W(4),
    [NP_EVENT_CONNECTION_OPEN] = W(0) | W(2),
    [NP_EVENT_CONNECTION_PEER] = W(0) | W(1),
    [NP_EVENT_CONNECTION_TLS] = W(0) | W(1) | W(2) | W(4),
    [NP_EVENT_CONNECTION_CLOSE] = W(3),
};

uint8_t np_event_text_words(uint16_t type)
{
    return type < NP_EVENT_TYPES ? text_words[type] : 0;
}
