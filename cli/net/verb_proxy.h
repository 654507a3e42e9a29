#ifndef CLI_NET_VERB_PROXY_H
#define CLI_NET_VERB_PROXY_H

#include "verb.h"

extern const struct verb verb_proxy;

#endif
