#include "serve/rusm_wire.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/json_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the request ---- */

static void write_pair(struct json *json, struct text name, struct text value)
{
    json_open(json, NULL, '[');
    json_text(json, NULL, name.data, name.size);
    json_text(json, NULL, value.data, value.size);
    json_close(json, ']');
}

enum { NAME_BYTES_MAX = 256 };

/* Names in small letters, which is how their guests look for them. */
static void write_header(struct json *json, const struct header *header)
{
    char name[NAME_BYTES_MAX];
    size_t size = header->name.size < sizeof name ? header->name.size : sizeof name;
    for (size_t i = 0; i < size; i++) {
        char c = header->name.data[i];
        name[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    write_pair(json, (struct text){name, size}, header->value);
}

bool rusm_request_begin(struct rusm_request *writer, uint64_t from, const char *action,
                        const struct request *request)
{
    static const char body[] = ",\"body\":\"";
    char pid[24];
    snprintf(pid, sizeof pid, "%llu", (unsigned long long)from);
    struct json json = {.to = writer->to};
    json_open(&json, NULL, '{');
    json_string(&json, "op", "fetch");
    json_number(&json, "ref", 0);
    json_string(&json, "from", pid);
    json_string(&json, "action", action);
    json_open(&json, "params", '[');
    for (size_t i = 0; i < request->param_count; i++) {
        write_pair(&json, request->params[i].name, request->params[i].value);
    }
    json_close(&json, ']');
    json_open(&json, "request", '{');
    json_text(&json, "method", request->method_name.data, request->method_name.size);
    json_text(&json, "url", request->target.data, request->target.size);
    json_open(&json, "headers", '[');
    for (size_t i = 0; i < request->header_count; i++) {
        write_header(&json, &request->headers[i]);
    }
    json_close(&json, ']');
    return json_done(&json) && bytes_append(writer->to, body, sizeof body - 1);
}

static bool append_encoded(struct bytes *to, const void *data, size_t size_bytes)
{
    size_t size = base64_encoded_size(size_bytes);
    if (!bytes_reserve(to, size)) {
        return false;
    }
    base64_encode(data, size_bytes, (char *)to->data + to->size);
    to->size += size;
    return true;
}

bool rusm_request_body(struct rusm_request *writer, const void *data, size_t size_bytes)
{
    const uint8_t *at = data;
    while (writer->rest_bytes > 0 && writer->rest_bytes < 3 && size_bytes > 0) {
        writer->rest[writer->rest_bytes++] = *at++;
        size_bytes--;
    }
    if (writer->rest_bytes == 3) {
        writer->rest_bytes = 0;
        if (!append_encoded(writer->to, writer->rest, 3)) {
            return false;
        }
    }
    size_t rest = size_bytes % 3;
    if (!append_encoded(writer->to, at, size_bytes - rest)) {
        return false;
    }
    for (size_t i = 0; i < rest; i++) {
        writer->rest[writer->rest_bytes++] = at[size_bytes - rest + i];
    }
    return true;
}

bool rusm_request_end(struct rusm_request *writer)
{
    return append_encoded(writer->to, writer->rest, writer->rest_bytes) &&
           bytes_append(writer->to, "\"}}", 3);
}

/* ---- the answer ---- */

void rusm_reply_fini(struct rusm_reply *reply)
{
    free(TAKE(reply->headers));
    bytes_fini(&reply->texts);
    bytes_fini(&reply->body);
}

static enum rusm_reply_result malformed(const char **ret_why, const char *why)
{
    *ret_why = why;
    return RUSM_REPLY_MALFORMED;
}

/* Two strings. */
static bool read_pair(const struct json_value *pair, struct json_value ret[2])
{
    struct json_walk walk = {.of = *pair};
    struct json_value more;
    return pair->kind == JSON_ARRAY && json_next(&walk, NULL, &ret[0]) &&
           json_next(&walk, NULL, &ret[1]) && !json_next(&walk, NULL, &more) &&
           ret[0].kind == JSON_STRING && ret[1].kind == JSON_STRING;
}

/* `texts` moves while it grows: places first. */
static bool settle_headers(struct rusm_reply *reply, const size_t ends[], size_t count)
{
    reply->headers = calloc(count + 1, sizeof *reply->headers);
    if (reply->headers == NULL) {
        return false;
    }
    reply->header_count = count;
    const char *base = (const char *)reply->texts.data;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct header *header = &reply->headers[i];
        header->name = (struct text){base + at, ends[2 * i] - at};
        header->value = (struct text){base + ends[2 * i], ends[2 * i + 1] - ends[2 * i]};
        at = ends[2 * i + 1];
    }
    return true;
}

static enum rusm_reply_result read_headers(struct rusm_reply *reply, const struct json_value *list,
                                           const char **ret_why)
{
    size_t ends[2 * RUSM_HEADERS_MAX] = {0};
    size_t count = 0;
    struct json_walk walk = {.of = *list};
    struct json_value pair, texts[2];
    if (list->kind != JSON_ARRAY) {
        return malformed(ret_why, "its headers are no array");
    }
    while (json_next(&walk, NULL, &pair)) {
        if (!read_pair(&pair, texts)) {
            return malformed(ret_why, "a header of it is no pair of texts");
        }
        if (count == RUSM_HEADERS_MAX) {
            return malformed(ret_why, "it has more than 128 headers");
        }
        for (unsigned i = 0; i < 2; i++) {
            if (!json_append_string(&texts[i], &reply->texts)) {
                return RUSM_REPLY_NO_MEMORY;
            }
            ends[2 * count + i] = reply->texts.size;
        }
        count++;
    }
    return settle_headers(reply, ends, count) ? RUSM_REPLY_GOOD : RUSM_REPLY_NO_MEMORY;
}

static enum rusm_reply_result read_body(struct rusm_reply *reply, const struct json_value *text,
                                        const char **ret_why)
{
    if (text->kind != JSON_STRING) {
        return malformed(ret_why, "its body is no text");
    }
    if (!bytes_reserve(&reply->body, text->size) || !json_append_string(text, &reply->body)) {
        return RUSM_REPLY_NO_MEMORY;
    }
    size_t size = 0;
    if (reply->body.size > 0 &&
        !base64_decode((const char *)reply->body.data, reply->body.size, reply->body.data, &size)) {
        return malformed(ret_why, "its body is no base64");
    }
    reply->body.size = size;
    return RUSM_REPLY_GOOD;
}

static enum rusm_reply_result read_answer(struct rusm_reply *reply, const struct json_value *answer,
                                          const char **ret_why)
{
    struct json_value part;
    uint64_t status = 0;
    enum { STATUS_MAX = 999 };
    if (answer->kind != JSON_OBJECT) {
        return malformed(ret_why, "its \"ok\" is no object");
    }
    if (!json_find(answer, "status", &part) || !json_whole(&part, STATUS_MAX, &status) ||
        status == 0) {
        return malformed(ret_why, "it has no status");
    }
    enum rusm_reply_result result = RUSM_REPLY_GOOD;
    if (json_find(answer, "headers", &part)) {
        result = read_headers(reply, &part, ret_why);
    }
    if (result == RUSM_REPLY_GOOD && json_find(answer, "body", &part)) {
        result = read_body(reply, &part, ret_why);
    }
    reply->status = (unsigned)status;
    return result;
}

enum rusm_reply_result rusm_reply_read(struct rusm_reply *reply, const void *text,
                                       size_t size_bytes, const char **ret_why)
{
    struct json_value whole, part;
    if (!json_read(text, size_bytes, &whole) || whole.kind != JSON_OBJECT) {
        return malformed(ret_why, "it is no JSON object");
    }
    if (json_find(&whole, "err", &part) && part.kind == JSON_STRING) {
        return json_append_string(&part, &reply->texts) ? RUSM_REPLY_GOOD : RUSM_REPLY_NO_MEMORY;
    }
    if (!json_find(&whole, "ok", &part) || part.kind == JSON_NULL) {
        return malformed(ret_why, "it has neither \"ok\" nor \"err\"");
    }
    return read_answer(reply, &part, ret_why);
}
