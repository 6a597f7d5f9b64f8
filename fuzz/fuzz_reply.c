/* Any bytes are an answer as guests made for RUSM give it, or none; what was read lies where it should. Of any JSON all values
 * can be found again. */
#include "base/json_reader.h"
#include "serve/rusm_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* Strings are read as well. */
static size_t look_at(const struct json_value *value, unsigned depth)
{
    AUTO(bytes_finip) struct bytes text = {0};
    struct json_walk walk = {.of = *value};
    struct json_value key, one;
    size_t sum = 1;
    INVARIANT(depth <= JSON_DEPTH_MAX + 1);
    if (value->kind == JSON_STRING) {
        INVARIANT(json_append_string(value, &text) && text.size <= value->size);
    }
    while (json_next(&walk, &key, &one)) {
        INVARIANT(one.text > value->text && one.text + one.size < value->text + value->size);
        sum += look_at(&one, depth + 1);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rusm_reply reply = {0};
    struct json_value value;
    const char *why = NULL;
    enum rusm_reply_result result = rusm_reply_read(&reply, data, size_bytes, &why);
    INVARIANT((result == RUSM_REPLY_MALFORMED) == (why != NULL));
    if (result == RUSM_REPLY_GOOD) {
        INVARIANT(json_read(data, size_bytes, &value));
        INVARIANT(reply.status <= 999 && reply.body.size <= size_bytes);
        for (size_t i = 0; i < reply.header_count; i++) {
            const char *end = (const char *)reply.texts.data + reply.texts.size;
            INVARIANT(reply.headers[i].value.data + reply.headers[i].value.size <= end);
        }
    }
    if (json_read(data, size_bytes, &value)) {
        INVARIANT(look_at(&value, 0) <= size_bytes);
    }
    rusm_reply_fini(&reply);
    return 0;
}
