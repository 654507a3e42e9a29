/* See environment.h. */
#include "environment.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const char *const ca_variables[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO",
                                           "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"};

static const char *const proxy_variables[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                              "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                              "no_proxy",    "NO_PROXY"};

void add_endpoint(struct text *out, struct in_addr address, uint16_t port)
{
    char name[INET_ADDRSTRLEN];
    text_print(out, "%s:%u", inet_ntop(AF_INET, &address, name, sizeof name) ? name : "?", port);
}

static void add_mapping(struct text *out, const char *host, unsigned port, uint16_t real_port)
{
    if (port != real_port)
        text_print(out, "%s%s:%u:%s:%u", out->length ? "," : "", host, port, host, real_port);
}

/* One entry for every name with an address and every port that is not the well-known one. */
static void add_mappings(struct text *out, const struct lab *lab)
{
    for (size_t i = 0; i < LAB_NAMES; i++) {
        if (!lab->names[i].ipv4)
            continue;
        add_mapping(out, lab->names[i].name, 443, lab->sockets.https_port);
        add_mapping(out, lab->names[i].name, 80, lab->sockets.http_port);
    }
}

void environment_each(const struct lab *lab,
                      void (*each)(const char *name, const char *value, void *user), void *user)
{
    struct text value = {0};
    add_endpoint(&value, lab->sockets.address, lab->sockets.dns_port);
    each("NETPHASE_DNS_SERVER", text_string(&value), user);
    text_clear(&value);
    add_mappings(&value, lab);
    if (value.length > 0)
        each("NETPHASE_CONNECT_TO", text_string(&value), user);
    text_done(&value);
    for (size_t i = 0; i < sizeof ca_variables / sizeof ca_variables[0]; i++)
        each(ca_variables[i], lab->folder.ca_path, user);
}

static void set_one(const char *name, const char *value, void *user)
{
    (void)user;
    (void)setenv(name, value, 1); /* fails without memory: CMD then says that it finds no server */
}

void environment_apply(const struct lab *lab)
{
    for (size_t i = 0; i < sizeof proxy_variables / sizeof proxy_variables[0]; i++)
        (void)unsetenv(proxy_variables[i]);
    (void)unsetenv("NETPHASE_CONNECT_TO"); /* of a lab around this one */
    environment_each(lab, set_one, NULL);
}
