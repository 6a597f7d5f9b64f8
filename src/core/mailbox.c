#include "core/mailbox.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t ONE_MESSAGE = (uint64_t)1 << MAILBOX_BYTES_BITS;
static const uint64_t MESSAGES_MAX = ((uint64_t)1 << MAILBOX_MESSAGES_BITS) - 1;

/* What `inbox` points to once the owner has exited. */
static struct entry closed;

void mailbox_init(struct mailbox *mailbox, struct mailbox_limits limits)
{
    if (limits.messages == 0 || limits.messages > MESSAGES_MAX) {
        limits.messages = (uint32_t)MESSAGES_MAX;
    }
    if (limits.bytes == 0 || limits.bytes > MAILBOX_BYTES_MAX) {
        limits.bytes = MAILBOX_BYTES_MAX;
    }
    atomic_init(&mailbox->inbox, NULL);
    atomic_init(&mailbox->load, 0);
    atomic_init(&mailbox->answers, 0);
    mailbox->limits = limits;
    mailbox->ready_first = mailbox->ready_last = NULL;
    mailbox->news_messages = 0;
    mailbox->news_bytes = 0;
    mailbox->passed = mailbox->marked = NULL;
    mailbox->filter.kinds = mailbox->filter.labels = 0;
    mailbox->filter.reference = 0;
    mailbox->filter.label = NULL;
    mailbox->marked_reference = 0;
}

static struct message *message_of(struct entry *entry)
{
    return CONTAINER_OF(entry, struct message, entry);
}

static uint64_t bytes_of(const struct message *message)
{
    return message->size_bytes + (message->cargo != NULL ? message->cargo->holds_bytes : 0);
}

static uint64_t load_of(struct entry *entry)
{
    return entry->kind == ENTRY_MESSAGE ? ONE_MESSAGE + bytes_of(message_of(entry)) : 0;
}

/* What its maker does not bound, so that its receiver has to answer for what it leaves unread. */
static bool counts_as_news(struct entry *entry)
{
    return entry->kind == ENTRY_NEWS && message_of(entry)->kind != MESSAGE_FRAME;
}

/* Set room aside for a message. */
static bool mailbox_reserve(struct mailbox *mailbox, uint64_t more)
{
    uint64_t load = atomic_load_explicit(&mailbox->load, memory_order_relaxed);
    do {
        if (load >> MAILBOX_BYTES_BITS >= mailbox->limits.messages ||
            (more & MAILBOX_BYTES_MAX) > mailbox->limits.bytes ||
            (load & MAILBOX_BYTES_MAX) > mailbox->limits.bytes - (more & MAILBOX_BYTES_MAX)) {
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

/* Oldest first. */
static struct entry *chain_reverse(struct entry *newest)
{
    struct entry *first = NULL;
    while (newest != NULL) {
        struct entry *older = newest->next;
        newest->next = first;
        first = newest;
        newest = older;
    }
    return first;
}

bool mailbox_has_arrivals(const struct mailbox *mailbox)
{
    struct entry *newest = atomic_load_explicit(&mailbox->inbox, memory_order_relaxed);
    return newest != NULL && newest != &closed;
}

struct entry *mailbox_collect(struct mailbox *mailbox)
{
    if (!mailbox_has_arrivals(mailbox)) {
        return NULL;
    }
    return chain_reverse(atomic_exchange_explicit(&mailbox->inbox, NULL, memory_order_acquire));
}

void mailbox_append(struct mailbox *mailbox, struct message *message)
{
    struct entry *entry = &message->entry;
    INVARIANT(entry->kind != ENTRY_SIGNAL);
    entry->next = NULL;
    if (counts_as_news(entry)) {
        mailbox->news_messages++;
        mailbox->news_bytes += bytes_of(message);
    }
    if (mailbox->ready_last == NULL) {
        mailbox->ready_first = entry;
    } else {
        mailbox->ready_last->next = entry;
    }
    mailbox->ready_last = entry;
}

/* Even a small mailbox takes the answers to a few calls. */
enum { NEWS_BYTES_MIN = 16 << 20 };

bool mailbox_overflows(const struct mailbox *mailbox, uint64_t more_messages)
{
    return mailbox->news_messages > mailbox->limits.messages + more_messages ||
           mailbox->news_bytes > mailbox->limits.bytes + NEWS_BYTES_MIN;
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

bool mailbox_expect_answer(struct mailbox *mailbox, const struct message *answer,
                           uint64_t more_messages)
{
    uint64_t bytes = bytes_of(answer);
    uint64_t most = at_most(mailbox->limits.messages + more_messages, MESSAGES_MAX);
    uint64_t most_bytes = at_most(mailbox->limits.bytes + NEWS_BYTES_MIN, MAILBOX_BYTES_MAX);
    uint64_t load = atomic_load_explicit(&mailbox->answers, memory_order_relaxed);
    do {
        if (load >> MAILBOX_BYTES_BITS >= most || bytes > most_bytes ||
            (load & MAILBOX_BYTES_MAX) > most_bytes - bytes) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->answers, &load,
                                                    load + ONE_MESSAGE + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void mailbox_forget_answer(struct mailbox *mailbox, const struct message *answer)
{
    atomic_fetch_sub_explicit(&mailbox->answers, ONE_MESSAGE + bytes_of(answer),
                              memory_order_relaxed);
}

static bool filter_takes_label(const struct mailbox_filter *filter, uint64_t label)
{
    for (uint32_t i = 0; i < filter->labels; i++) {
        if (filter->label[i] == label) {
            return true;
        }
    }
    return filter->labels == 0;
}

static bool filter_matches(const struct mailbox_filter *filter, const struct message *message)
{
    if (filter->kinds != 0 && (filter->kinds >> message->kind & 1) == 0) {
        return false;
    }
    if (filter->reference != 0 &&
        (message->kind == MESSAGE_CALL || message->reference != filter->reference)) {
        return false;
    }
    bool labelled = message->kind == MESSAGE_SEND || message->kind == MESSAGE_CALL;
    return !labelled || filter_takes_label(filter, message->label);
}

/* Whether this is the filter of the last receive. */
static bool mailbox_knows(const struct mailbox *mailbox, const struct mailbox_filter *filter)
{
    if (mailbox->filter.kinds != filter->kinds || mailbox->filter.reference != filter->reference ||
        mailbox->filter.labels != filter->labels) {
        return false;
    }
    for (uint32_t i = 0; i < filter->labels; i++) {
        if (mailbox->filter.label[i] != filter->label[i]) {
            return false;
        }
    }
    return true;
}

/* Remember a filter, or, without memory for its labels, none: then the next receive begins anew. */
static void mailbox_remember(struct mailbox *mailbox, const struct mailbox_filter *filter)
{
    if (filter->labels > 0 && mailbox->filter.label == NULL) {
        mailbox->filter.label = malloc(sizeof(filter->label));
    }
    bool can = filter->labels == 0 || mailbox->filter.label != NULL;
    mailbox->filter.kinds = can ? filter->kinds : 0;
    mailbox->filter.reference = can ? filter->reference : 0;
    mailbox->filter.labels = can ? filter->labels : 0;
    if (can && filter->labels > 0) {
        memcpy(mailbox->filter.label, filter->label, filter->labels * sizeof(filter->label[0]));
    }
}

/* Take out what comes after `before` (NULL: the first one). */
static struct message *mailbox_take_after(struct mailbox *mailbox, struct entry *before)
{
    struct entry **link = before == NULL ? &mailbox->ready_first : &before->next;
    struct entry *entry = *link;
    *link = entry->next;
    if (mailbox->ready_last == entry) {
        mailbox->ready_last = before;
    }
    if (mailbox->passed == entry) {
        mailbox->passed = before;
    }
    if (mailbox->marked == entry) {
        mailbox->marked = before;
    }
    entry->next = NULL;
    uint64_t less = load_of(entry);
    if (counts_as_news(entry)) {
        mailbox->news_messages--;
        mailbox->news_bytes -= bytes_of(message_of(entry));
    } else if (less != 0) {
        atomic_fetch_sub_explicit(&mailbox->load, less, memory_order_relaxed);
    }
    return message_of(entry);
}

/* Behind which entry a search for `filter` may begin. */
static struct entry *mailbox_seek(struct mailbox *mailbox, const struct mailbox_filter *filter)
{
    if (!mailbox_knows(mailbox, filter)) {
        mailbox_remember(mailbox, filter);
        bool marked = filter->reference != 0 && filter->reference == mailbox->marked_reference;
        mailbox->passed = marked ? mailbox->marked : NULL;
    }
    return mailbox->passed;
}

struct message *mailbox_receive(struct mailbox *mailbox, const struct mailbox_filter *filter)
{
    if (mailbox->ready_first == NULL) {
        return NULL;
    }
    if (filter == NULL || (filter->kinds == 0 && filter->labels == 0 && filter->reference == 0)) {
        /* The filter of the last receive stays: what it has passed over is none of this one's. */
        return mailbox_take_after(mailbox, NULL);
    }
    INVARIANT(filter->labels <= FILTER_LABELS_MAX);
    struct entry *before = mailbox_seek(mailbox, filter);
    for (;;) {
        struct entry *entry = before == NULL ? mailbox->ready_first : before->next;
        if (entry == NULL || filter_matches(filter, message_of(entry))) {
            mailbox->passed = before;
            return entry == NULL ? NULL : mailbox_take_after(mailbox, before);
        }
        before = entry;
    }
}

void mailbox_mark(struct mailbox *mailbox, uint64_t reference)
{
    INVARIANT(reference != 0);
    mailbox->marked = mailbox->ready_last;
    mailbox->marked_reference = reference;
}

unsigned mailbox_flush(struct mailbox *mailbox, const struct mailbox_filter *filter,
                       uint64_t sender)
{
    unsigned count = 0;
    struct entry *before = NULL;
    for (;;) {
        struct entry *entry = before == NULL ? mailbox->ready_first : before->next;
        if (entry == NULL) {
            return count;
        }
        struct message *message = message_of(entry);
        if (filter_matches(filter, message) && (sender == 0 || message->sender == sender)) {
            message_destroy(mailbox_take_after(mailbox, before));
            count++;
        } else {
            before = entry;
        }
    }
}

bool mailbox_has_mail(const struct mailbox *mailbox)
{
    return mailbox->ready_first != NULL || mailbox_has_arrivals(mailbox);
}

struct entry *mailbox_close(struct mailbox *mailbox)
{
    struct entry *newest = atomic_exchange_explicit(&mailbox->inbox, &closed, memory_order_acquire);
    free(TAKE(mailbox->filter.label));
    mailbox->filter.kinds = mailbox->filter.labels = 0;
    mailbox->filter.reference = 0;
    return newest == &closed ? NULL : chain_reverse(newest);
}

bool mailbox_sweep(struct mailbox *mailbox, unsigned most)
{
    for (unsigned i = 0; i < most && mailbox->ready_first != NULL; i++) {
        message_destroy(mailbox_take_after(mailbox, NULL));
    }
    return mailbox->ready_first == NULL;
}
