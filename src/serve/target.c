#include "serve/target.h"

#include "serve/percent.h"

#include <string.h>

/* Visible ASCII without "#": stricter than many servers about bytes above 127, which clients have
 * to encode, and lenient about "|" and the like, which some of them do not. */
static bool is_target_byte(char byte)
{
    return byte > ' ' && byte < 0x7f && byte != '#';
}

static bool is_scheme(struct text raw, const char *scheme, size_t scheme_bytes)
{
    return raw.size >= scheme_bytes &&
           text_equal_nocase((struct text){raw.data, scheme_bytes}, scheme, scheme_bytes);
}

static struct text text_from(struct text text, size_t from)
{
    return (struct text){text.data + from, text.size - from};
}

static bool split_absolute(struct text raw, bool options, struct target *ret)
{
    size_t skip = is_scheme(raw, "http://", 7) ? 7 : is_scheme(raw, "https://", 8) ? 8 : 0;
    if (skip == 0) {
        return false;
    }
    struct text rest = text_from(raw, skip);
    size_t size = 0;
    while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?') {
        size++;
    }
    ret->authority = (struct text){rest.data, size};
    ret->origin = text_from(rest, size);
    if (ret->origin.size == 0) {
        ret->origin = options ? (struct text){"*", 1} : (struct text){"/", 1};
    }
    /* "http://host?query" has no path to put before its query. */
    return ret->origin.data[0] != '?' && authority_is_valid(ret->authority);
}

bool target_split(struct text raw, bool options, struct target *ret)
{
    *ret = (struct target){.origin = raw};
    for (size_t i = 0; i < raw.size; i++) {
        if (!is_target_byte(raw.data[i])) {
            return false;
        }
    }
    if (raw.size == 0) {
        return false;
    }
    if (raw.data[0] != '/' && !(options && raw.size == 1 && raw.data[0] == '*') &&
        !split_absolute(raw, options, ret)) {
        return false;
    }
    struct text origin = ret->origin;
    const char *mark = memchr(origin.data, '?', origin.size);
    size_t path_size = mark == NULL ? origin.size : (size_t)(mark - origin.data);
    ret->path = (struct text){origin.data, path_size};
    if (mark != NULL) {
        ret->query = text_from(origin, path_size + 1);
    }
    return true;
}

static bool has_dot_dot(const char *path, size_t size)
{
    size_t begin = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && path[i] != '/') {
            continue;
        }
        if (i - begin == 2 && path[begin] == '.' && path[begin + 1] == '.') {
            return true;
        }
        begin = i + 1;
    }
    return false;
}

int64_t target_decode_path(struct text path, char *ret)
{
    int64_t size = percent_decode_path(path, ret);
    if (size > 1 && memchr(ret, '.', (size_t)size) != NULL && has_dot_dot(ret, (size_t)size)) {
        return -1;
    }
    return size;
}

/* unreserved, sub-delims and "%" of reg-name (RFC 3986, 3.2.2). */
static bool is_host_byte(char byte)
{
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
        (byte >= '0' && byte <= '9')) {
        return true;
    }
    return byte != 0 && strchr("-._~!$&'()*+,;=%", byte) != NULL;
}

static bool is_v6_byte(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
           (byte >= 'A' && byte <= 'F') || byte == ':' || byte == '.';
}

bool authority_is_valid(struct text authority)
{
    size_t at = 0;
    if (authority.size > 0 && authority.data[0] == '[') {
        at = 1;
        while (at < authority.size && is_v6_byte(authority.data[at])) {
            at++;
        }
        if (at < 3 || at == authority.size || authority.data[at] != ']') {
            return false;
        }
        at++;
    } else {
        while (at < authority.size && is_host_byte(authority.data[at])) {
            at++;
        }
        if (at == 0) {
            return false;
        }
    }
    if (at == authority.size) {
        return true;
    }
    size_t digits = authority.size - at - 1;
    if (authority.data[at] != ':' || digits > 5) {
        return false;
    }
    for (at++; at < authority.size; at++) {
        if (authority.data[at] < '0' || authority.data[at] > '9') {
            return false;
        }
    }
    return true;
}
