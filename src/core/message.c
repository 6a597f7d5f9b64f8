#include "core/message.h"

#include "core/mailbox.h"

#include <stdlib.h>
#include <string.h>

struct payload *payload_create(const void *data, size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - sizeof(struct payload)) {
        return NULL;
    }
    struct payload *payload = malloc(sizeof(*payload) + size_bytes);
    if (payload == NULL) {
        return NULL;
    }
    atomic_init(&payload->holders, 1);
    payload->size_bytes = size_bytes;
    if (size_bytes > 0) {
        memcpy(payload->bytes, data, size_bytes);
    }
    return payload;
}

struct payload *payload_retain(struct payload *payload)
{
    atomic_fetch_add_explicit(&payload->holders, 1, memory_order_relaxed);
    return payload;
}

void payload_release(struct payload *payload)
{
    /* Release and acquire: whoever frees it comes after all who have read it. */
    if (payload != NULL &&
        atomic_fetch_sub_explicit(&payload->holders, 1, memory_order_acq_rel) == 1) {
        free(payload);
    }
}

static void message_entry_destroy(struct entry *entry)
{
    struct message *message = CONTAINER_OF(entry, struct message, entry);
    reason_release(message->reason);
    payload_release(message->shared);
    if (message->cargo != NULL) {
        message->cargo->destroy(message->cargo);
    }
    free(message);
}

/* With room for `body_bytes`, which are not initialised. */
static struct message *message_allocate(enum entry_kind entry_kind, enum message_kind kind,
                                        size_t body_bytes)
{
    struct message *message = malloc(sizeof(*message) + body_bytes);
    if (message != NULL) {
        *message = (struct message){
            .entry = {.kind = entry_kind, .destroy = message_entry_destroy},
            .kind = kind,
        };
    }
    return message;
}

struct message *message_create_shared(uint64_t sender, uint64_t label, struct payload *payload)
{
    if (payload->size_bytes > MAILBOX_BYTES_MAX) {
        return NULL;
    }
    struct message *message = message_allocate(ENTRY_MESSAGE, MESSAGE_SEND, 0);
    if (message != NULL) {
        message->sender = sender;
        message->label = label;
        message->shared = payload_retain(payload);
        message->size_bytes = payload->size_bytes;
    }
    return message;
}

struct message *message_create(uint64_t sender, uint64_t label, const void *body, size_t size_bytes)
{
    if (size_bytes > MAILBOX_BYTES_MAX) {
        return NULL;
    }
    if (size_bytes >= MESSAGE_SHARED_BYTES_MIN) {
        struct payload *payload = payload_create(body, size_bytes);
        if (payload == NULL) {
            return NULL;
        }
        struct message *message = message_create_shared(sender, label, payload);
        payload_release(payload);
        return message;
    }
    struct message *message = message_allocate(ENTRY_MESSAGE, MESSAGE_SEND, size_bytes);
    if (message != NULL) {
        message->sender = sender;
        message->label = label;
        message->size_bytes = size_bytes;
        if (size_bytes > 0) {
            memcpy(message->body, body, size_bytes);
        }
    }
    return message;
}

struct message *message_create_news(enum message_kind kind, size_t size_bytes)
{
    struct message *message = message_allocate(ENTRY_NEWS, kind, size_bytes);
    if (message != NULL) {
        message->size_bytes = size_bytes;
        memset(message->body, 0, size_bytes);
    }
    return message;
}

const void *message_data(const struct message *message, size_t *ret_size_bytes)
{
    switch (message->kind) {
    case MESSAGE_SEND:
    case MESSAGE_CALL:
    case MESSAGE_REPLY:
    case MESSAGE_TIMER:
    case MESSAGE_FRAME:
    case MESSAGE_CLOSE:
    case MESSAGE_CHANGED:
        *ret_size_bytes = message->size_bytes;
        return message->shared != NULL ? message->shared->bytes : message->body;
    case MESSAGE_DOWN:
    case MESSAGE_EXIT:
    case MESSAGE_STOP:
        INVARIANT(message->reason != NULL);
        *ret_size_bytes = message->reason->size_bytes;
        return message->reason->text;
    }
    BUG("message kind %d", (int)message->kind);
}

void message_destroy(struct message *message)
{
    if (message != NULL) {
        message->entry.destroy(&message->entry);
    }
}
