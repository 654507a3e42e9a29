/*
 * netphase-resolve: asks the system's resolver, one name after another, for the program at the
 * other end of descriptor 3. Nothing else runs here: getaddrinfo may load any module, wait for
 * minutes, and cannot be cancelled, so it gets a process that can be killed.
 */
#include "resolve_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void take_address(const struct sockaddr *from, np_resolve_answer *answer)
{
    np_resolve_address *to = &answer->address[answer->count];
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)from;
        to->version = 4;
        memcpy(to->bytes, &v4->sin_addr, 4);
        answer->count++;
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)from;
        to->version = 6;
        to->scope = v6->sin6_scope_id;
        memcpy(to->bytes, &v6->sin6_addr, 16);
        answer->count++;
    }
}

static void look_up(const np_resolve_question *question, np_resolve_answer *answer)
{
    const struct addrinfo hints = {.ai_family = question->family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    memset(answer, 0, sizeof *answer);
    answer->magic = NP_RESOLVE_MAGIC;
    answer->number = question->number;
    answer->code = getaddrinfo(question->name, NULL, &hints, &found);
    answer->error_number = answer->code == EAI_SYSTEM ? errno : 0;
    if (answer->code != 0)
        return;
    for (const struct addrinfo *at = found; at && answer->count < NP_RESOLVE_ADDRESSES;
         at = at->ai_next)
        take_address(at->ai_addr, answer);
    freeaddrinfo(found);
    if (answer->count == 0)
        answer->code = EAI_NODATA; /* addresses of families that nobody asked for */
}

/* false: the other end is gone, or is none of ours. */
static int answer_one(void)
{
    np_resolve_question question;
    np_resolve_answer answer;
    ssize_t got;
    do
        got = recv(NP_RESOLVE_FD, &question, sizeof question, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof question || question.magic != NP_RESOLVE_MAGIC)
        return 0;
    question.name[sizeof question.name - 1] = '\0';
    look_up(&question, &answer);
    const size_t length =
        offsetof(np_resolve_answer, address) + answer.count * sizeof answer.address[0];
    return send(NP_RESOLVE_FD, &answer, length, MSG_NOSIGNAL) == (ssize_t)length;
}

int main(void)
{
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(NP_RESOLVE_FD, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_SEQPACKET) {
        fputs("netphase-resolve is started by programs that use libnetphase\n", stderr);
        return 2;
    }
    signal(SIGINT, SIG_IGN); /* a Ctrl-C is for the program that asks: it ends us when it ends */
    while (answer_one())
        ;
    return 0;
}
