/* The rules of --resolve and --connect-to: parsed once, asked for every dial. Floor 2; pure. */
#ifndef NP_NET_DIAL_RULES_H
#define NP_NET_DIAL_RULES_H

#include "address.h"
#include "dial_options.h"

#define NP_RULE_ADDRESSES 16 /* of one --resolve entry */

typedef struct np_dial_rules np_dial_rules;

/* Copies. NP_E_ARGUMENT names the entry that is malformed, with what was expected. */
np_status np_dial_rules_create(const np_dialer_options *options, np_dial_rules **out,
                               np_error *err);
void np_dial_rules_free(np_dial_rules *rules); /* NULL allowed */

/* --connect-to: the first entry that fits replaces host and port; *host then points into the rules.
 */
void np_dial_rules_connect_to(const np_dial_rules *rules, const char **host, uint16_t *port);
/* --resolve: the addresses of the first entry that fits, port 0; returns how many, 0: none fits.
 * HOST "*" fits every name. */
size_t np_dial_rules_resolve(const np_dial_rules *rules, const char *host, uint16_t port,
                             const np_address **out);

#endif
