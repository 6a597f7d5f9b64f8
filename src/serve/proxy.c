#include "serve/proxy.h"

#include "base/number.h"

#include <string.h>

/* Whether `data` begins with `words`, as far as it goes. */
static bool begins(const uint8_t *data, size_t size, const void *words, size_t words_size)
{
    return memcmp(data, words, size < words_size ? size : words_size) == 0;
}

/* ---- Version 1: "PROXY TCP4 192.0.2.7 198.51.100.1 51234 443" CR LF ---- */

struct words {
    const char *next, *end;
};

/* The next word, which ends with one space or with the line. */
static size_t take_word(struct words *words, const char **ret)
{
    const char *begin = *ret = words->next;
    const char *space = begin == words->end ? NULL
                                            : memchr(begin, ' ', (size_t)(words->end - begin));
    const char *end = space == NULL ? words->end : space;
    words->next = space == NULL ? words->end : space + 1;
    return (size_t)(end - begin);
}

/* Without signs, spaces or leading zeros. */
static bool take_port(struct words *words, uint16_t *ret)
{
    const char *word;
    size_t size = take_word(words, &word);
    uint64_t number;
    if (size == 0 || size > 5 || (size > 1 && word[0] == '0') ||
        !number_parse(word, size, UINT16_MAX, &number)) {
        return false;
    }
    *ret = (uint16_t)number;
    return true;
}

static bool take_address(struct words *words, bool v6, struct ip *ret)
{
    const char *word;
    size_t size = take_word(words, &word);
    bool colon = size > 0 && memchr(word, ':', size) != NULL;
    return ip_parse(word, size, ret) && colon == v6;
}

static bool parse_line(const char *line, size_t size, struct proxy_header *ret)
{
    struct words words = {line, line + size};
    const char *word;
    struct ip server;
    uint16_t server_port;
    size_t word_size = take_word(&words, &word);
    INVARIANT(word_size == 5);
    word_size = take_word(&words, &word);
    if (word_size == 7 && memcmp(word, "UNKNOWN", 7) == 0) {
        return true; /* What follows is to be ignored. */
    }
    if (word_size != 4 || memcmp(word, "TCP", 3) != 0 || (word[3] != '4' && word[3] != '6')) {
        return false;
    }
    bool v6 = word[3] == '6';
    ret->known = take_address(&words, v6, &ret->client) && take_address(&words, v6, &server) &&
                 take_port(&words, &ret->client_port) && take_port(&words, &server_port) &&
                 words.next == words.end && words.end[-1] != ' ';
    return ret->known;
}

static enum proxy_result parse_v1(const uint8_t *data, size_t size, struct proxy_header *ret)
{
    size_t look = size < PROXY_V1_BYTES_MAX ? size : PROXY_V1_BYTES_MAX;
    const uint8_t *end = memchr(data, '\n', look);
    if (end == NULL) {
        return look == PROXY_V1_BYTES_MAX ? PROXY_BAD : PROXY_MORE;
    }
    size_t line = (size_t)(end - data);
    if (line < 7 || data[line - 1] != '\r' || memchr(data, '\r', line) != data + line - 1) {
        return PROXY_BAD;
    }
    ret->size_bytes = line + 1;
    return parse_line((const char *)data, line - 1, ret) ? PROXY_WHOLE : PROXY_BAD;
}

/* ---- Version 2 ---- */

static const uint8_t SIGNATURE[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum {
    V2_FIXED = 16,
    V2_LOCAL = 0x20, /* version and command */
    V2_PROXY = 0x21,
    V2_TCP4 = 0x11, /* family and protocol */
    V2_TCP6 = 0x21,
    TLV_HEAD = 3,
    TLV_SSL = 0x20,
    TLV_SSL_BYTES_MIN = 5,
    SSL_BY_TLS = 0x01,
};

static unsigned number16(const uint8_t *data)
{
    return (unsigned)data[0] << 8 | data[1];
}

/* What follows the addresses: type, length, value. Of these only one says something for us. */
static bool parse_extras(const uint8_t *data, size_t size, struct proxy_header *ret)
{
    while (size > 0) {
        size_t length = size < TLV_HEAD ? 0 : number16(data + 1);
        if (size < TLV_HEAD || size - TLV_HEAD < length) {
            return false;
        }
        if (data[0] == TLV_SSL) {
            if (length < TLV_SSL_BYTES_MIN) {
                return false;
            }
            ret->secure = (data[TLV_HEAD] & SSL_BY_TLS) != 0;
        }
        data += TLV_HEAD + length;
        size -= TLV_HEAD + length;
    }
    return true;
}

/* An address and its port; source and destination of a family follow each other. */
static size_t parse_addresses(const uint8_t *data, size_t size, bool v6, struct proxy_header *ret)
{
    size_t bytes = v6 ? 16 : 4;
    if (size < 2 * bytes + 4) {
        return 0;
    }
    ret->known = true;
    ret->client = ip_make(data, v6);
    ret->client_port = (uint16_t)number16(data + 2 * bytes);
    return 2 * bytes + 4;
}

static enum proxy_result parse_v2(const uint8_t *data, size_t size, struct proxy_header *ret)
{
    if (size < V2_FIXED) {
        return size > 12 && data[12] != V2_LOCAL && data[12] != V2_PROXY ? PROXY_BAD : PROXY_MORE;
    }
    size_t length = number16(data + 14);
    ret->size_bytes = V2_FIXED + length;
    if ((data[12] != V2_LOCAL && data[12] != V2_PROXY) ||
        ret->size_bytes > PROXY_HEADER_BYTES_MAX) {
        return PROXY_BAD;
    }
    if (size < ret->size_bytes) {
        return PROXY_MORE;
    }
    if (data[12] == V2_LOCAL) {
        return PROXY_WHOLE; /* The proxy's own: whatever follows is to be ignored. */
    }
    if (data[13] != V2_TCP4 && data[13] != V2_TCP6) {
        /* Another family or protocol: the specification has us take the connection's own address. */
        return (data[13] & 0xf0) <= 0x30 && (data[13] & 0x0f) <= 0x02 ? PROXY_WHOLE : PROXY_BAD;
    }
    const uint8_t *rest = data + V2_FIXED;
    size_t used = parse_addresses(rest, length, data[13] == V2_TCP6, ret);
    return used > 0 && parse_extras(rest + used, length - used, ret) ? PROXY_WHOLE : PROXY_BAD;
}

enum proxy_result proxy_parse(const void *data, size_t size_bytes, struct proxy_header *ret)
{
    *ret = (struct proxy_header){0};
    if (size_bytes == 0) {
        return PROXY_MORE;
    }
    if (begins(data, size_bytes, SIGNATURE, sizeof(SIGNATURE))) {
        return size_bytes < sizeof(SIGNATURE) ? PROXY_MORE : parse_v2(data, size_bytes, ret);
    }
    if (begins(data, size_bytes, "PROXY ", 6)) {
        return size_bytes < 6 ? PROXY_MORE : parse_v1(data, size_bytes, ret);
    }
    return PROXY_BAD;
}
