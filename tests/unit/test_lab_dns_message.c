/* The lab's DNS messages: what is read, what is written, and that no bytes break it. */
#include "byte_mutation.h"
#include "dns_message.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* A query with the question `name` (labels with their lengths) and what follows. */
static size_t make_query(uint8_t *out, const char *labels, uint16_t type, bool has_edns)
{
    const uint8_t header[12] = {0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, has_edns};
    memcpy(out, header, sizeof header);
    size_t at = sizeof header;
    memcpy(out + at, labels, strlen(labels) + 1);
    at += strlen(labels) + 1;
    const uint8_t tail[4] = {(uint8_t)(type >> 8), (uint8_t)type, 0, 1};
    memcpy(out + at, tail, sizeof tail);
    at += sizeof tail;
    if (has_edns) {
        const uint8_t opt[11] = {0, 0, 41, 0x04, 0x00, 0, 0, 0, 0, 0, 0};
        memcpy(out + at, opt, sizeof opt);
        at += sizeof opt;
    }
    return at;
}

static const uint8_t address[4] = {127, 9, 8, 7};

static size_t answer(const char *labels, uint16_t type, bool has_edns, struct dns_reply reply,
                     uint8_t *out)
{
    uint8_t bytes[600];
    struct dns_query query;
    size_t length = make_query(bytes, labels, type, has_edns);
    cr_assert_eq(dns_query_parse(bytes, length, &query), DNS_ASKED);
    return dns_reply_write(&query, &reply, query.udp_size, out);
}

Test(lab_dns_message, a_question_is_read_in_lower_case)
{
    uint8_t bytes[600];
    struct dns_query query;
    size_t length = make_query(bytes, "\x06OriGin\x03lab", DNS_AAAA, true);

    cr_assert_eq(dns_query_parse(bytes, length, &query), DNS_ASKED);

    cr_assert_str_eq(query.name, "origin.lab");
    cr_assert_eq(query.id, 0x1234);
    cr_assert_eq(query.type, DNS_AAAA);
    cr_assert(query.recursion_desired);
    cr_assert(query.has_edns);
    cr_assert_eq(query.udp_size, 1024);
}

Test(lab_dns_message, a_dot_inside_a_label_makes_another_name)
{
    uint8_t bytes[600];
    struct dns_query query;
    size_t length = make_query(bytes, "\x0aorigin.lab", DNS_A, false);

    cr_assert_eq(dns_query_parse(bytes, length, &query), DNS_ASKED);

    cr_assert_str_eq(query.name, "origin\\.lab");
}

Test(lab_dns_message, what_is_no_query_is_told_apart)
{
    static const struct {
        const char *what;
        uint8_t bytes[40];
        size_t length;
        enum dns_verdict verdict;
    } cases[] = {
        {"nothing",        {0},                                                        0,  DNS_IGNORED},
        {"half a header",  {0x12, 0x34, 1, 0, 0, 1},                                   6,  DNS_IGNORED},
        {"an answer",      {0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1},  17, DNS_IGNORED},
        {"no question",    {0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},                       12, DNS_BROKEN },
        {"two questions",  {0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1},        17, DNS_BROKEN },
        {"question cut",   {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'l', 'a'},          15, DNS_BROKEN },
        {"no type",        {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1},              15, DNS_BROKEN },
        {"pointer",        {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1}, 18, DNS_BROKEN },
        {"record missing", {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1},        17, DNS_BROKEN },
        {"the root's A",   {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1},        17, DNS_ASKED  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dns_query query;
        cr_expect_eq(dns_query_parse(cases[i].bytes, cases[i].length, &query), cases[i].verdict,
                     "%s", cases[i].what);
    }
}

Test(lab_dns_message, an_address_is_answered_with_its_time_to_live)
{
    uint8_t out[DNS_MESSAGE_BYTES];
    size_t length = answer(
        "\x06OriGin\x03lab", DNS_A, false,
        (struct dns_reply){.ttl_s = 61, .addresses = address, .address_count = 1, .type = DNS_A},
        out);

    static const uint8_t expected[] = {0x12, 0x34, 0x85, 0x80, 0,   1,   0,    1,   0, 0,   0,
                                       0,    6,    'O',  'r',  'i', 'G', 'i',  'n', 3, 'l', 'a',
                                       'b',  0,    0,    1,    0,   1,   0xc0, 12,  0, 1,   0,
                                       1,    0,    0,    0,    61,  0,   4,    127, 9, 8,   7};
    cr_assert_eq(length, sizeof expected);
    cr_assert_arr_eq(out, expected, sizeof expected);
}

Test(lab_dns_message, a_negative_answer_has_an_soa_and_echoes_edns)
{
    uint8_t out[DNS_MESSAGE_BYTES];
    size_t length =
        answer("\x02nx\x03lab", DNS_A, true,
               (struct dns_reply){.rcode = DNS_NXDOMAIN, .ttl_s = 5, .has_authority = true}, out);

    cr_assert_eq(out[3] & 0xf, DNS_NXDOMAIN);
    cr_assert_eq(out[7], 0);  /* answers */
    cr_assert_eq(out[9], 1);  /* authority */
    cr_assert_eq(out[11], 1); /* the OPT record, the last one */
    cr_assert_eq(out[length - 11], 0);
    cr_assert_eq(out[length - 9], DNS_OPT);
}

Test(lab_dns_message, an_unknown_edns_version_is_told)
{
    uint8_t out[DNS_MESSAGE_BYTES];
    size_t length = answer("\x03lab", DNS_A, true, (struct dns_reply){.rcode = DNS_BADVERS}, out);

    cr_assert_eq(out[3] & 0xf, 0);
    cr_assert_eq(out[length - 6], 1); /* the upper bits: 16 in all */
}

Test(lab_dns_message, a_chain_ends_in_the_address)
{
    uint8_t out[DNS_MESSAGE_BYTES];
    size_t length =
        answer("\x03lab", DNS_A, false,
               (struct dns_reply){
                   .addresses = address, .address_count = 1, .type = DNS_A, .cname_count = 2},
               out);

    cr_assert_eq(out[7], 3);
    cr_assert_arr_eq(out + length - 4, address, 4);
}

Test(lab_dns_message, what_does_not_fit_is_truncated)
{
    uint8_t bytes[600];
    uint8_t out[DNS_MESSAGE_BYTES];
    struct dns_query query;
    size_t asked = make_query(bytes, "\x03lab", DNS_A, true);
    cr_assert_eq(dns_query_parse(bytes, asked, &query), DNS_ASKED);
    struct dns_reply reply = {
        .addresses = address, .address_count = 1, .type = DNS_A, .cname_count = DNS_CNAME_LIMIT};

    size_t length = dns_reply_write(&query, &reply, 200, out);

    cr_assert_eq(length, asked);
    cr_assert(out[2] & 0x02);
    cr_assert_eq(out[7], 0);
    cr_assert_eq(out[11], 1);
}

Test(lab_dns_message, any_bytes_are_read_and_answered_within_bounds)
{
    struct mutation mutation = mutation_start("NP_TEST_SEED");
    for (int round = 0; round < 200000; round++) {
        uint8_t bytes[700];
        uint8_t out[DNS_MESSAGE_BYTES];
        size_t length = make_query(bytes, round % 2 ? "\x06origin\x03lab" : "\x01n\x02nx\x03lab",
                                   DNS_A, round % 3);
        length = mutate(&mutation, bytes, length, sizeof bytes);
        /* A copy of exactly that size, so that the sanitizer sees every byte too far. */
        uint8_t *exact = malloc(length ? length : 1);
        memcpy(exact, bytes, length);
        struct dns_query query;
        enum dns_verdict verdict = dns_query_parse(exact, length, &query);
        free(exact);
        if (verdict == DNS_IGNORED)
            continue;
        struct dns_reply reply = {.addresses = address,
                                  .address_count = 1,
                                  .type = DNS_A,
                                  .has_authority = round % 5 == 0,
                                  .cname_count = (unsigned)round % (DNS_CNAME_LIMIT + 1)};
        size_t answered = dns_reply_write(&query, &reply, query.udp_size, out);
        /* An assertion of Criterion costs more than the round: only a failure is one. */
        bool is_good = answered >= DNS_HEADER_BYTES && answered <= DNS_UDP_LARGEST &&
                       out[0] == query.id >> 8 && out[2] & 0x80;
        if (!is_good)
            cr_assert_fail("seed %llu round %d: %zu bytes", (unsigned long long)mutation.seed,
                           round, answered);
    }
}
