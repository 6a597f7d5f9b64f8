/**
 * @file
 * What a process receives: messages that others send, and the news that the platform puts between them.
 *
 * One copy in (message_create), one copy out (whoever reads `data`). What goes to many, or is large, has its bytes in a
 * payload that they share until they read it.
 *
 * Life:    made by the sender, owned by the mailbox once it is accepted, then by who takes it.
 * Threads: one owner at a time; a payload's count is for any thread.
 */
#pragma once

#include "core/entry.h"
#include "core/reason.h"

/** What a message is. A filter of core/mailbox.h selects by it. */
enum message_kind {
    MESSAGE_SEND,  /**< Sent, or published; `label` is the sender's. */
    MESSAGE_CALL,  /**< A request: `reference` is what the reply must name. */
    MESSAGE_REPLY, /**< To our call `reference`. Never counted, never refused. */
    MESSAGE_DOWN,  /**< What we monitor has ended: `reference`, `reason`. */
    MESSAGE_EXIT, /**< An exit signal, for who traps exits: `sender`, `reason`; `reference` is MESSAGE_BY_LINK when
                          a link brought it, 0 when it was sent. */
    MESSAGE_TIMER, /**< Our timer `reference` fired. */
    MESSAGE_STOP,  /**< Asked to stop; `reason` says why. */
    MESSAGE_FRAME, /**< From the client of a process that serves one: `label` is its kind. Only the platform makes
                          these two, so no process can forge one. Bounded by its maker, not by the mailbox. */
    MESSAGE_CLOSE, /**< That client's last word: `label` is the code, the bytes are its reason. */
    MESSAGE_CHANGED, /**< Something that `wait` looks at became ready: a stream, a client. Internal. */
};
enum { MESSAGE_KINDS = MESSAGE_CHANGED + 1 };

/** In a MESSAGE_EXIT; no reference is ever this. */
#define MESSAGE_BY_LINK UINT64_MAX

/** Bytes that several messages share. */
struct payload {
    atomic_uint holders; /* any thread */
    size_t size_bytes;
    unsigned char bytes[];
};

/** A copy of `data`, held once. NULL: out of memory. */
struct payload *payload_create(const void *data, size_t size_bytes) MUST_USE;
struct payload *payload_retain(struct payload *payload);
void payload_release(struct payload *payload); /**< NULL is allowed. */

/** Something besides bytes that travels in a message, such as a stream's end: closed when nobody took it. */
struct cargo {
    void (*destroy)(struct cargo *cargo);
    size_t
        holds_bytes; /**< At most; counts as that much of the message while it is in a mailbox. */
};

struct message {
    struct entry entry; /* first */
    enum message_kind kind;
    unsigned signal;        /**< enum signal_kind, while it is an ENTRY_SIGNAL (core/signal.h). */
    uint64_t sender;        /**< Raw pid; 0: the platform. */
    uint64_t label;         /**< What selective receive looks at. */
    uint64_t reference;     /**< See the kinds; 0: none. */
    struct reason *reason;  /**< Held, or NULL. */
    struct payload *shared; /**< Held, or NULL: the bytes are in `body`. */
    struct cargo *cargo;    /**< Owned, or NULL. */
    size_t size_bytes;      /**< Of `body` or of what is shared. */
    unsigned char body[];
};

/** From this size on message_create() puts the bytes into a payload, so that passing them on copies nothing. */
enum { MESSAGE_SHARED_BYTES_MIN = 65536 };

/** A MESSAGE_SEND with a copy of `body`, owned by the caller. NULL: out of memory. */
struct message *message_create(uint64_t sender, uint64_t label, const void *body, size_t size_bytes)
    MUST_USE;

/** The same with bytes that are shared: retains `payload`. */
struct message *message_create_shared(uint64_t sender, uint64_t label, struct payload *payload)
    MUST_USE;

/** A message of the platform with `size_bytes` of zeroed body, a piece of news or what is to become one. NULL: out of
 *  memory. */
struct message *message_create_news(enum message_kind kind, size_t size_bytes) MUST_USE;

/** Its bytes: those of a reason for MESSAGE_DOWN, MESSAGE_EXIT and MESSAGE_STOP. Valid as long as the message. */
const void *message_data(const struct message *message, size_t *ret_size_bytes);

/** Free one that nobody accepted, or that was taken, by its entry's destroy(). NULL is allowed. */
void message_destroy(struct message *message);
DEFINE_AUTO_DESTROY(message)
