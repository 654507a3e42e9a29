#include "digest_server.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 64, HEAD_SIZE = 8192, FIELD_SIZE = 512, HEX_SIZE = 129 };

static const char user[] = "Mufasa", password[] = "Circle of Life", realm[] = "the \"pride\" lands";

struct digest_server {
    struct digest_options options;
    int fd;
    uint16_t port;
    pthread_t acceptor, threads[CONNECTIONS];
    int fds[CONNECTIONS];
    unsigned thread_count;
    pthread_mutex_t lock; /* guards what follows, and fds */
    struct digest_counts counts;
    unsigned nonce_number, nonce_count; /* the nonce is "nonce/NUMBER+", used so often */
};

struct seat {
    struct digest_server *server;
    unsigned index;
};

/* --- the hash, one string at a time --- */

static void hash_text(const struct digest_server *server, const char *text, char *hex)
{
    const char *name = server->options.algorithm ? server->options.algorithm : "MD5";
    const EVP_MD *digest = strncmp(name, "SHA-256", 7) == 0   ? EVP_sha256()
                           : strncmp(name, "SHA-512", 7) == 0 ? EVP_sha512_256()
                                                              : EVP_md5();
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(text, strlen(text), bytes, &size, digest, NULL);
    for (unsigned i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

/* --- the request --- */

/* The head up to its empty line; false: the client has gone. */
static bool read_head(int fd, char *head)
{
    size_t length = 0;
    while (length + 1 < HEAD_SIZE && recv(fd, head + length, 1, 0) == 1) {
        head[++length] = '\0';
        if (length >= 4 && strcmp(head + length - 4, "\r\n\r\n") == 0)
            return true;
    }
    return false;
}

/* Reads over the body; false: the client has gone. */
static bool read_body(struct digest_server *server, int fd, const char *head)
{
    const char *line = strcasestr(head, "\r\nContent-Length: ");
    unsigned long left = line ? strtoul(line + 18, NULL, 10) : 0;
    char byte;
    for (; left > 0 && recv(fd, &byte, 1, 0) == 1; left--) {
        pthread_mutex_lock(&server->lock);
        server->counts.body_bytes++;
        pthread_mutex_unlock(&server->lock);
    }
    return left == 0;
}

static const char *authorization_in(char *head)
{
    char *line = strcasestr(head, "\r\nAuthorization: ");
    if (!line)
        return NULL;
    line += 17;
    line[strcspn(line, "\r")] = '\0';
    return line;
}

/* NAME=value or NAME="value" among the parameters; false: it is not there. */
static bool parameter(const char *text, const char *name, char out[FIELD_SIZE])
{
    const size_t length = strlen(name);
    bool quoted = false;
    out[0] = '\0';
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && quoted && at[1]) {
            at++;
            continue;
        }
        if (*at == '"')
            quoted = !quoted;
        if (quoted || (at > text && at[-1] != ' ' && at[-1] != ',') ||
            strncmp(at, name, length) != 0 || at[length] != '=')
            continue;
        at += length + 1;
        const bool in_quotes = *at == '"';
        at += in_quotes;
        size_t n = 0;
        for (; *at && n + 1 < FIELD_SIZE; at++) {
            if (in_quotes ? *at == '"' : *at == ',' || *at == ' ')
                break;
            if (in_quotes && *at == '\\' && at[1])
                at++;
            out[n++] = *at;
        }
        out[n] = '\0';
        return true;
    }
    return false;
}

enum verdict { ACCEPTED, STALE, REFUSED };

static enum verdict refuse(struct digest_server *server, const char *what, const char *found)
{
    snprintf(server->counts.why, sizeof server->counts.why, "%s: %.200s", what, found);
    return REFUSED;
}

/* The hash that the password gives for what the client says of itself. */
static void expected_response(const struct digest_server *server, const char *method,
                              const char *uri, const char *nonce, const char *nc,
                              const char *cnonce, char *hex)
{
    char text[4 * FIELD_SIZE], secret[HEX_SIZE], request[HEX_SIZE];
    const char *algorithm = server->options.algorithm;
    snprintf(text, sizeof text, "%s:%s:%s", user, realm, password);
    hash_text(server, text, secret);
    if (algorithm && strstr(algorithm, "-sess")) {
        snprintf(text, sizeof text, "%s:%s:%s", secret, nonce, cnonce);
        hash_text(server, text, secret);
    }
    snprintf(text, sizeof text, "%s:%s", method, uri);
    hash_text(server, text, request);
    if (server->options.without_qop)
        snprintf(text, sizeof text, "%s:%s:%s", secret, nonce, request);
    else
        snprintf(text, sizeof text, "%s:%s:%s:%s:auth:%s", secret, nonce, nc, cnonce, request);
    hash_text(server, text, hex);
}

static enum verdict verify_user(struct digest_server *server, const char *answer)
{
    char name[FIELD_SIZE], wanted[FIELD_SIZE];
    snprintf(wanted, sizeof wanted, "%s", user);
    if (server->options.hashes_user) {
        char text[FIELD_SIZE];
        snprintf(text, sizeof text, "%s:%s", user, realm);
        hash_text(server, text, wanted);
    }
    (void)parameter(answer, "username", name);
    return strcmp(name, wanted) == 0 ? ACCEPTED : refuse(server, "user", name);
}

/* Lock held. */
static enum verdict verify(struct digest_server *server, const char *answer, const char *method,
                           const char *target)
{
    char nonce[FIELD_SIZE], uri[FIELD_SIZE], nc[FIELD_SIZE], cnonce[FIELD_SIZE], qop[FIELD_SIZE];
    char response[FIELD_SIZE], found[FIELD_SIZE], wanted[HEX_SIZE], current[64];
    if (strncmp(answer, "Digest ", 7) != 0)
        return refuse(server, "scheme", answer);
    answer += 7;
    (void)parameter(answer, "nonce", nonce);
    (void)parameter(answer, "uri", uri);
    (void)parameter(answer, "nc", nc);
    (void)parameter(answer, "cnonce", cnonce);
    (void)parameter(answer, "qop", qop);
    (void)parameter(answer, "response", response);
    if (!parameter(answer, "realm", found) || strcmp(found, realm) != 0)
        return refuse(server, "realm", found);
    if (!parameter(answer, "opaque", found) || strcmp(found, "o,p=\"q\"") != 0)
        return refuse(server, "opaque", found);
    if (strcmp(uri, target) != 0)
        return refuse(server, "uri", uri);
    if (strcmp(qop, server->options.without_qop ? "" : "auth") != 0)
        return refuse(server, "qop", qop);
    if (verify_user(server, answer) != ACCEPTED)
        return REFUSED;
    expected_response(server, method, uri, nonce, nc, cnonce, wanted);
    if (strcmp(response, wanted) != 0)
        return refuse(server, "response", response);
    snprintf(current, sizeof current, "nonce/%u+", server->nonce_number);
    if (strcmp(nonce, current) != 0)
        return STALE;
    if (!server->options.without_qop && strtoul(nc, NULL, 16) != server->nonce_count + 1)
        return refuse(server, "count", nc);
    server->nonce_count++;
    if (server->options.nonce_uses && server->nonce_count > server->options.nonce_uses)
        return STALE;
    return ACCEPTED;
}

/* --- the answer --- */

static int write_challenge(struct digest_server *server, bool stale, char *out, size_t size)
{
    const struct digest_options *o = &server->options;
    server->nonce_number++;
    server->nonce_count = 0;
    return snprintf(
        out, size,
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %sDigest realm=\"the \\\"pride\\\" "
        "lands\", nonce=\"nonce/%u+\", opaque=\"o,p=\\\"q\\\"\"%s%s%s%s%s\r\n"
        "Content-Length: 4\r\n\r\nnope",
        o->offers_basic ? "Basic realm=\"x\", " : "", server->nonce_number,
        o->algorithm ? ", algorithm=" : "", o->algorithm ? o->algorithm : "",
        o->without_qop ? "" : ", qop=\"auth-int, auth\"", o->hashes_user ? ", userhash=true" : "",
        stale ? ", stale=TRUE" : "");
}

static int answer(struct digest_server *server, char *head, char *out, size_t size)
{
    char method[FIELD_SIZE], target[FIELD_SIZE];
    if (sscanf(head, "%511s %511s", method, target) != 2)
        return 0;
    const char *given = authorization_in(head);
    server->counts.requests++;
    const enum verdict verdict = given ? verify(server, given, method, target) : REFUSED;
    server->counts.challenged += !given;
    server->counts.refused += given && verdict == REFUSED;
    server->counts.stale += verdict == STALE;
    if (verdict != ACCEPTED)
        return write_challenge(server, verdict == STALE, out, size);
    server->counts.accepted++;
    return snprintf(out, size, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome");
}

static void *serve(void *argument)
{
    struct seat *seat = argument;
    struct digest_server *server = seat->server;
    const int fd = server->fds[seat->index];
    char head[HEAD_SIZE], out[2048];
    while (read_head(fd, head) && read_body(server, fd, head)) {
        pthread_mutex_lock(&server->lock);
        const int length = answer(server, head, out, sizeof out);
        pthread_mutex_unlock(&server->lock);
        if (length <= 0 || send(fd, out, (size_t)length, MSG_NOSIGNAL) != length)
            break;
    }
    pthread_mutex_lock(&server->lock);
    close(fd);
    server->fds[seat->index] = -1;
    pthread_mutex_unlock(&server->lock);
    free(seat);
    return NULL;
}

static void *accept_all(void *argument)
{
    struct digest_server *server = argument;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        const int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            break;
        struct seat *seat = malloc(sizeof *seat);
        *seat = (struct seat){server, i};
        pthread_mutex_lock(&server->lock);
        server->fds[i] = fd;
        server->counts.connections++;
        pthread_mutex_unlock(&server->lock);
        pthread_create(&server->threads[i], NULL, serve, seat);
        server->thread_count = i + 1;
    }
    return NULL;
}

struct digest_server *digest_server_start(const struct digest_options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct digest_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->options = *options;
    pthread_mutex_init(&server->lock, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &size) != 0 ||
        listen(server->fd, CONNECTIONS) != 0 ||
        pthread_create(&server->acceptor, NULL, accept_all, server) != 0) {
        close(server->fd);
        free(server);
        return NULL;
    }
    server->port = ntohs(address.sin_port);
    return server;
}

void digest_server_stop(struct digest_server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->fd);
    pthread_mutex_lock(&server->lock);
    for (unsigned i = 0; i < server->thread_count; i++)
        if (server->fds[i] >= 0)
            shutdown(server->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    for (unsigned i = 0; i < server->thread_count; i++)
        pthread_join(server->threads[i], NULL);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

uint16_t digest_server_port(const struct digest_server *server)
{
    return server->port;
}

struct digest_counts digest_server_counts(struct digest_server *server)
{
    pthread_mutex_lock(&server->lock);
    const struct digest_counts counts = server->counts;
    pthread_mutex_unlock(&server->lock);
    return counts;
}
