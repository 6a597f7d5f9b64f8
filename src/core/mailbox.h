/**
 * @file
 * One process's queue of what is sent to it: any thread pushes, only the owner takes.
 *
 * The shared state is one word, `inbox`: NULL (open, nothing new), CLOSED (the owner has exited),
 * or the newest entry. The owner reverses what it finds into its private list, so order per sender
 * and order of arrival are kept. Waking the owner is the process's business (core/process.h): every
 * accepted push is followed by process_wake().
 * Entries are messages, which count against the limits, or signals, which are never refused: their
 * nodes belong to the link, monitor or timer they speak for.
 */
#pragma once

#include "base/base.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum entry_kind {
    ENTRY_MESSAGE, /**< Counts against depth and bytes. */
    ENTRY_SIGNAL,  /**< Never refused, never counted. */
};

/** Head of everything in a mailbox; embedded first in messages and signals. */
struct entry {
    struct entry *next;
    enum entry_kind kind;
    void (*destroy)(struct entry *entry); /**< Called for what the owner never took. */
};

struct message {
    struct entry entry;
    uint64_t sender; /**< Raw pid, 0: the platform. */
    uint64_t label;  /**< What selective receive will look at. */
    size_t size_bytes;
    unsigned char body[];
};

/** What one mailbox can count; larger limits, and none, mean these. */
enum { MAILBOX_MESSAGES_BITS = 24, MAILBOX_BYTES_BITS = 40 };

struct mailbox_limits {
    uint32_t messages; /**< 0: no limit (of its own). */
    uint64_t bytes;    /**< Of message bodies; 0: no limit (of its own). */
};

enum push_result {
    PUSH_ACCEPTED, /**< The entry belongs to the mailbox now. */
    PUSH_FULL,     /**< Refused at a limit; the entry still belongs to the caller. */
    PUSH_CLOSED,   /**< Refused, the owner has exited; the entry still belongs to the caller. */
};

struct mailbox {
    _Atomic(struct entry *) inbox; /* any thread */
    /** Any thread: messages accepted and not yet taken, and the bytes of their bodies, in one word
     *  so that both limits are exact; see mailbox_messages() and mailbox_bytes(). */
    atomic_uint_least64_t load;
    struct mailbox_limits limits; /* constant after init */
    struct entry *ready_first;    /* owner only; oldest first */
    struct entry *ready_last;     /* owner only */
};

/** A message with a copy of `body`, owned by the caller. NULL: out of memory. */
struct message *message_create(uint64_t sender, uint64_t label, const void *body, size_t size_bytes)
    MUST_USE;

/** Free a message that nobody accepted. NULL is allowed. */
void message_destroy(struct message *message);
DEFINE_AUTO_DESTROY(message)

/** Start open and empty. */
void mailbox_init(struct mailbox *mailbox, struct mailbox_limits limits);

/** Offer an entry. Any thread; never blocks, never allocates. */
enum push_result mailbox_push(struct mailbox *mailbox, struct entry *entry) MUST_USE;

/** Take the oldest entry, or NULL when there is none. Owner only. The caller owns the result. */
struct entry *mailbox_take(struct mailbox *mailbox) MUST_USE;

/** Whether mailbox_take() would find something. Owner only. */
bool mailbox_has_mail(const struct mailbox *mailbox);

/** Refuse everything from now on and destroy what is left. Owner only; again does nothing. */
void mailbox_close(struct mailbox *mailbox);

/** Messages accepted and not yet taken. Any thread. */
static inline uint32_t mailbox_messages(const struct mailbox *mailbox)
{
    uint64_t load = atomic_load_explicit(&mailbox->load, memory_order_relaxed);
    return (uint32_t)(load >> MAILBOX_BYTES_BITS);
}

/** Bytes of their bodies. Any thread. */
static inline uint64_t mailbox_bytes(const struct mailbox *mailbox)
{
    uint64_t load = atomic_load_explicit(&mailbox->load, memory_order_relaxed);
    return load & (((uint64_t)1 << MAILBOX_BYTES_BITS) - 1);
}
