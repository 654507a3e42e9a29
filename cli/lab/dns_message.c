/* See dns_message.h. Every read is checked against the end of the message, every write against the
 * end of the room. */
#include "dns_message.h"

#include <stdio.h>
#include <string.h>

enum {
    FLAG_RESPONSE = 0x8000,
    FLAG_AUTHORITATIVE = 0x0400,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSION_DESIRED = 0x0100,
    FLAG_RECURSION_AVAILABLE = 0x0080,
    FLAG_CHECKING_DISABLED = 0x0010,
    POINTER_TO_QUESTION = 0xc000 | DNS_HEADER_BYTES,
    OPT_BYTES = 11,
    CLASS_IN = 1
};

struct cursor {
    const uint8_t *bytes;
    size_t length;
    size_t at;
    bool is_short; /* something was read past the end */
};

static uint16_t read_u8(struct cursor *in)
{
    if (in->at >= in->length) {
        in->is_short = true;
        return 0;
    }
    return in->bytes[in->at++];
}

static uint16_t read_u16(struct cursor *in)
{
    uint16_t high = read_u8(in);
    return (uint16_t)(high << 8 | read_u8(in));
}

static void skip(struct cursor *in, size_t count)
{
    if (count > in->length - in->at) {
        in->is_short = true;
        in->at = in->length;
    } else {
        in->at += count;
    }
}

/* Adds one byte of a label to the text so that no two names have the same text. */
static size_t add_byte(char *text, size_t at, uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        byte = (uint8_t)(byte + ('a' - 'A'));
    if (byte == '.' || byte == '\\') {
        text[at++] = '\\';
        text[at++] = (char)byte;
    } else if (byte < '!' || byte > '~') {
        at += (size_t)snprintf(text + at, 5, "\\%03u", byte);
    } else {
        text[at++] = (char)byte;
    }
    return at;
}

/* Reads the name of the question; a pointer there can only point at itself or ahead, so it is
 * refused. */
static bool read_name(struct cursor *in, char *text)
{
    size_t wire_bytes = 1;
    size_t at = 0;
    for (;;) {
        uint16_t label = read_u8(in);
        if (in->is_short || label > 63)
            return false;
        if (label == 0)
            break;
        wire_bytes += 1U + label;
        if (wire_bytes > DNS_NAME_BYTES)
            return false;
        if (at > 0)
            text[at++] = '.';
        for (uint16_t i = 0; i < label; i++)
            at = add_byte(text, at, (uint8_t)read_u8(in));
    }
    text[at] = '\0';
    return !in->is_short;
}

/* Passes over a name of a record, pointers included. */
static void skip_name(struct cursor *in)
{
    for (;;) {
        uint16_t label = read_u8(in);
        if (in->is_short || label == 0)
            return;
        if (label >= 0xc0) {
            skip(in, 1);
            return;
        }
        skip(in, label);
    }
}

/* Looks for the OPT record among `count` records. More than one is a format error (RFC
 * 6891, 6.1.1). */
static bool read_edns(struct cursor *in, unsigned count, struct dns_query *query)
{
    for (unsigned i = 0; i < count; i++) {
        bool is_root = in->at < in->length && in->bytes[in->at] == 0;
        skip_name(in);
        uint16_t type = read_u16(in);
        uint16_t size = read_u16(in);
        (void)read_u8(in); /* extended rcode */
        uint8_t version = (uint8_t)read_u8(in);
        (void)read_u16(in); /* DO and reserved bits */
        skip(in, read_u16(in));
        if (in->is_short)
            return false;
        if (type != DNS_OPT)
            continue;
        if (query->has_edns || !is_root)
            return false;
        query->has_edns = true;
        query->edns_version = version;
        query->udp_size = size < DNS_UDP_PLAIN     ? DNS_UDP_PLAIN
                          : size > DNS_UDP_LARGEST ? DNS_UDP_LARGEST
                                                   : size;
    }
    return true;
}

enum dns_verdict dns_query_parse(const uint8_t *bytes, size_t length, struct dns_query *query)
{
    memset(query, 0, sizeof *query);
    query->udp_size = DNS_UDP_PLAIN;
    if (length < DNS_HEADER_BYTES)
        return DNS_IGNORED;
    struct cursor in = {.bytes = bytes, .length = length};
    query->id = read_u16(&in);
    uint16_t flags = read_u16(&in);
    if (flags & FLAG_RESPONSE)
        return DNS_IGNORED; /* two servers must never answer each other */
    query->opcode = flags >> 11 & 0xf;
    query->recursion_desired = flags & FLAG_RECURSION_DESIRED;
    query->checking_disabled = flags & FLAG_CHECKING_DISABLED;
    unsigned questions = read_u16(&in);
    unsigned records = read_u16(&in);
    records += read_u16(&in);
    records += read_u16(&in);
    if (questions != 1)
        return DNS_BROKEN;

    char name[DNS_NAME_TEXT];
    if (!read_name(&in, name))
        return DNS_BROKEN;
    uint16_t type = read_u16(&in);
    uint16_t class_ = read_u16(&in);
    if (in.is_short)
        return DNS_BROKEN;
    memcpy(query->name, name, sizeof name);
    query->type = type;
    query->class_ = class_;
    query->question_bytes = in.at - DNS_HEADER_BYTES;
    memcpy(query->question, bytes + DNS_HEADER_BYTES, query->question_bytes);
    return read_edns(&in, records, query) ? DNS_ASKED : DNS_BROKEN;
}

struct writer {
    uint8_t *bytes;
    size_t size;
    size_t length;
    bool is_full; /* something did not fit */
};

static void write_bytes(struct writer *out, const void *bytes, size_t count)
{
    if (count > out->size - out->length) {
        out->is_full = true;
        return;
    }
    memcpy(out->bytes + out->length, bytes, count);
    out->length += count;
}

static void write_u16(struct writer *out, unsigned value)
{
    const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    write_bytes(out, bytes, sizeof bytes);
}

static void write_u32(struct writer *out, uint32_t value)
{
    write_u16(out, value >> 16);
    write_u16(out, value & 0xffff);
}

/* `name` is dotted text of ours: labels of 1 … 63 plain characters; "" is the root. */
static void write_name(struct writer *out, const char *name)
{
    while (*name) {
        size_t label = strcspn(name, ".");
        uint8_t count = (uint8_t)label;
        write_bytes(out, &count, 1);
        write_bytes(out, name, label);
        name += label;
        if (*name == '.')
            name++;
    }
    write_bytes(out, "", 1);
}

/* The owner of a record: the question for the first, else the end of the CNAME chain so far. */
static void write_owner(struct writer *out, unsigned links)
{
    if (links == 0) {
        write_u16(out, POINTER_TO_QUESTION);
        return;
    }
    char name[32];
    (void)snprintf(name, sizeof name, "cname%u.lab", links);
    write_name(out, name);
}

static void write_record_head(struct writer *out, uint16_t type, uint32_t ttl_s)
{
    write_u16(out, type);
    write_u16(out, CLASS_IN);
    write_u32(out, ttl_s);
}

/* Fills in the length of record data that began at `start` (behind its two bytes of length). */
static void close_data(struct writer *out, size_t start)
{
    if (out->is_full)
        return;
    size_t count = out->length - start;
    out->bytes[start - 2] = (uint8_t)(count >> 8);
    out->bytes[start - 1] = (uint8_t)count;
}

static unsigned write_answers(struct writer *out, const struct dns_reply *reply)
{
    for (unsigned link = 0; link < reply->cname_count; link++) {
        write_owner(out, link);
        write_record_head(out, DNS_CNAME, reply->ttl_s);
        write_u16(out, 0);
        size_t start = out->length;
        write_owner(out, link + 1);
        close_data(out, start);
    }
    size_t address_bytes = reply->type == DNS_AAAA ? 16 : 4;
    for (size_t i = 0; i < reply->address_count; i++) {
        write_owner(out, reply->cname_count);
        write_record_head(out, reply->type, reply->ttl_s);
        write_u16(out, (unsigned)address_bytes);
        write_bytes(out, reply->addresses + i * address_bytes, address_bytes);
    }
    return reply->cname_count + (unsigned)reply->address_count;
}

static bool is_under_lab(const char *name)
{
    size_t length = strlen(name);
    return length >= 3 && strcmp(name + length - 3, "lab") == 0 &&
           (length == 3 || (name[length - 4] == '.' && (length < 5 || name[length - 5] != '\\')));
}

static void write_authority(struct writer *out, const struct dns_query *query, uint32_t ttl_s)
{
    write_name(out, is_under_lab(query->name) ? "lab" : "");
    write_record_head(out, DNS_SOA, ttl_s);
    write_u16(out, 0);
    size_t start = out->length;
    write_name(out, "ns.lab");
    write_name(out, "hostmaster.lab");
    write_u32(out, 1);     /* serial */
    write_u32(out, 3600);  /* refresh */
    write_u32(out, 600);   /* retry */
    write_u32(out, 86400); /* expire */
    write_u32(out, ttl_s); /* how long a negative answer holds */
    close_data(out, start);
}

static void write_opt(struct writer *out, unsigned rcode)
{
    write_bytes(out, "", 1);
    write_u16(out, DNS_OPT);
    write_u16(out, DNS_UDP_LARGEST);
    write_u32(out, (uint32_t)(rcode >> 4) << 24); /* high bits of the rcode, version 0, no flags */
    write_u16(out, 0);
}

static void write_header(struct writer *out, const struct dns_query *query, unsigned rcode,
                         bool truncated, bool has_edns)
{
    unsigned flags =
        FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | (unsigned)query->opcode << 11 | (rcode & 0xf);
    if (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN)
        flags |= FLAG_AUTHORITATIVE;
    if (query->recursion_desired)
        flags |= FLAG_RECURSION_DESIRED;
    if (query->checking_disabled)
        flags |= FLAG_CHECKING_DISABLED;
    if (truncated)
        flags |= FLAG_TRUNCATED;
    write_u16(out, query->id);
    write_u16(out, flags);
    write_u16(out, query->question_bytes > 0);
    write_u16(out, 0);
    write_u16(out, 0);
    write_u16(out, has_edns);
    write_bytes(out, query->question, query->question_bytes);
}

static void set_count(struct writer *out, size_t at, unsigned count)
{
    out->bytes[at] = (uint8_t)(count >> 8);
    out->bytes[at + 1] = (uint8_t)count;
}

size_t dns_reply_write(const struct dns_query *query, const struct dns_reply *reply, size_t largest,
                       uint8_t *out)
{
    size_t size = largest < DNS_MESSAGE_BYTES ? largest : DNS_MESSAGE_BYTES;
    bool has_edns = query->has_edns && !reply->knows_no_edns;
    size_t opt_bytes = has_edns ? OPT_BYTES : 0;
    struct writer writer = {.bytes = out, .size = DNS_MESSAGE_BYTES};
    write_header(&writer, query, reply->rcode, reply->truncated, has_edns);
    size_t head_bytes = writer.length;

    if (!reply->truncated) {
        writer.size = size > opt_bytes ? size - opt_bytes : 0;
        if (writer.size < head_bytes)
            writer.size = head_bytes;
        unsigned answers = write_answers(&writer, reply);
        if (reply->has_authority)
            write_authority(&writer, query, reply->ttl_s);
        writer.size = DNS_MESSAGE_BYTES;
        if (writer.is_full) {
            writer.is_full = false;
            writer.length = 0;
            write_header(&writer, query, reply->rcode, true, has_edns);
        } else {
            set_count(&writer, 6, answers);
            set_count(&writer, 8, reply->has_authority);
        }
    }
    if (has_edns)
        write_opt(&writer, reply->rcode);
    return writer.length;
}
