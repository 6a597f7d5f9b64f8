/**
 * @file
 * A process without Wasm that stands between a client and a guest made for RUSM: what is sent to it goes out. Its end is how the
 * guest learns that the client has left, its pid what the guest answers to.
 *
 * Three kinds: a *reply* takes one message, the answer of a routed handler; *events* makes an event of each message, *frames* a frame
 * of a WebSocket. A guest speaks to its own outlet also by functions (serve/handler_rusm.h), which send it messages with a label.
 *
 * Life:    outlet_create() -> outlet_start() or outlet_discard(). It ends when its client has left, or when its guest has
 *          ended and all that it sent is out; its memory goes with the last reference: its own, its guest's.
 * Threads: owner, unless a field or function says otherwise.
 */
#pragma once

#include "guest/guest.h"
#include "serve/handler.h"
#include "serve/rusm_wire.h"
#include "serve/sse.h"
#include "serve/websocket_channel.h"

enum outlet_kind { OUTLET_REPLY, OUTLET_EVENTS, OUTLET_FRAMES };

/** Labels of what a guest sends to its own outlet by a function; anything else is data. */
enum outlet_label {
    OUTLET_DATA,
    OUTLET_TEXT = 0x6f757401, /**< A text frame. */
    OUTLET_CLOSE,             /**< Two bytes of code, little-endian; the reason. */
    OUTLET_EVENT,             /**< See outlet_event_pack(). */
};

struct outlet {
    struct process process;        /* first */
    enum outlet_kind kind;         /* constant */
    const struct handler *handler; /* constant */
    struct exchange *exchange;     /* constant: held */
    struct websocket_channel
        *channel;             /* held until both have parted, for it holds the outlet; of frames */
    struct guest_outlet door; /* what the guest sees of it */
    struct process *guest;    /* held; NULL: not spawned. Constant for frames and events */
    atomic_bool gone;         /* any thread: the client has left */
    atomic_bool over;         /* any thread: it has ended itself */
    atomic_uint ended;        /* any thread: 1 + the exit class of the guest; 0: it lives */
    bool refused;             /* written before `ended`: the guest found no room */
    uint64_t began_ns;        /* constant */
    bool asked;               /* not of frames: the guest is there, and knows what it shall do */
    bool answered;            /* of a reply: the head is out */
    struct rusm_request writer; /* of a reply */
    struct bytes text;          /* of a reply: the request; of events: what is sent of one */
    size_t held;                /* counted for `text` */
    struct rusm_reply reply;    /* of a reply */
    struct message *mail;       /* that is going out; or NULL */
    size_t moved;               /* of it, or of the answer's body */
    struct sse_event event;     /* of events: `mail`, read */
    struct sse_cursor cursor;
    atomic_uint parted; /* any thread: of the outlet and its guest, how many have ended */
    unsigned status;    /* how it ends: of exchange_outcome */
    const char *why;    /* with a status: constant, or in `reply`; or NULL */
    bool grace_began;   /* guest's owner */
    struct timer grace; /* guest's owner starts; fires a kill */
};

/** `channel`, of frames: takes a reference of its own. It has a pid at once. NULL: out of memory. */
struct outlet *outlet_create(enum outlet_kind kind, struct exchange *exchange,
                             const struct handler *handler, struct websocket_channel *channel,
                             struct node *node) MUST_USE;

/** False: `err` as process_start(); then it is to be discarded. */
bool outlet_start(struct outlet *outlet, struct worker *worker, struct err *err) MUST_USE;

/** One that did not start, or (after a failed start) could not. Its guest, if there is one, is killed. */
void outlet_discard(struct outlet *outlet);

/** Spawn its guest and send it what it gets first: before the outlet starts, or in a turn of it, because the guest is the outlet's
 *  to wake. False: `err` as guest_spawn(). */
bool outlet_spawn(struct outlet *outlet, const void *first, size_t first_bytes,
                  uint64_t deadline_ns, struct worker *worker, struct err *err) MUST_USE;

/** Spawn its guest, start the outlet, and send the guest what it gets first: once it may, it finds the outlet by its pid.
 *  @param ret_guest  the guest, with a reference of the caller's.
 *  False: `err` as guest_spawn() or process_start(); then it is to be discarded. */
bool outlet_open(struct outlet *outlet, const void *first, size_t first_bytes, uint64_t deadline_ns,
                 struct worker *worker, struct process **ret_guest, struct err *err) MUST_USE;

/** The outlet, or its guest, has ended, or never began: the second one lets go of the channel. Any thread. */
void outlet_part(struct outlet *outlet);

/** The role of its guest, whose context is the outlet; handler_rusm.c has it. */
extern const struct guest_role outlet_roles[];

/** An event as a message with OUTLET_EVENT: retry (four bytes; -1: none), sizes of name and id (four each; -1: none), both texts,
 *  the data. False: out of memory. */
bool outlet_event_pack(struct bytes *to, const struct sse_event *event) MUST_USE;

/* ---- between outlet.c and what its kinds do ---- */

enum outlet_step {
    OUTLET_DONE,    /**< The mail is out. */
    OUTLET_BLOCKED, /**< It will be woken. */
    OUTLET_AGAIN,   /**< Enough for one turn. */
    OUTLET_OVER,    /**< It ends. */
};
enum outlet_step outlet_write_frame(struct outlet *outlet);
enum outlet_step outlet_write_event(struct outlet *outlet);
enum outlet_step outlet_write_reply(struct outlet *outlet);

/** Of a reply: read the request and hand it over. OUTLET_DONE: the guest has it. */
enum outlet_step outlet_ask(struct outlet *outlet);

/** Of events: spawn the guest, send the head. OUTLET_DONE: they have begun. */
enum outlet_step outlet_open_events(struct outlet *outlet);
