/*
 * What libcurl is told about a proxy. Floor 2; loop thread only.
 *
 * The first hop is the proxy: its host and port get the entry of CURLOPT_RESOLVE that stops libcurl
 * from looking the name up. SOCKS4 and SOCKS5 make libcurl look up the origin as well, and the
 * address of that entry goes to the proxy, so it must be the right one: it is set anew for every
 * connection. The name of an https proxy stays in CURLOPT_PROXY, for SNI and its certificate.
 */
#include "tunnel_easy.h"

#include "tunnel.h"
#include "tunnel_auth.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const struct kind_meaning {
    const char *scheme;
    long type;
} kinds[] = {
    [NP_PROXY_HTTP] = {"http",    CURLPROXY_HTTP           },
    [NP_PROXY_HTTPS] = {"https",   CURLPROXY_HTTPS          },
    [NP_PROXY_SOCKS4] = {"socks4",  CURLPROXY_SOCKS4         },
    [NP_PROXY_SOCKS4A] = {"socks4a", CURLPROXY_SOCKS4A        },
    [NP_PROXY_SOCKS5] = {"socks5",  CURLPROXY_SOCKS5         },
    [NP_PROXY_SOCKS5H] = {"socks5h", CURLPROXY_SOCKS5_HOSTNAME},
};

static CURLcode set_proxy_tls(CURL *h, const np_engine_options *options)
{
    const char *ca_file = options->proxy_ca_file ? options->proxy_ca_file : options->ca_file;
    CURLcode rc = CURLE_OK;
    if (options->proxy_insecure) {
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROXY_CAINFO, NULL);
    } else if (ca_file) {
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROXY_CAINFO, ca_file);
    }
    return rc ? rc : curl_easy_setopt(h, CURLOPT_PROXY_CAPATH, options->ca_path);
}

bool np_tunnel_set_options(np_easy *easy)
{
    const np_service_point *point = easy->point;
    const np_proxy_entry *proxy = point->proxy;
    if (!proxy)
        return true;
    CURL *h = easy->handle;
    char text[512];
    const bool bare_v6 = strchr(proxy->host, ':') != NULL;
    const int length =
        snprintf(text, sizeof text, "%s://%s%s%s:%u", kinds[proxy->kind].scheme, bare_v6 ? "[" : "",
                 proxy->host, bare_v6 ? "]" : "", (unsigned)proxy->port);
    if (length < 0 || (size_t)length >= sizeof text)
        return false;
    const bool speaks_http = proxy->kind == NP_PROXY_HTTP || proxy->kind == NP_PROXY_HTTPS;
    CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc ? rc : curl_easy_setopt(h, option, value)
    SET(CURLOPT_PROXY, text);
    SET(CURLOPT_PROXYTYPE, kinds[proxy->kind].type);
    SET(CURLOPT_HTTPPROXYTUNNEL, (long)(speaks_http && point->tls));
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_PROXYUSERNAME, proxy->user);
    SET(CURLOPT_PROXYPASSWORD, proxy->user && !proxy->password ? "" : proxy->password);
#undef SET
    if (rc == CURLE_OK && proxy->kind == NP_PROXY_HTTPS)
        rc = set_proxy_tls(h, &point->engine->options);
    return rc == CURLE_OK;
}

static void write_address(const struct sockaddr *address, char out[INET6_ADDRSTRLEN])
{
    if (address->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, out,
                        INET6_ADDRSTRLEN);
    else
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, out,
                        INET6_ADDRSTRLEN);
}

static bool add_entry(struct curl_slist **list, const char *host, uint16_t port,
                      const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    char entry[320];
    write_address(address, text);
    const int length = snprintf(entry, sizeof entry, "%s:%u:%s", host, (unsigned)port, text);
    struct curl_slist *longer =
        length > 0 && (size_t)length < sizeof entry ? curl_slist_append(*list, entry) : NULL;
    if (longer)
        *list = longer;
    return longer != NULL;
}

bool np_tunnel_set_address(np_easy *easy, const np_connection *connection)
{
    const np_service_point *point = easy->point;
    const np_tunnel *tunnel = connection->tunnel;
    const bool tells_origin = tunnel->origin.any.sa_family != 0;
    if (connection->handed_over || (easy->resolve && !tells_origin) ||
        (point->proxy_is_literal && !tells_origin))
        return true;
    struct curl_slist *list = NULL;
    bool good = point->proxy_is_literal || add_entry(&list, point->proxy->host, point->proxy->port,
                                                     (const struct sockaddr *)&connection->peer);
    if (tells_origin)
        good = good && add_entry(&list, point->key.host, point->key.port, &tunnel->origin.any);
    if (!good || curl_easy_setopt(easy->handle, CURLOPT_RESOLVE, list) != CURLE_OK) {
        curl_slist_free_all(list);
        return false;
    }
    curl_slist_free_all(easy->resolve);
    easy->resolve = list;
    return true;
}

/* libcurl then answers the proxy's 407, or does not wait for it. */
CURLcode np_tunnel_prepare(np_easy *easy, const np_connection *connection)
{
    (void)connection;
    const np_service_point *point = easy->point;
    if (!point->proxy || !point->proxy->user || point->proxy->kind > NP_PROXY_HTTPS)
        return CURLE_OK;
    const long wanted = np_proxy_auth_curl(point);
    if (wanted == easy->proxy_auth)
        return CURLE_OK;
    easy->proxy_auth = wanted;
    return curl_easy_setopt(easy->handle, CURLOPT_PROXYAUTH, wanted);
}
