#include "serve/head.h"

#include "base/number.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECOND_NS = 1000000000, FIXED_PARTS_BYTES = 320 };

const char *status_words(unsigned status)
{
    static const struct {
        unsigned status;
        const char *words;
    } known[] = {
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {418, "I'm a teapot"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
        {508, "Loop Detected"},
        {511, "Network Authentication Required"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (known[i].status == status) {
            return known[i].words;
        }
    }
    return "Status";
}

void date_refresh(struct date *date, struct env *env, uint64_t now_ns)
{
    if (LIKELY(now_ns < date->stale_ns)) {
        return;
    }
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t wall_ns = env->wall_ns(env);
    time_t seconds = (time_t)(wall_ns / SECOND_NS);
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL) {
        return; /* A year that no int holds: the old date is as good as any. */
    }
    int size = snprintf(date->line, sizeof(date->line),
                        "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday,
                        tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
                        tm.tm_min, tm.tm_sec);
    date->size = (size_t)size < sizeof(date->line) ? (size_t)size : 0;
    date->stale_ns = now_ns + SECOND_NS - wall_ns % SECOND_NS;
}

void id_format(uint64_t id, char ret[17])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--) {
        ret[i] = digits[id & 15];
        id >>= 4;
    }
    ret[16] = 0;
}

static char *put(char *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, uint64_t number)
{
    return at + number_format(number, at);
}

static char *put_status(char *at, unsigned status)
{
    if (LIKELY(status == 200)) {
        return PUT(at, "HTTP/1.1 200 OK\r\n");
    }
    const char *words = status_words(status);
    at = PUT(at, "HTTP/1.1 ");
    at = put_number(at, status);
    *at++ = ' ';
    at = put(at, words, strlen(words));
    return PUT(at, "\r\n");
}

static char *put_body(char *at, const struct head *head)
{
    switch (head->body) {
    case HEAD_BODY_SIZED:
        at = PUT(at, "Content-Length: ");
        at = put_number(at, head->length);
        return PUT(at, "\r\n");
    case HEAD_BODY_CHUNKED:
        return PUT(at, "Transfer-Encoding: chunked\r\n");
    case HEAD_BODY_NONE:
    case HEAD_BODY_CLOSE:
        return at;
    }
    BUG("head body %d", (int)head->body);
}

static char *put_upgrade(char *at, const struct head *head)
{
    at = PUT(at, "Upgrade\r\nUpgrade: ");
    at = put(at, head->upgrade, strlen(head->upgrade));
    return PUT(at, "\r\n");
}

static char *put_connection(char *at, const struct head *head)
{
    switch (head->connection) {
    case HEAD_CONNECTION_DEFAULT:
        return head->upgrade == NULL ? at : put_upgrade(PUT(at, "Connection: "), head);
    case HEAD_CONNECTION_CLOSE:
        return head->upgrade == NULL ? PUT(at, "Connection: close\r\n")
                                     : put_upgrade(PUT(at, "Connection: close, "), head);
    case HEAD_CONNECTION_KEEP:
        return PUT(at, "Connection: keep-alive\r\n");
    case HEAD_CONNECTION_UPGRADE:
        return put_upgrade(PUT(at, "Connection: "), head);
    }
    BUG("head connection %d", (int)head->connection);
}

bool head_write(struct bytes *out, const struct head *head, const struct date *date)
{
    if (!bytes_reserve(out, head->lines.size + head->fixed.size + FIXED_PARTS_BYTES)) {
        return false;
    }
    char *begin = (char *)out->data + out->size;
    char *at = put_status(begin, head->status);
    if (!head->has_date) {
        at = put(at, date->line, date->size);
    }
    if (!head->has_server) {
        at = PUT(at, "Server: mote\r\n");
    }
    if (head->id != NULL) {
        at = PUT(at, "X-Request-Id: ");
        at = put(at, head->id, 16);
        at = PUT(at, "\r\n");
    }
    at = put_connection(at, head);
    at = put_body(at, head);
    if (head->retry_after_s > 0) {
        at = PUT(at, "Retry-After: ");
        at = put_number(at, head->retry_after_s);
        at = PUT(at, "\r\n");
    }
    if (head->lines.size > 0) {
        at = put(at, head->lines.data, head->lines.size);
    }
    if (head->fixed.size > 0) {
        at = put(at, head->fixed.data, head->fixed.size);
    }
    at = PUT(at, "\r\n");
    out->size += (size_t)(at - begin);
    return true;
}
