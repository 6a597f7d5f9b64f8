#include "serve/access.h"

#include "base/log.h"
#include "base/number.h"

#include <string.h>

enum { NS_PER_US = 1000 };

static struct log_field text_field(const char *key, struct text text)
{
    return LOG_FIELD_TEXT(key, text.data, text.size);
}

void access_log_exchange(const struct exchange *exchange)
{
    if (!exchange->logged || !log_enabled(LOG_INFO)) {
        return;
    }
    const struct request *request = &exchange->request;
    const char *exit_class = exchange->outcome.exit_class;
    if (exit_class == NULL) {
        exit_class = "-";
    }
    /* The path as sent: decoded it could be anything, and the query may hold secrets. */
    struct text path = request->target;
    if (request->query.data != NULL) {
        path.size -= request->query.size + 1;
    }
    char pid[20];
    uint64_t duration_ns = exchange->ended_ns - exchange->began_ns;
    struct log_field fields[] = {
        text_field("method", request->method_name),
        text_field("path", path),
        LOG_FIELD_NUMBER("status", exchange->sent_status),
        LOG_FIELD_NUMBER("bytes", exchange->sent_bytes),
        LOG_FIELD_NUMBER("duration_us", duration_ns / NS_PER_US),
        LOG_FIELD_STRING("id", request->id),
        LOG_FIELD_STRING("remote", request->remote),
        LOG_FIELD_STRING("class", exit_class),
        LOG_FIELD_STRING("sent", exchange->cut ? "cut" : "whole"),
        LOG_FIELD_TEXT("pid", pid, number_format(exchange->outcome.pid, pid)),
        LOG_FIELD_END,
    };
    if (exchange->outcome.pid == 0) {
        fields[ARRAY_LENGTH(fields) - 2] = LOG_FIELD_END;
    }
    log_write(LOG_INFO, "request", fields);
}

void access_log_refusal(unsigned status, const char *reason, const char *id, const char *remote)
{
    const struct log_field fields[] = {
        LOG_FIELD_NUMBER("status", status),
        LOG_FIELD_STRING("reason", reason),
        LOG_FIELD_STRING("id", id),
        LOG_FIELD_STRING("remote", remote),
        LOG_FIELD_END,
    };
    log_write(LOG_INFO, "refused", fields);
}
