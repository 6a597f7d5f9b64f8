#include "core/mailbox.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t ONE_MESSAGE = (uint64_t)1 << MAILBOX_BYTES_BITS;
static const uint64_t MESSAGES_MAX = ((uint64_t)1 << MAILBOX_MESSAGES_BITS) - 1;
static const uint64_t BYTES_MAX = ((uint64_t)1 << MAILBOX_BYTES_BITS) - 1;

/* What `inbox` points to once the owner has exited. */
static struct entry closed;

static void message_entry_destroy(struct entry *entry)
{
    message_destroy(CONTAINER_OF(entry, struct message, entry));
}

struct message *message_create(uint64_t sender, uint64_t label, const void *body, size_t size_bytes)
{
    if (size_bytes > BYTES_MAX) {
        return NULL;
    }
    struct message *message = malloc(sizeof(*message) + size_bytes);
    if (message == NULL) {
        return NULL;
    }
    *message = (struct message){
        .entry = {.kind = ENTRY_MESSAGE, .destroy = message_entry_destroy},
        .sender = sender,
        .label = label,
        .size_bytes = size_bytes,
    };
    if (size_bytes > 0) {
        memcpy(message->body, body, size_bytes);
    }
    return message;
}

void message_destroy(struct message *message)
{
    free(message);
}

void mailbox_init(struct mailbox *mailbox, struct mailbox_limits limits)
{
    if (limits.messages == 0 || limits.messages > MESSAGES_MAX) {
        limits.messages = (uint32_t)MESSAGES_MAX;
    }
    if (limits.bytes == 0 || limits.bytes > BYTES_MAX) {
        limits.bytes = BYTES_MAX;
    }
    atomic_init(&mailbox->inbox, NULL);
    atomic_init(&mailbox->load, 0);
    mailbox->limits = limits;
    mailbox->ready_first = mailbox->ready_last = NULL;
}

static uint64_t load_of(struct entry *entry)
{
    if (entry->kind != ENTRY_MESSAGE) {
        return 0;
    }
    return ONE_MESSAGE + CONTAINER_OF(entry, struct message, entry)->size_bytes;
}

/* Set room aside for a message. */
static bool mailbox_reserve(struct mailbox *mailbox, uint64_t more)
{
    uint64_t load = atomic_load_explicit(&mailbox->load, memory_order_relaxed);
    do {
        if (load >> MAILBOX_BYTES_BITS >= mailbox->limits.messages ||
            (more & BYTES_MAX) > mailbox->limits.bytes ||
            (load & BYTES_MAX) > mailbox->limits.bytes - (more & BYTES_MAX)) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->load, &load, load + more,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

enum push_result mailbox_push(struct mailbox *mailbox, struct entry *entry)
{
    uint64_t more = load_of(entry);
    struct entry *newest = atomic_load_explicit(&mailbox->inbox, memory_order_relaxed);
    if (newest == &closed) {
        return PUSH_CLOSED;
    }
    if (more != 0 && !mailbox_reserve(mailbox, more)) {
        return PUSH_FULL;
    }
    do {
        if (newest == &closed) {
            atomic_fetch_sub_explicit(&mailbox->load, more, memory_order_relaxed);
            return PUSH_CLOSED;
        }
        entry->next = newest;
        /* Release: what the entry says, and `next`, pair with the acquire in mailbox_collect(). */
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->inbox, &newest, entry,
                                                    memory_order_release, memory_order_relaxed));
    return PUSH_ACCEPTED;
}

/* Put a chain that begins with its newest entry behind the private list, oldest first. */
static void mailbox_collect(struct mailbox *mailbox, struct entry *newest)
{
    struct entry *last = newest;
    struct entry *first = NULL;
    while (newest != NULL) {
        struct entry *older = newest->next;
        newest->next = first;
        first = newest;
        newest = older;
    }
    if (first == NULL) {
        return;
    }
    if (mailbox->ready_last == NULL) {
        mailbox->ready_first = first;
    } else {
        mailbox->ready_last->next = first;
    }
    mailbox->ready_last = last;
}

static struct entry *mailbox_take_ready(struct mailbox *mailbox)
{
    struct entry *entry = mailbox->ready_first;
    if (entry == NULL) {
        return NULL;
    }
    mailbox->ready_first = entry->next;
    if (entry->next == NULL) {
        mailbox->ready_last = NULL;
    }
    entry->next = NULL;
    uint64_t less = load_of(entry);
    if (less != 0) {
        atomic_fetch_sub_explicit(&mailbox->load, less, memory_order_relaxed);
    }
    return entry;
}

struct entry *mailbox_take(struct mailbox *mailbox)
{
    if (mailbox->ready_first == NULL) {
        struct entry *newest = atomic_load_explicit(&mailbox->inbox, memory_order_relaxed);
        if (newest == NULL || newest == &closed) {
            return NULL;
        }
        mailbox_collect(mailbox,
                        atomic_exchange_explicit(&mailbox->inbox, NULL, memory_order_acquire));
    }
    return mailbox_take_ready(mailbox);
}

bool mailbox_has_mail(const struct mailbox *mailbox)
{
    if (mailbox->ready_first != NULL) {
        return true;
    }
    struct entry *newest = atomic_load_explicit(&mailbox->inbox, memory_order_relaxed);
    return newest != NULL && newest != &closed;
}

void mailbox_close(struct mailbox *mailbox)
{
    struct entry *newest = atomic_exchange_explicit(&mailbox->inbox, &closed, memory_order_acquire);
    if (newest == &closed) {
        return;
    }
    mailbox_collect(mailbox, newest);
    for (;;) {
        struct entry *entry = mailbox_take_ready(mailbox);
        if (entry == NULL) {
            return;
        }
        entry->destroy(entry);
    }
}
