#include "serve/request_line.h"

#include "base/token.h"

#include <string.h>

enum { VERSION_BYTES = 8 };

enum http_method request_line_method(struct text name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {
        {"GET", METHOD_GET},         {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PUT", METHOD_PUT},         {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH},
        {"OPTIONS", METHOD_OPTIONS},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (text_equal(name, known[i].name)) {
            return known[i].method;
        }
    }
    return METHOD_OTHER;
}

static unsigned refuse(unsigned status, const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return status;
}

/* "HTTP/1.1"; a higher minor version is a client of ours still (RFC 9110, 2.5). */
static unsigned parse_version(const char *version, struct request_line *ret,
                              const char **ret_reason)
{
    if (memcmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' ||
        version[6] != '.' || version[7] < '0' || version[7] > '9') {
        return refuse(400, "bad request line", ret_reason);
    }
    if (version[5] != '1') {
        return refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here", ret_reason);
    }
    ret->minor_version = version[7] == '0' ? 0 : 1;
    return 200;
}

unsigned request_line_parse(struct text line, size_t target_bytes_max, struct request_line *ret,
                            const char **ret_reason)
{
    if (line.size == 0 || line.data[line.size - 1] != '\r') {
        return refuse(400, "line ends without CR", ret_reason);
    }
    line.size--;
    size_t method = 0;
    while (method < line.size && token_is_byte(line.data[method])) {
        method++;
    }
    if (method == 0 || method > REQUEST_LINE_METHOD_MAX || method == line.size ||
        line.data[method] != ' ') {
        return refuse(400, "bad method", ret_reason);
    }
    const char *target = line.data + method + 1;
    size_t rest = line.size - method - 1;
    const char *space = memchr(target, ' ', rest);
    if (space == NULL || rest - (size_t)(space - target) != VERSION_BYTES + 1) {
        return refuse(400, "bad request line", ret_reason);
    }
    ret->method_name = (struct text){line.data, method};
    ret->method = request_line_method(ret->method_name);
    ret->target = (struct text){target, (size_t)(space - target)};
    if (ret->target.size > target_bytes_max) {
        return refuse(414, "request target too long", ret_reason);
    }
    unsigned status = parse_version(space + 1, ret, ret_reason);
    if (status == 200 && text_equal(ret->method_name, "CONNECT")) {
        return refuse(501, "this is no proxy", ret_reason);
    }
    return status;
}
