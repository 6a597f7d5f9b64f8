#include "serve/forwarded.h"

#include "base/token.h"

#include <string.h>

enum { HOPS_MAX = 32 };

/* What one proxy has added. Empty texts: not told. */
struct hop {
    struct text client, scheme;
};

/* The hops of one kind of header, leftmost first. Of too many only the last ones count. */
struct hops {
    struct hop items[HOPS_MAX];
    size_t count; /* ever added */
};

static struct hop *hop_at(struct hops *hops, size_t index)
{
    return &hops->items[index % HOPS_MAX];
}

static size_t first_kept(const struct hops *hops)
{
    return hops->count > HOPS_MAX ? hops->count - HOPS_MAX : 0;
}

static void add_hop(struct hops *hops, struct hop hop)
{
    *hop_at(hops, hops->count++) = hop;
}

static struct text trim(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t')) {
        begin++;
    }
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return (struct text){begin, (size_t)(end - begin)};
}

/* ---- Lists of plain words ---- */

/* Elements of a comma-separated list. Empty ones do not count (RFC 9110, 5.6.1). */
static bool next_element(const char **at, const char *end, struct text *ret)
{
    while (*at < end) {
        const char *comma = memchr(*at, ',', (size_t)(end - *at));
        const char *stop = comma == NULL ? end : comma;
        *ret = trim(*at, stop);
        *at = comma == NULL ? end : comma + 1;
        if (ret->size > 0) {
            return true;
        }
    }
    return false;
}

static void read_plain(const struct request *request, const char *name, bool is_client,
                       struct hops *ret)
{
    size_t name_size = strlen(name);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        if (!text_equal_nocase(header->name, name, name_size) || header->value.size == 0) {
            continue;
        }
        const char *at = header->value.data, *end = at + header->value.size;
        struct text element;
        while (next_element(&at, end, &element)) {
            struct hop hop = {0};
            *(is_client ? &hop.client : &hop.scheme) = element;
            add_hop(ret, hop);
        }
    }
}

/* ---- Forwarded (RFC 7239, 4) ---- */

static void skip_space(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t')) {
        (*at)++;
    }
}

static struct text take_token(const char **at, const char *end)
{
    const char *begin = *at;
    while (*at < end && token_is_byte(**at)) {
        (*at)++;
    }
    return (struct text){begin, (size_t)(*at - begin)};
}

/* A token or a quoted string, the latter without its quotes. No value that means something has a backslash
 * in it, so those are not undone. */
static bool take_value(const char **at, const char *end, struct text *ret)
{
    if (*at == end || **at != '"') {
        *ret = take_token(at, end);
        return ret->size > 0;
    }
    const char *begin = ++*at;
    while (*at < end && **at != '"') {
        *at += **at == '\\' && end - *at > 1 ? 2 : 1;
    }
    if (*at == end) {
        return false;
    }
    *ret = (struct text){begin, (size_t)(*at - begin)};
    (*at)++;
    return true;
}

/* One pair of an element. A parameter that stands there twice is an error. */
static bool take_pair(const char **at, const char *end, struct hop *hop)
{
    struct text name = take_token(at, end), value = {0};
    if (name.size == 0 || *at == end || **at != '=') {
        return false;
    }
    (*at)++;
    if (!take_value(at, end, &value)) {
        return false;
    }
    struct text *slot = text_equal_nocase(name, "for", 3)     ? &hop->client
                        : text_equal_nocase(name, "proto", 5) ? &hop->scheme
                                                              : NULL;
    if (slot != NULL) {
        if (slot->data != NULL) {
            return false;
        }
        *slot = value;
    }
    return true;
}

static bool read_forwarded_value(struct text value, struct hops *ret)
{
    const char *at = value.data, *end = at + value.size;
    while (at < end) {
        struct hop hop = {0};
        bool empty = true;
        for (;;) {
            skip_space(&at, end);
            if (at < end && *at != ',' && *at != ';') {
                if (!take_pair(&at, end, &hop)) {
                    return false;
                }
                empty = false;
                skip_space(&at, end);
            }
            if (at == end || *at != ';') {
                break;
            }
            at++;
        }
        if (at < end && *at++ != ',') {
            return false;
        }
        if (!empty) {
            add_hop(ret, hop);
        }
    }
    return true;
}

static bool read_forwarded(const struct request *request, struct hops *ret)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        if (text_equal_nocase(header->name, "forwarded", 9) && header->value.size > 0 &&
            !read_forwarded_value(header->value, ret)) {
            return false;
        }
    }
    return true;
}

/* ---- Who it is ---- */

/* What a request's headers come to. */
struct origin {
    bool known;
    struct ip ip;
    uint16_t port;
    size_t index; /* of the hop that tells it */
};

static bool is_trusted(const struct forwarders *forwarders, const struct ip *ip)
{
    for (size_t i = 0; i < forwarders->count; i++) {
        if (cidr_holds(&forwarders->blocks[i], ip)) {
            return true;
        }
    }
    return false;
}

/* "unknown", or a name that the proxy has made up to hide the client (RFC 7239, 6.2 and 6.3). */
static bool is_hidden(struct text client)
{
    return client.size == 0 || client.data[0] == '_' || text_equal_nocase(client, "unknown", 7);
}

/* False: malformed. */
static bool find_origin(struct hops *hops, const struct forwarders *forwarders, struct origin *ret)
{
    *ret = (struct origin){.index = hops->count};
    while (ret->index > first_kept(hops)) {
        struct text client = hop_at(hops, ret->index - 1)->client;
        if (is_hidden(client)) {
            ret->index--; /* The last proxy that is known stands for whom it hides. */
            return true;
        }
        if (!ip_parse_endpoint(client.data, client.size, &ret->ip, &ret->port)) {
            return false;
        }
        ret->known = true;
        ret->index--;
        if (!is_trusted(forwarders, &ret->ip)) {
            return true;
        }
    }
    return true;
}

/* False: no scheme that can be. */
static bool apply_scheme(struct request *request, struct text scheme)
{
    bool secure = text_equal_nocase(scheme, "https", 5) || text_equal_nocase(scheme, "wss", 3);
    if (!secure && !text_equal_nocase(scheme, "http", 4) && !text_equal_nocase(scheme, "ws", 2)) {
        return false;
    }
    request->secure = secure;
    return true;
}

/* Of the list that proxies add to as well: what the one said that saw the client. A list with fewer elements was
 * replaced on its way, and its first one counts. */
static struct text scheme_of(struct hops *schemes, size_t from_right)
{
    size_t index = schemes->count > from_right ? schemes->count - 1 - from_right : 0;
    if (index < first_kept(schemes)) {
        index = first_kept(schemes);
    }
    return hop_at(schemes, index)->scheme;
}

const char *forwarded_apply(struct request *request, const struct forwarders *forwarders)
{
    struct hops standard, plain, schemes;
    struct origin by_standard, by_plain;
    standard.count = plain.count = schemes.count = 0;
    read_plain(request, "x-forwarded-for", true, &plain);
    read_plain(request, "x-forwarded-proto", false, &schemes);
    if (!read_forwarded(request, &standard) || !find_origin(&standard, forwarders, &by_standard)) {
        return "the Forwarded header is malformed";
    }
    if (!find_origin(&plain, forwarders, &by_plain)) {
        return "the X-Forwarded-For header is malformed";
    }
    /* A proxy that knows one of them lets the other through as the client has made it up. */
    if (standard.count > 0 && plain.count > 0 &&
        (by_standard.known != by_plain.known ||
         memcmp(&by_standard.ip, &by_plain.ip, sizeof(struct ip)) != 0)) {
        return "the headers Forwarded and X-Forwarded-For contradict each other";
    }
    const struct origin *origin = standard.count > 0 ? &by_standard : &by_plain;
    if (origin->known) {
        ip_format_endpoint(&origin->ip, origin->port, request->remote);
    }
    struct text scheme = {0};
    if (standard.count > 0 && origin->index < standard.count) {
        scheme = hop_at(&standard, origin->index)->scheme;
    }
    if (scheme.size == 0 && schemes.count > 0) {
        size_t hops = plain.count > 0 ? plain.count : standard.count;
        const struct origin *who = plain.count > 0 ? &by_plain : &by_standard;
        scheme = scheme_of(&schemes, hops > who->index ? hops - who->index - 1 : 0);
    }
    if (scheme.size > 0 && !apply_scheme(request, scheme)) {
        return "the header about the client's protocol is malformed";
    }
    return NULL;
}
