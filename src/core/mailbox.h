/**
 * @file
 * One process's queue of what is sent to it: any thread pushes, only the owner takes.
 *
 * The shared state is one word, `inbox`: NULL (open, nothing new), CLOSED (the owner has exited),
 * or the newest entry. The owner takes all of it, oldest first (mailbox_collect()), handles the signals among it in
 * that order (core/signal.h), and puts messages, and the news that signals become, on its private list: so order of
 * arrival, and with it order per sender, holds over all three. Waking the owner is the process's business
 * (core/process.h): every accepted push is followed by process_wake().
 *
 * Selective receive: what a filter has passed over is not looked at again while the filter stays the same; a receive
 * for the reply to a call begins where the queue ended when the call was made. (OTP's "receive optimisation",
 * Efficiency Guide, "Processes".)
 */
#pragma once

#include "core/message.h"

/** What one mailbox can count; larger limits, and none, mean these. */
enum { MAILBOX_MESSAGES_BITS = 24, MAILBOX_BYTES_BITS = 40 };
#define MAILBOX_BYTES_MAX (((uint64_t)1 << MAILBOX_BYTES_BITS) - 1)

/** What happens to a message above a limit, as the receiver's grant says. */
enum mailbox_policy {
    MAILBOX_REFUSE,   /**< The sender is told. */
    MAILBOX_DROP_NEW, /**< The sender is not told; the message is gone. */
    MAILBOX_KILL,     /**< The receiver is killed: "mailbox full". */
};

struct mailbox_limits {
    uint32_t messages; /**< 0: no limit (of its own). */
    enum mailbox_policy policy;
    uint64_t bytes; /**< Of message bodies; 0: no limit (of its own). */
};

enum push_result {
    PUSH_ACCEPTED, /**< The entry belongs to the mailbox now. */
    PUSH_FULL,     /**< Refused at a limit; the entry still belongs to the caller. */
    PUSH_CLOSED,   /**< Refused, the owner has exited; the entry still belongs to the caller. */
};

enum { FILTER_LABELS_MAX = 8 };

/** What a receive wants. Zeroed: everything. A message matches when its kind is wanted, and its reference, and, for
 *  MESSAGE_SEND and MESSAGE_CALL, its label. A MESSAGE_CALL matches no reference: the one it has is its caller's. */
struct mailbox_filter {
    uint32_t kinds;     /**< Bits 1 << enum message_kind; 0: all. */
    uint32_t labels;    /**< How many of `label`; 0: any. */
    uint64_t reference; /**< 0: any. */
    uint64_t label[FILTER_LABELS_MAX];
};

struct mailbox {
    _Atomic(struct entry *) inbox; /* any thread */
    /** Any thread: messages accepted and not yet taken, and the bytes of their bodies, in one word
     *  so that both limits are exact; see mailbox_messages() and mailbox_bytes(). */
    atomic_uint_least64_t load;
    atomic_uint_least64_t answers; /* any thread: likewise, replies that have not been looked at */
    struct mailbox_limits limits;  /* constant after init */
    struct entry *ready_first;     /* owner only; oldest first */
    uint32_t news_messages;        /* owner only: ready ones that no limit counts */
    uint64_t news_bytes;           /* owner only */
    struct entry *ready_last;      /* owner only */
    struct entry *passed; /* owner only: the last one that `filter` passed over; NULL: none */
    struct {
        uint32_t kinds, labels;
        uint64_t reference;
        uint64_t
            *label; /* owned; made at the first receive by label, which few processes ever do */
    } filter;       /* owner only: of the last receive that had one; all zero: none is known */
    struct entry *marked;      /* owner only: the last one before the mark; NULL: none */
    uint64_t marked_reference; /* owner only: 0: no mark */
};

/** Start open and empty. */
void mailbox_init(struct mailbox *mailbox, struct mailbox_limits limits);

/** Offer an entry. Any thread; never blocks, never allocates. */
enum push_result mailbox_push(struct mailbox *mailbox, struct entry *entry) MUST_USE;

/** Whether something has arrived that was not collected. Owner only. */
bool mailbox_has_arrivals(const struct mailbox *mailbox);

/** Take what has arrived, in order of arrival, linked by `next`; NULL: nothing. The caller owns it: messages go to
 *  mailbox_append(), signals to whoever handles them. Owner only; cheap when nothing has. */
struct entry *mailbox_collect(struct mailbox *mailbox) MUST_USE;

/** Put a message that was collected, or news, behind what is ready. Owner only. */
void mailbox_append(struct mailbox *mailbox, struct message *message);

/** Take the oldest that matches, of what was collected, or NULL when there is none. Owner only. The caller owns
 *  the result. `filter` NULL: everything. */
struct message *mailbox_receive(struct mailbox *mailbox, const struct mailbox_filter *filter)
    MUST_USE;

/** From here on a receive by `reference` begins behind what is ready now: nothing older can match. Owner only. */
void mailbox_mark(struct mailbox *mailbox, uint64_t reference);

/** Take out and destroy what is ready and matches, of that sender (0: any): after demonitor, unlink, cancel. Returns
 *  how many. Owner only. */
unsigned mailbox_flush(struct mailbox *mailbox, const struct mailbox_filter *filter,
                       uint64_t sender);

/** Whether news lies unread beyond all measure: more pieces than messages and `more_messages` may be, or 16 MiB
 *  more than their bytes. News is not refused, so its receiver has to answer for what it does not read. Owner only. */
bool mailbox_overflows(const struct mailbox *mailbox, uint64_t more_messages);

/** Whether something is ready, or has arrived. Owner only. */
bool mailbox_has_mail(const struct mailbox *mailbox);

/** Set room aside for a reply on its way, which is a signal: nobody knows yet whether its receiver waits for it. There
 *  is as much as unread news may be (mailbox_overflows()). Any thread. False: no room. */
bool mailbox_expect_answer(struct mailbox *mailbox, const struct message *answer,
                           uint64_t more_messages) MUST_USE;

/** It has been looked at, or was not sent. Any thread. */
void mailbox_forget_answer(struct mailbox *mailbox, const struct message *answer);

/** Refuse everything from now on, and return what had not been collected, in order of arrival: for the caller to
 *  answer, or to append for mailbox_sweep(). Owner only; again returns NULL. */
struct entry *mailbox_close(struct mailbox *mailbox) MUST_USE;

/** Of a closed one: destroy what is ready, at most `most` a call. True: that was all. Owner only. */
bool mailbox_sweep(struct mailbox *mailbox, unsigned most) MUST_USE;

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
