#include "scripted_server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, GONE_MS = 60000, HEARD_MAX = 1 << 20 };

enum kind {
    STEP_TLS,
    STEP_H2,
    STEP_STREAMS,
    STEP_FIRST,
    STEP_HEAD,
    STEP_BODY,
    STEP_CHUNKS,
    STEP_PAYLOAD,
    STEP_SIP,
    STEP_WAIT,
    STEP_SEND,
    STEP_REPEAT,
    STEP_TRICKLE,
    STEP_FLOOD,
    STEP_SLEEP,
    STEP_SHUT,
    STEP_HANG,
    STEP_DEAF,
    STEP_RESET,
    STEP_AGAIN,
    STEP_KINDS
};

/* What stands behind the word. */
enum { WITH_NUMBER = 1, WITH_TEXT = 2, WITH_FOLDER = 4 };

static const struct {
    const char *word;
    int with;
} grammar[STEP_KINDS] = {
    [STEP_TLS] = {"tls",     WITH_FOLDER            },
    [STEP_H2] = {"h2",      WITH_FOLDER            },
    [STEP_STREAMS] = {"streams", WITH_NUMBER            },
    [STEP_FIRST] = {"first",   0                      },
    [STEP_HEAD] = {"head",    0                      },
    [STEP_BODY] = {"body",    WITH_NUMBER            },
    [STEP_CHUNKS] = {"chunks",  0                      },
    [STEP_PAYLOAD] = {"payload", 0                      },
    [STEP_SIP] = {"sip",     WITH_NUMBER            },
    [STEP_WAIT] = {"wait",    0                      },
    [STEP_SEND] = {"send",    WITH_TEXT              },
    [STEP_REPEAT] = {"repeat",  WITH_NUMBER | WITH_TEXT},
    [STEP_TRICKLE] = {"trickle", WITH_NUMBER | WITH_TEXT},
    [STEP_FLOOD] = {"flood",   WITH_TEXT              },
    [STEP_SLEEP] = {"sleep",   WITH_NUMBER            },
    [STEP_SHUT] = {"shut",    0                      },
    [STEP_HANG] = {"hang",    0                      },
    [STEP_DEAF] = {"deaf",    0                      },
    [STEP_RESET] = {"reset",   0                      },
    [STEP_AGAIN] = {"again",   0                      },
};

struct step {
    struct step *next;
    enum kind kind;
    unsigned long number;
    char *text; /* or the folder */
    size_t length;
    SSL_CTX *tls;
};

struct script {
    struct script *next;
    struct step *first, **end;
};

struct seat {
    struct scripted_server *server;
    const struct script *script;
    struct seat *next;
    pthread_t thread;
    int fd;
    SSL *ssl;
    bool over; /* fd is closed; guarded by the lock */
    /* what the last head says of the body behind it */
    bool chunked;
    unsigned long payload_bytes;
};

struct scripted_server {
    struct script *scripts;
    int fd;
    uint16_t port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    struct seat *seats;
    pthread_cond_t ended; /* a connection */
    unsigned connections, heads, open;
    unsigned gos; /* that no `wait` has used */
    bool stopping;
    pthread_cond_t went;
    char *heard; /* heard[heard_length], room for HEARD_MAX and a NUL */
    size_t heard_length;
};

/* --- reading a script --- */

struct reader {
    const char *at;
    int line;
    char *why;
    size_t why_size;
};

static bool complain(const struct reader *reader, const char *what)
{
    (void)snprintf(reader->why, reader->why_size, "script, line %d: %s", reader->line, what);
    return false;
}

static void skip_blanks(struct reader *reader)
{
    while (*reader->at == ' ' || *reader->at == '\t')
        reader->at++;
}

static bool read_escape(struct reader *reader, char *out)
{
    static const char from[] = "rnt0\"\\", to[] = "\r\n\t\0\"\\";
    const char c = *reader->at++;
    const char *place = c ? strchr(from, c) : NULL;
    if (place) {
        *out = to[place - from];
        return true;
    }
    if (c == 'x' && isxdigit((unsigned char)reader->at[0]) &&
        isxdigit((unsigned char)reader->at[1])) {
        const char digits[] = {reader->at[0], reader->at[1], 0};
        *out = (char)strtoul(digits, NULL, 16);
        reader->at += 2;
        return true;
    }
    return complain(reader, "an escape is \\r \\n \\t \\0 \\\" \\\\ or \\xHH");
}

static bool read_text(struct reader *reader, struct step *step)
{
    skip_blanks(reader);
    if (*reader->at != '"')
        return complain(reader, "a text in quotes is missing");
    reader->at++;
    step->text = malloc(strlen(reader->at) + 1);
    while (*reader->at && *reader->at != '"') {
        char c = *reader->at++;
        if (c == '\\' && !read_escape(reader, &c))
            return false;
        step->text[step->length++] = c;
    }
    step->text[step->length] = 0;
    return *reader->at++ == '"' || complain(reader, "a text does not end");
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                     const unsigned char *in, unsigned in_length, void *user)
{
    static const unsigned char h2[] = "\x02h2";
    (void)ssl, (void)user;
    unsigned char *chosen = NULL;
    const int found = SSL_select_next_proto(&chosen, out_length, h2, sizeof h2 - 1, in, in_length);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static bool read_folder(struct reader *reader, struct step *step)
{
    char file[512];
    skip_blanks(reader);
    const size_t length = strcspn(reader->at, " \t;\n");
    step->text = strndup(reader->at, length);
    reader->at += length;
    step->tls = SSL_CTX_new(TLS_server_method());
    (void)snprintf(file, sizeof file, "%s/cert.pem", step->text);
    bool good = step->tls && SSL_CTX_use_certificate_chain_file(step->tls, file) == 1;
    (void)snprintf(file, sizeof file, "%s/key.pem", step->text);
    good = good && SSL_CTX_use_PrivateKey_file(step->tls, file, SSL_FILETYPE_PEM) == 1;
    if (step->kind == STEP_H2 && step->tls)
        SSL_CTX_set_alpn_select_cb(step->tls, choose_h2, NULL);
    return good || complain(reader, "tls and h2 want a folder with cert.pem and key.pem");
}

static bool read_number(struct reader *reader, struct step *step)
{
    char *end;
    skip_blanks(reader);
    step->number = strtoul(reader->at, &end, 10);
    if (end == reader->at)
        return complain(reader, "a number is missing");
    reader->at = end;
    return true;
}

static bool read_step(struct reader *reader, struct script *script)
{
    const size_t length = strcspn(reader->at, " \t;\n");
    int kind = 0;
    while (kind < STEP_KINDS && (strlen(grammar[kind].word) != length ||
                                 memcmp(grammar[kind].word, reader->at, length) != 0))
        kind++;
    if (kind == STEP_KINDS)
        return complain(reader, "no such step");
    reader->at += length;
    struct step *step = calloc(1, sizeof *step);
    step->kind = (enum kind)kind;
    *script->end = step;
    script->end = &step->next;
    const int with = grammar[kind].with;
    return (!(with & WITH_NUMBER) || read_number(reader, step)) &&
           (!(with & WITH_TEXT) || read_text(reader, step)) &&
           (!(with & WITH_FOLDER) || read_folder(reader, step));
}

static struct script *add_script(struct script **list)
{
    struct script *script = calloc(1, sizeof *script);
    script->end = &script->first;
    while (*list)
        list = &(*list)->next;
    *list = script;
    return script;
}

static bool read_scripts(struct scripted_server *server, struct reader *reader)
{
    struct script *script = add_script(&server->scripts);
    while (*reader->at) {
        skip_blanks(reader);
        if (*reader->at == '\n')
            reader->line++;
        if (*reader->at == '\n' || *reader->at == ';') {
            reader->at++;
        } else if (strncmp(reader->at, "---", 3) == 0) {
            reader->at += 3;
            script = add_script(&server->scripts);
        } else if (*reader->at && !read_step(reader, script)) {
            return false;
        }
    }
    return true;
}

/* --- one connection --- */

static void note_heard(struct scripted_server *server, const void *data, size_t length)
{
    pthread_mutex_lock(&server->lock);
    const size_t room = HEARD_MAX - server->heard_length;
    const size_t n = length < room ? length : room;
    memcpy(server->heard + server->heard_length, data, n);
    server->heard_length += n;
    pthread_mutex_unlock(&server->lock);
}

static ssize_t receive(const struct seat *seat, void *data, size_t size)
{
    const ssize_t got =
        seat->ssl ? SSL_read(seat->ssl, data, (int)size) : recv(seat->fd, data, size, 0);
    if (got > 0)
        note_heard(seat->server, data, (size_t)got);
    return got;
}

static bool give(const struct seat *seat, const char *data, size_t length)
{
    while (length > 0) {
        const ssize_t sent = seat->ssl ? SSL_write(seat->ssl, data, (int)length)
                                       : send(seat->fd, data, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* What is there, left where it is. */
static ssize_t look_at(const struct seat *seat, void *data, size_t size)
{
    return seat->ssl ? SSL_peek(seat->ssl, data, (int)size) : recv(seat->fd, data, size, MSG_PEEK);
}

/* Up to and with `end`, and nothing of what follows it. */
static bool receive_until(const struct seat *seat, const char *end)
{
    char last[8] = "", bytes[4096];
    const size_t length = strlen(end);
    bool found = false;
    while (!found) {
        const ssize_t there = look_at(seat, bytes, sizeof bytes);
        size_t used = 0;
        while ((ssize_t)used < there && !found) {
            memmove(last, last + 1, length - 1);
            last[length - 1] = bytes[used++];
            found = memcmp(last, end, length) == 0;
        }
        if (used == 0 || receive(seat, bytes, used) != (ssize_t)used)
            return false;
    }
    return true;
}

/* One line of a head, without its end; what does not fit into `line` is lost. */
static bool read_line(const struct seat *seat, char *line, size_t size)
{
    size_t length = 0;
    for (char c = 0; c != '\n';) {
        if (receive(seat, &c, 1) != 1)
            return false;
        if (length < size - 1 && c != '\r' && c != '\n')
            line[length++] = c;
    }
    line[length] = 0;
    return true;
}

static bool read_head(struct seat *seat)
{
    static const char length[] = "Content-Length:", coding[] = "Transfer-Encoding:";
    char line[256];
    seat->chunked = false;
    seat->payload_bytes = 0;
    do {
        if (!read_line(seat, line, sizeof line))
            return false;
        if (strncasecmp(line, length, sizeof length - 1) == 0)
            seat->payload_bytes = strtoul(line + sizeof length - 1, NULL, 10);
        else if (strncasecmp(line, coding, sizeof coding - 1) == 0)
            seat->chunked = true;
    } while (line[0]);
    pthread_mutex_lock(&seat->server->lock);
    seat->server->heads++;
    pthread_mutex_unlock(&seat->server->lock);
    return true;
}

static bool read_bytes(const struct seat *seat, unsigned long left)
{
    char trash[16384];
    while (left > 0) {
        const ssize_t got = receive(seat, trash, left < sizeof trash ? left : sizeof trash);
        if (got <= 0)
            return false;
        left -= (unsigned long)got;
    }
    return true;
}

static void sleep_ms(unsigned long ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static bool wait_for_go(struct scripted_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (server->gos == 0 && !server->stopping)
        pthread_cond_wait(&server->went, &server->lock);
    const bool good = !server->stopping;
    server->gos -= good;
    pthread_mutex_unlock(&server->lock);
    return good;
}

static bool sip(const struct seat *seat, unsigned long left)
{
    const struct timespec pause = {0, 200000};
    bool good = true;
    for (unsigned long n; good && left > 0; left -= n) {
        n = left < 4096 ? left : 4096;
        good = read_bytes(seat, n);
        (void)nanosleep(&pause, NULL);
    }
    return good;
}

/* The preface of a client, then frames until `count` of them were HEADERS. */
static bool read_streams(struct seat *seat, unsigned long count)
{
    enum { PREFACE_BYTES = 24, FRAME_HEAD_BYTES = 9, TYPE_HEADERS = 1 };
    bool good = read_bytes(seat, PREFACE_BYTES);
    while (good && count > 0) {
        unsigned char head[FRAME_HEAD_BYTES];
        for (int i = 0; good && i < FRAME_HEAD_BYTES; i++)
            good = receive(seat, &head[i], 1) == 1;
        const unsigned long length =
            good ? (unsigned long)head[0] << 16 | (unsigned long)head[1] << 8 | head[2] : 0;
        good = good && read_bytes(seat, length);
        count -= good && head[3] == TYPE_HEADERS;
    }
    return good;
}

static bool shake_hands(struct seat *seat, const struct step *step)
{
    if (seat->ssl) /* started over: the connection stands */
        return true;
    seat->ssl = SSL_new(step->tls);
    return seat->ssl && SSL_set_fd(seat->ssl, seat->fd) == 1 && SSL_accept(seat->ssl) == 1;
}

static bool trickle(const struct seat *seat, const struct step *step)
{
    bool good = true;
    for (size_t i = 0; good && i < step->length; i++) {
        sleep_ms(step->number);
        good = give(seat, &step->text[i], 1);
    }
    return good;
}

static void wait_for_client_to_go(const struct seat *seat, bool reading)
{
    struct pollfd gone = {.fd = seat->fd, .events = POLLRDHUP};
    if (reading)
        (void)read_bytes(seat, (unsigned long)-1);
    else
        (void)poll(&gone, 1, GONE_MS);
}

/* true: on with the next step. */
static bool take_step(struct seat *seat, const struct step *step)
{
    char first;
    bool good = true;
    switch (step->kind) {
    case STEP_TLS:
    case STEP_H2:
        return shake_hands(seat, step);
    case STEP_STREAMS:
        return read_streams(seat, step->number);
    case STEP_FIRST:
        return recv(seat->fd, &first, 1, MSG_PEEK) == 1;
    case STEP_HEAD:
        return read_head(seat);
    case STEP_BODY:
        return read_bytes(seat, step->number);
    case STEP_CHUNKS:
        return receive_until(seat, "0\r\n\r\n");
    case STEP_PAYLOAD:
        return seat->chunked ? receive_until(seat, "0\r\n\r\n")
                             : read_bytes(seat, seat->payload_bytes);
    case STEP_SIP:
        return sip(seat, step->number);
    case STEP_WAIT:
        return wait_for_go(seat->server);
    case STEP_SEND:
        return give(seat, step->text, step->length);
    case STEP_REPEAT:
        for (unsigned long i = 0; good && i < step->number; i++)
            good = give(seat, step->text, step->length);
        return good;
    case STEP_TRICKLE:
        return trickle(seat, step);
    case STEP_FLOOD:
        while (give(seat, step->text, step->length)) {
        }
        return false;
    case STEP_SLEEP:
        sleep_ms(step->number);
        return true;
    case STEP_SHUT:
        return shutdown(seat->fd, SHUT_WR) == 0;
    case STEP_HANG:
    case STEP_DEAF:
        wait_for_client_to_go(seat, step->kind == STEP_HANG);
        return false;
    case STEP_RESET:
        (void)setsockopt(seat->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                         sizeof(struct linger));
        return false;
    case STEP_AGAIN:
    case STEP_KINDS:
        break;
    }
    return true;
}

static void *serve(void *argument)
{
    struct seat *seat = argument;
    const struct step *step = seat->script->first;
    sigset_t broken_pipe;
    (void)sigemptyset(&broken_pipe); /* OpenSSL writes without MSG_NOSIGNAL */
    (void)sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    while (step && take_step(seat, step))
        step = step->kind == STEP_AGAIN ? seat->script->first : step->next;
    SSL_free(seat->ssl);
    pthread_mutex_lock(&seat->server->lock);
    seat->over = true;
    close(seat->fd);
    seat->server->open--;
    pthread_cond_broadcast(&seat->server->ended);
    pthread_mutex_unlock(&seat->server->lock);
    return NULL;
}

/* --- the server --- */

static void *accept_all(void *argument)
{
    struct scripted_server *server = argument;
    const struct script *script = server->scripts;
    while (server->connections < CONNECTIONS_MAX) {
        const int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            break;
        struct seat *seat = calloc(1, sizeof *seat);
        seat->server = server;
        seat->script = script;
        seat->fd = fd;
        if (script->next)
            script = script->next;
        pthread_mutex_lock(&server->lock);
        seat->next = server->seats;
        server->seats = seat;
        server->connections++;
        server->open++;
        pthread_create(&seat->thread, NULL, serve, seat);
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static bool listen_anywhere(struct scripted_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &size) != 0 ||
        listen(server->fd, 512) != 0)
        return false;
    server->port = ntohs(address.sin_port);
    return true;
}

static void free_server(struct scripted_server *server)
{
    for (struct script *script = server->scripts, *next; script; script = next) {
        next = script->next;
        for (struct step *step = script->first, *following; step; step = following) {
            following = step->next;
            SSL_CTX_free(step->tls);
            free(step->text);
            free(step);
        }
        free(script);
    }
    if (server->fd >= 0)
        close(server->fd);
    pthread_cond_destroy(&server->ended);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->went);
    free(server->heard);
    free(server);
}

struct scripted_server *scripted_server_start(const char *script, char *why, size_t why_size)
{
    struct reader reader = {.at = script, .line = 1, .why = why, .why_size = why_size};
    struct scripted_server *server = calloc(1, sizeof *server);
    server->fd = -1;
    server->heard = malloc(HEARD_MAX + 1);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->ended, NULL);
    pthread_cond_init(&server->went, NULL);
    if (!read_scripts(server, &reader)) {
        free_server(server);
        return NULL;
    }
    if (!listen_anywhere(server) ||
        pthread_create(&server->acceptor, NULL, accept_all, server) != 0) {
        (void)snprintf(why, why_size, "cannot listen: %s", strerror(errno));
        free_server(server);
        return NULL;
    }
    return server;
}

void scripted_server_stop(struct scripted_server *server)
{
    (void)shutdown(server->fd, SHUT_RDWR); /* ends accept */
    pthread_join(server->acceptor, NULL);
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->went);
    for (struct seat *seat = server->seats; seat; seat = seat->next)
        if (!seat->over)
            (void)shutdown(seat->fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    for (struct seat *seat = server->seats, *next; seat; seat = next) {
        next = seat->next;
        pthread_join(seat->thread, NULL);
        free(seat);
    }
    free_server(server);
}

void scripted_server_wait(struct scripted_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (server->open > 0)
        pthread_cond_wait(&server->ended, &server->lock);
    pthread_mutex_unlock(&server->lock);
}

uint16_t scripted_server_port(const struct scripted_server *server)
{
    return server->port;
}

static unsigned look(struct scripted_server *server, const unsigned *number)
{
    pthread_mutex_lock(&server->lock);
    const unsigned value = *number;
    pthread_mutex_unlock(&server->lock);
    return value;
}

unsigned scripted_server_connections(struct scripted_server *server)
{
    return look(server, &server->connections);
}

unsigned scripted_server_heads(struct scripted_server *server)
{
    return look(server, &server->heads);
}

void scripted_server_go(struct scripted_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->gos++;
    pthread_cond_broadcast(&server->went);
    pthread_mutex_unlock(&server->lock);
}

char *scripted_server_heard(struct scripted_server *server, size_t *length)
{
    pthread_mutex_lock(&server->lock);
    char *copy = malloc(server->heard_length + 1);
    memcpy(copy, server->heard, server->heard_length);
    copy[server->heard_length] = 0;
    if (length)
        *length = server->heard_length;
    pthread_mutex_unlock(&server->lock);
    return copy;
}
