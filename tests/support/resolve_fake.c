/*
 * A resolver's helper that misbehaves as the name it is asked for says: "hang.…", "die.…",
 * "garbage.…", "number.…" (another question's answer), "many.…" (a count that is too large),
 * "short.…", "empty.…", "family.…", "huge.…"; "once-die.PATH-less names" are answered: 192.0.2.1
 * and 2001:db8::1. "slow.…" is answered when the file $RESOLVE_FAKE_GATE exists.
 */
#include "resolve_message.h"

#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int begins(const char *name, const char *word)
{
    return strncmp(name, word, strlen(word)) == 0;
}

static void wait_for_gate(void)
{
    const char *gate = getenv("RESOLVE_FAKE_GATE");
    while (gate && access(gate, F_OK) != 0)
        usleep(1000);
}

static void say(const void *data, size_t length)
{
    (void)!send(NP_RESOLVE_FD, data, length, MSG_NOSIGNAL);
}

static void answer(const np_resolve_question *question)
{
    static char noise[8192];
    const char *name = question->name;
    np_resolve_answer a = {.magic = NP_RESOLVE_MAGIC, .number = question->number, .count = 2};
    a.address[0] = (np_resolve_address){
        .version = 4, .bytes = {192, 0, 2, 1}
    };
    a.address[1] = (np_resolve_address){
        .version = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}
    };
    size_t length = offsetof(np_resolve_answer, address) + 2 * sizeof a.address[0];
    memset(noise, 0x5a, sizeof noise);
    if (begins(name, "hang."))
        for (;;)
            pause();
    if (begins(name, "die."))
        raise(SIGKILL);
    if (begins(name, "slow."))
        wait_for_gate();
    if (begins(name, "garbage.")) {
        say(noise, 100);
        return;
    }
    if (begins(name, "huge.")) {
        say(noise, sizeof noise);
        return;
    }
    if (begins(name, "short.")) {
        say(&a, 7);
        return;
    }
    if (begins(name, "number."))
        a.number++;
    if (begins(name, "many."))
        a.count = 0x40000000;
    if (begins(name, "empty."))
        a.count = 0;
    if (begins(name, "family."))
        a.address[1].version = 77;
    if (begins(name, "code."))
        a.code = EAI_AGAIN; /* with addresses: it cannot be both */
    if (begins(name, "unknown.")) {
        a.code = EAI_NONAME;
        a.count = 0;
        length = offsetof(np_resolve_answer, address);
    }
    if (begins(name, "again.")) {
        a.code = EAI_AGAIN;
        a.count = 0;
        length = offsetof(np_resolve_answer, address);
    }
    say(&a, length);
    if (begins(name, "twice."))
        say(&a, length);
}

int main(void)
{
    np_resolve_question question;
    while (recv(NP_RESOLVE_FD, &question, sizeof question, 0) == (ssize_t)sizeof question)
        answer(&question);
    return 0;
}
