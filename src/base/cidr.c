#include "base/cidr.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct ip ip_make(const void *bytes, bool v6)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *from = bytes;
    bool is_mapped = v6 && memcmp(from, mapped, sizeof(mapped)) == 0;
    struct ip ip = {.v6 = v6 && !is_mapped};
    memcpy(ip.bytes, from + (is_mapped ? sizeof(mapped) : 0), ip.v6 ? 16 : 4);
    return ip;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->v6 == b->v6 && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool ip_parse(const char *text, size_t size_bytes, struct ip *ret)
{
    uint8_t bytes[16];
    char copy[INET6_ADDRSTRLEN];
    *ret = (struct ip){0};
    if (size_bytes == 0 || size_bytes >= sizeof(copy) || memchr(text, 0, size_bytes) != NULL) {
        return false;
    }
    memcpy(copy, text, size_bytes);
    copy[size_bytes] = '\0';
    bool v4 = inet_pton(AF_INET, copy, bytes) == 1;
    if (!v4 && inet_pton(AF_INET6, copy, bytes) != 1) {
        return false;
    }
    *ret = ip_make(bytes, !v4);
    return true;
}

static bool port_parse(const char *text, size_t size, uint16_t *ret)
{
    uint64_t number;
    if (size == 0 || size > 5 || !number_parse(text, size, UINT16_MAX, &number)) {
        return false;
    }
    *ret = (uint16_t)number;
    return true;
}

bool ip_parse_endpoint(const char *text, size_t size_bytes, struct ip *ret, uint16_t *ret_port)
{
    *ret_port = 0;
    if (size_bytes > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', size_bytes);
        if (end == NULL || !ip_parse(text + 1, (size_t)(end - text) - 1, ret) ||
            memchr(text, ':', (size_t)(end - text)) == NULL) {
            return false; /* Brackets are for IPv6. */
        }
        size_t rest = size_bytes - (size_t)(end + 1 - text);
        return rest == 0 || (end[1] == ':' && port_parse(end + 2, rest - 1, ret_port));
    }
    const char *colon = size_bytes == 0 ? NULL : memchr(text, ':', size_bytes);
    if (colon != NULL && memchr(colon + 1, ':', size_bytes - (size_t)(colon + 1 - text)) == NULL) {
        return ip_parse(text, (size_t)(colon - text), ret) &&
               port_parse(colon + 1, size_bytes - (size_t)(colon + 1 - text), ret_port);
    }
    return ip_parse(text, size_bytes, ret);
}

void ip_format_endpoint(const struct ip *ip, uint16_t port, char ret[IP_TEXT_BYTES])
{
    char text[INET6_ADDRSTRLEN] = "?";
    inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->bytes, text, sizeof(text));
    snprintf(ret, IP_TEXT_BYTES, ip->v6 ? "[%s]:%u" : "%s:%u", text, (unsigned)port);
}

/* Whether all bits from `bits` on are zero. */
static bool is_base(const struct ip *ip, unsigned bits)
{
    for (unsigned i = bits; i < 8 * sizeof(ip->bytes); i++) {
        if ((ip->bytes[i / 8] & (0x80u >> i % 8)) != 0) {
            return false;
        }
    }
    return true;
}

bool cidr_parse(const char *text, struct cidr *ret, struct err *err)
{
    const char *slash = strchr(text, '/');
    size_t size = slash == NULL ? strlen(text) : (size_t)(slash - text);
    uint64_t bits = 0;
    if (!ip_parse(text, size, &ret->ip)) {
        return err_set(err, ERR_INPUT,
                       "'%.80s' is no address; write \"10.0.0.0/8\", \"2001:db8::/32\" or "
                       "\"192.0.2.7\"",
                       text);
    }
    unsigned most = ret->ip.v6 ? 128 : 32;
    if (slash == NULL) {
        bits = most;
    } else if (!number_parse(slash + 1, strlen(slash + 1), most, &bits)) {
        return err_set(err, ERR_INPUT, "'%.80s': behind the '/' stands a number from 0 to %u", text,
                       most);
    }
    if (!is_base(&ret->ip, (unsigned)bits)) {
        return err_set(err, ERR_INPUT,
                       "'%.80s' has an address that is not the first of its block; all bits behind "
                       "the first %u must be zero",
                       text, (unsigned)bits);
    }
    ret->bits = (uint8_t)bits;
    return true;
}

bool cidr_holds(const struct cidr *cidr, const struct ip *ip)
{
    unsigned whole = cidr->bits / 8, rest = cidr->bits % 8;
    if (cidr->ip.v6 != ip->v6 || memcmp(cidr->ip.bytes, ip->bytes, whole) != 0) {
        return false;
    }
    unsigned mask = rest == 0 ? 0 : 0xff00u >> rest & 0xffu;
    return whole >= sizeof(ip->bytes) ||
           ((unsigned)(cidr->ip.bytes[whole] ^ ip->bytes[whole]) & mask) == 0;
}
