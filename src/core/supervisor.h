/**
 * @file
 * Supervisors: platform processes that start, watch and restart others (OTP Design Principles, "Supervisor
 * Behaviour"; the rules are OTP's `supervisor` module's unless docs/differences.md lists them).
 *
 * A supervisor is a native body: it is linked to its parent, traps exits, links and monitors nothing but its
 * children. It knows what a child is only by a function that starts one.
 *
 * Start:   in order; each waits until the one before has *started* (supervisor_child_started(), or at once for
 *          children that have no such moment) within start_timeout_ns; a failure stops those started, in
 *          reverse, and the supervisor exits.
 * Restart: permanent always; transient unless normal or shutdown; temporary never. one-for-one: that child;
 *          one-for-all: all; rest-for-one: it and those started after it: stopped in reverse, started in order.
 *          One that fails is tried again 10 ms later, which counts as one more.
 * Storm:   the (max_restarts + 1)th restart inside window_ns makes it stop all children and exit with `shutdown`
 *          ("restart intensity reached"): escalation. The window is a ring of max_restarts times: the cost of a restart does
 *          not grow with history.
 * Stop:    MESSAGE_STOP, then a kill after shutdown_ns; reverse order.
 * Kill:    its children end with it, also those that trap exits; those that are supervisors stop theirs first.
 */
#pragma once

#include "base/err.h"
#include "core/process.h"

enum supervisor_strategy { ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE };
enum supervisor_restart { RESTART_PERMANENT, RESTART_TRANSIENT, RESTART_TEMPORARY };

struct supervisor;

/** One child as declared. */
struct supervisor_child {
    const char *name; /**< Borrowed, or of the spec's copy; unique in its supervisor. */
    enum supervisor_restart restart;
    uint64_t shutdown_ns;      /**< 0: killed without being asked; UINT64_MAX: for ever. */
    uint64_t start_timeout_ns; /**< Only where `announces`; UINT64_MAX: for ever. */
    bool announces; /**< Has started when supervisor_child_started() says so, not at once. */
    /** Start one, linked to and monitored by nobody yet: `prepare` must be called on the process before it is started, to
     *  tie it to the supervisor. False: `err` says why; nothing started. Worker's thread. */
    bool (*start)(void *argument, struct process *supervisor,
                  bool (*prepare)(struct process *supervisor, struct process *child,
                                  struct err *err),
                  struct err *err);
    void *argument;
};

enum supervisor_event_kind {
    SUPERVISOR_STARTED,      /**< All children have started. */
    SUPERVISOR_CHILD_FAILED, /**< Did not start: `reason`. At boot that is the end. */
    SUPERVISOR_CHILD_EXITED, /**< By itself, or was killed for not stopping. */
    SUPERVISOR_ESCALATED,    /**< The intensity was reached: `reason`. */
    SUPERVISOR_STOPPED,      /**< It has ended, in whatever way: `reason`. */
};
struct supervisor_event {
    enum supervisor_event_kind kind;
    const char *supervisor, *child; /**< `child` NULL where none is meant. */
    struct pid pid;                 /**< The child's. */
    const char *reason;
    bool restarts;          /**< It is going to be started again. */
    uint64_t restart_count; /**< Of the child, ever. */
};

struct supervisor_options {
    const char *name; /**< For `ps` and the log; copied. */
    enum supervisor_strategy strategy;
    uint32_t max_restarts; /**< At most SUPERVISOR_RESTARTS_MAX. */
    uint64_t window_ns;
    const struct supervisor_child *children; /**< Copied, but for names and arguments. */
    size_t child_count;
    struct process *parent; /**< Linked to it, in whose turn the call is; NULL: the platform's. */
    /** How it is tied to the parent instead, for a child of another supervisor (see supervisor_child.start; such a child
     *  announces: it has started when its children have). NULL: it is linked. */
    bool (*prepare)(struct process *parent, struct process *child, struct err *err);
    /** Told what happens, for the log and for the node's policy; may be NULL. Worker's thread. */
    void (*event)(void *argument, const struct supervisor_event *event);
    void *event_argument;
    /** After the last reference, with `event_argument`: whoever owns names and children's arguments frees them. Any thread.
     *  Not called when supervisor_start() failed. May be NULL. */
    void (*destroyed)(void *argument);
};

enum { SUPERVISOR_RESTARTS_MAX = 65536, SUPERVISOR_CHILDREN_MAX = 1024 };

/** Make and start one. On success the node owns it; `*ret` has a reference for the caller (may be NULL).
 *  @return false: ERR_INPUT (two children of one name, limits), ERR_LIMIT, ERR_MEMORY. */
bool supervisor_start(struct node *node, const struct supervisor_options *options,
                      struct process **ret, struct err *err) MUST_USE;

/** A child says that it has started: `ready()`, or its first receive. Any thread; anything but a child that is awaited
 *  is ignored. */
void supervisor_child_started(struct process *child);

/** How a child makes room for another one of itself, such as one with newer code. That is no restart of those which are counted. */
enum supervisor_renewal {
    RENEWAL_NONE,
    RENEWAL_AT_ITS_END, /**< Whenever it ends, in whatever way, it is started again. */
    RENEWAL_NOW, /**< Asked to stop at once (as are those that its strategy stops with it), and started again. */
};

/** Renew a supervisor's child. Any thread (needs a reference); who is no such child goes on unchanged. */
void supervisor_renew_child(struct process *child, enum supervisor_renewal renewal);

/** One line per child for `ps` and for guests that ask. Any thread; a copy of the last state. */
struct supervisor_line {
    char name[64];
    struct pid pid; /**< None: not running. */
    uint64_t restarts;
};
size_t supervisor_list(struct process *supervisor, struct supervisor_line *ret, size_t max);
