/* What a hosts line of nsswitch.conf means for us. */
#include "nsswitch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *text, const char *expected)
{
    np_nsswitch found;
    char words[64];
    const size_t length = strlen(text);
    char *exact = malloc(length ? length : 1); /* the address sanitizer watches its end */
    memcpy(exact, text, length);
    np_nsswitch_parse(exact, length, &found);
    free(exact);
    snprintf(words, sizeof words, "%s%s%s", found.files_first ? "files " : "",
             found.needs_system ? "system " : "dns ", found.files_last ? "files " : "");
    cr_assert_str_eq(words, expected, "'%s' means %s", text, words);
}

Test(nsswitch, files_and_dns_are_ours_in_either_order)
{
    check("hosts: files dns\n", "files dns ");
    check("hosts:\tfiles\tdns", "files dns ");
    check("hosts:files dns", "files dns ");
    check("hosts: dns files", "dns files ");
    check("hosts: dns", "dns ");
    check("  hosts: files dns # mdns4_minimal\n", "files dns ");
}

Test(nsswitch, what_stands_behind_dns_is_not_looked_at)
{
    check("hosts: files dns myhostname", "files dns ");
    check("hosts: files dns [NOTFOUND=return] mdns4\n", "files dns ");
}

Test(nsswitch, anything_else_before_dns_is_the_systems)
{
    check("hosts: files mdns4_minimal [NOTFOUND=return] dns", "files system ");
    check("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns", "system ");
    check("hosts: files myhostname resolve dns", "files system ");
    check("hosts: resolve files dns", "system ");
    check("hosts: files [NOTFOUND=return] dns", "files system ");
    check("hosts: files[SUCCESS=merge] dns", "files system ");
    check("hosts: files [ NOTFOUND = return ] dns", "files system ");
    check("hosts: dns [!UNAVAIL=return] files", "system files ");
    check("hosts: files", "files system ");
    check("hosts: db files dns", "system ");
    check("hosts:\n", "system ");
}

Test(nsswitch, without_a_hosts_line_it_is_files_and_dns)
{
    np_nsswitch found;
    check("", "files dns ");
    check("passwd: files ldap\n#hosts: resolve\nhost: ldap\n", "files dns ");
    np_nsswitch_parse(NULL, 0, &found);
    cr_assert(found.files_first && !found.needs_system && !found.files_last);
}

Test(nsswitch, the_last_hosts_line_counts)
{
    check("hosts: resolve dns\nhosts: files dns\n", "files dns ");
}

Test(nsswitch, odd_lines_do_no_harm)
{
    check("hosts: [", "system ");
    check("hosts: files [dns", "files system ");
    check("hosts: dns [ [ ]", "dns ");
    check("hosts", "files dns ");
    check("\n\n:\nhosts:dns", "dns ");
}
