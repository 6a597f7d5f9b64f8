/**
 * @file
 * One process: an identity, a mailbox, a body that is run in turns, limits, and an exit.
 *
 * What it runs is its *body*: a Wasm guest, a native test double, later a supervisor. `core/` knows
 * the body only by its table of functions, so it needs no engine.
 *
 * Life:    created by its body's own constructor (process_init() inside the body's struct) ->
 *          process_start() -> turns, one at a time, on whichever worker holds it -> exit -> last
 *          reference dropped -> body->destroy().
 * Threads: phase, signals and references are for any thread; the rest belongs to the worker that
 *          runs the current turn ("owner"). Nothing ever locks two processes.
 */
#pragma once

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "core/exit.h"
#include "core/mailbox.h"
#include "core/pid.h"
#include "core/registry.h"
#include "core/task.h"
#include "core/timer.h"
#include "core/traffic.h"

struct node;
struct process;
struct worker;

enum turn {
    TURN_PARKED,  /**< Waits; somebody will call process_wake(). */
    TURN_YIELDED, /**< Has more to do; was preempted at a tick. */
    TURN_ENDED,   /**< `*ret_exit` is filled. */
};

/** What a kind of process can do. Constant. */
struct body {
    /** Run until it waits, is preempted or ends. Worker thread; never blocks. May be called without a cause: signals,
     *  which no body sees, wake a process too. */
    enum turn (*turn)(struct process *process, struct exit *ret_exit);
    /** Give up everything that it holds (instance, fiber, streams). Called exactly once, after the
     *  last turn or instead of it, on the worker's thread, before anybody is told of the exit. */
    void (*reclaim)(struct process *process);
    /** Tell the outside how it ended: after reclaim, when names and pid are gone. May be NULL. */
    void (*exited)(struct process *process, const struct exit *exit);
    /** Whether it may know of `target`, which exists: else links, monitors and calls of it find nobody there.
     *  NULL: it knows of everybody. Any thread. */
    bool (*reaches)(const struct process *process, const struct process *target);
    /** Free the memory. Any thread, when the last reference is dropped. */
    void (*destroy)(struct process *process);
};

/** One atomic word says where a process stands. */
enum process_phase {
    PHASE_PARKED,  /**< On no queue; a wake queues it. */
    PHASE_QUEUED,  /**< On a run queue or a worker's inbox. */
    PHASE_RUNNING, /**< A worker runs its turn. */
    PHASE_WOKEN,   /**< The same, and a wake came meanwhile: run again before parking. */
    PHASE_EXITED,
};

/** Why a process must end, whatever it is doing. The first to be raised counts.
 *
 *  How it then ends: a body that has a turn under way learns of it by process_tick() and returns
 *  TURN_ENDED with class EXIT_KILLED; the platform replaces class and reason by those of the stop
 *  (a backtrace is kept). Any other class stands: the body had come to its own end first. One that
 *  is parked, queued, or returns TURN_PARKED or TURN_YIELDED gets no further turn. */
enum process_stop {
    STOP_NONE,
    STOP_KILL,     /**< killed: the reason given */
    STOP_DEADLINE, /**< crashed: timeout; "deadline of N ms" */
    STOP_CPU,      /**< crashed: cpu; "CPU budget of N ms" */
    STOP_EXIT, /**< killed: an exit signal that it does not trap; the original reason (owner only) */
    STOP_SHUTDOWN, /**< shutdown: asked to stop, and takes no such news (owner only) */
};

/** How much of each a process may have; 0: none allowed. */
struct process_quotas {
    uint32_t ties_max;                       /**< Links, monitors and open calls that it made. */
    uint32_t timers_max;                     /**< Alarms. */
    uint32_t registered_max[REGISTRY_KINDS]; /**< Names, tags, groups. */
};

struct process_options {
    const char *kind;  /**< For `ps`: "http", "command", "test"; borrowed constant. */
    struct pid parent; /**< None: the platform. */
    const char *label; /**< Component name; borrowed, must outlive the process. */
    struct mailbox_limits mailbox;
    uint64_t cpu_budget_ns; /**< Of a unit of work; 0: no limit. */
    uint64_t deadline_ns;   /**< Relative to the start; 0: none. */
    const struct process_quotas
        *quotas;           /**< Borrowed, must outlive the process; NULL: nothing allowed. */
    const char *namespace; /**< Borrowed, must outlive the process; NULL: "main". */
    bool traps_exits;      /**< From the start on; see process_trap_exits(). */
    bool takes_stop;       /**< Hears MESSAGE_STOP instead of ending at once. */
    bool accepts_links;    /**< Anybody in reach may link, exit or kill it. */
    bool unlisted;         /**< Only who was told its pid knows of it: node_pids() leaves it out. */
};

/** Of process_set_note(), with the terminating zero. */
enum { PROCESS_NOTE_BYTES = 64 };

struct process {
    struct task task;         /* a worker's inbox: on its way to the run queue */
    struct list queue_link;   /* guarded by the lock of the worker whose queue it is on */
    const struct body *body;  /* constant */
    struct node *node;        /* constant */
    struct pid pid, parent;   /* constant once started */
    const char *kind, *label; /* constant */
    atomic_uint phase;        /* any thread: enum process_phase */
    atomic_uint stop;         /* any thread: enum process_stop, or that one is being raised */
    atomic_uint references;   /* any thread */
    bool preempted;           /* guarded as queue_link is: on which of the two queues */
    bool stop_arrived;        /* owner only: stop_task came before the process did */
    bool left_queue;          /* owner only: the process came before stop_task did */
    _Atomic(struct worker *) worker; /* any thread: runs it, ran it last, or will */
    struct mailbox mailbox;
    struct timer deadline;    /* owner starts and cancels; fires STOP_DEADLINE */
    struct timer sleep;       /* owner starts and cancels; fires a wake */
    struct task stop_task;    /* a worker's inbox: a stop that found the process queued */
    struct process *pid_next; /* guarded by its shard of the table of pids */
    uint64_t deadline_ns;     /* owner only: as it was given, relative */
    uint64_t deadline_due_ns; /* owner only: 0 = none. Its timer starts when a turn ends */
    uint64_t cpu_budget_ns;   /* constant */
    uint64_t unit_cpu_ns;     /* owner only: spent in this unit of work, ended turns */
    uint64_t unit_began_ns;   /* owner only: of the turn under way, what counts for the unit */
    uint64_t meter_cpu_ns;    /* owner only: the thread's clock at the turn's first look, or 0 */
    uint64_t metered_ns;      /* owner only: charged for what came before that look */
    uint64_t turn_began_ns;   /* owner only */
    uint64_t started_ns;      /* constant once started */
    atomic_uint_least64_t cpu_ns;      /* owner writes, any thread reads: ended turns */
    atomic_uint_least64_t turns;       /* owner writes, any thread reads */
    atomic_uint_least64_t preemptions; /* owner writes, any thread reads */
    struct traffic traffic;            /* owner counts, any thread reads */
    atomic_uint_least64_t queued_ns;   /* any thread: when it was queued, for stealing */
    char *kill_reason; /* set by whoever raised STOP_KILL, before the release; NULL: "" */

    /* What it is to others. Owner only, but where it says otherwise. */
    struct map links;          /* struct link by the peer's pid */
    struct map awaited;        /* monitors, calls and alarms of its own, by reference: struct tie */
    struct list watchers;      /* monitors of others on it */
    struct list registrations; /* guarded by the registry */
    uint32_t ties, timers;     /* against the quotas: what it made itself */
    uint64_t timer_bytes;      /* of the messages of its timers, against its mailbox's limit */
    uint64_t next_reference;
    uint32_t registered[REGISTRY_KINDS];
    atomic_uint link_count, monitor_count, watcher_count; /* owner writes, any thread reads */
    struct reason *
        stop_reason; /* of STOP_EXIT and STOP_SHUTDOWN, and what others are told at the exit; held */
    const struct process_quotas *quotas; /* constant */
    const char *namespace;               /* constant */
    enum exit_class exit_class;          /* at the exit */
    bool retired;                        /* at the exit: the node counts it no more */
    bool traps_exits;
    bool takes_stop;
    bool accepts_links;  /* constant */
    bool unlisted;       /* constant */
    atomic_bool started; /* any thread reads: see supervisor_child_started() */
    atomic_uint renewal; /* any thread: enum supervisor_renewal, for its supervisor */
    _Atomic(struct process_note *) note; /* owner makes it, any thread reads; NULL: none ever */
};

/** Prepare the embedded process; one reference, held by the caller, passes to process_start(). */
void process_init(struct process *process, const struct body *body, struct node *node,
                  const struct process_options *options);

/** Give it its pid ahead of its start, for whoever ties or registers it before. Creator; again does nothing. */
void process_identify(struct process *process);

/** Give it a pid, count it, make it runnable on `worker` (NULL: the least loaded one). Any thread;
 *  on the worker's own it is cheapest. Its deadline counts from here. On success the node owns the
 *  caller's reference; take another one first to go on using it.
 *  @return false, nothing started and nothing freed: ERR_LIMIT (max-processes), ERR_DENIED (the
 *          node is draining), ERR_MEMORY. */
bool process_start(struct process *process, struct worker *worker, struct err *err) MUST_USE;

/** Let go of one that did not start, instead of process_release(): forgets what it was given before its start, mail,
 *  ties, names, and its pid. The other halves of its ties are for link_remove() and monitor_remove(), before. */
void process_discard(struct process *process);

void process_retain(struct process *process);
void process_release(struct process *process);

/** Make it run again if it is parked, or once more if it runs now. Any thread, also a timer's
 *  callback; cheap and harmless when nothing waits or after its exit (needs a reference). */
void process_wake(struct process *process);

/** Where it stands just now. Any thread. */
enum process_phase process_phase(const struct process *process);

/** Raise a stop: it takes effect at the next tick of the turn under way, otherwise at the worker's
 *  next round, also before the first turn and without waiting for those queued in front. `reason`
 *  (who, or why; may be NULL) is kept for STOP_KILL. Any thread, also a timer's callback (needs a
 *  reference). The first one counts. */
void process_stop(struct process *process, enum process_stop stop, const char *reason);

/** The same by pid. False: no such process (any more). Any thread. */
bool process_kill(struct node *node, struct pid pid, const char *reason);

/** The process of that pid, if `process` may know of it (body.reaches), with a reference for the caller; or NULL. Any
 *  thread. */
struct process *process_find(const struct process *process, struct pid pid) MUST_USE;

/** Put something into its mailbox and wake it. Any thread. On PUSH_FULL and PUSH_CLOSED it stays with the caller;
 *  on PUSH_FULL a process whose policy says so (MAILBOX_KILL) is killed: "mailbox full". */
enum push_result process_push(struct process *process, struct entry *entry) MUST_USE;

/** What a preempted guest asks at each tick. Owner, within a turn. */
enum process_tick {
    TICK_CONTINUE, /**< The turn began less than half a tick ago. */
    TICK_YIELD,    /**< Give the worker back: others, or input, may be waiting. */
    TICK_STOP,     /**< A stop was raised; or CPU budget or deadline is over (this raised it). */
};
enum process_tick process_tick(struct process *process);

/** For steps that are much shorter than a tick: false when process_tick() may find more than that the time goes by. Owner, within a
 *  turn; every few steps that has to be asked itself. */
bool process_may_step(const struct process *process);

/** Begin a new unit of work: CPU counts from zero. Owner. */
void process_begin_unit(struct process *process);

/** Replace the deadline: `after_ns` from now, 0: none. Owner, within a turn. */
void process_set_deadline(struct process *process, uint64_t after_ns);

/** Park support: wake the process at `due_ns`, instead of when was asked before. Owner, within a
 *  turn. Cancelled at exit. */
void process_wake_at(struct process *process, uint64_t due_ns);
void process_cancel_wake(struct process *process);

/** Whether exit signals become MESSAGE_EXIT (but for `kill`), and stops MESSAGE_STOP. Owner. Returns what it was. */
bool process_trap_exits(struct process *process, bool traps);

/** Send an exit signal (OTP: erlang:exit/2): ends the target unless it traps exits; `kill` cannot be trapped; `normal` ends
 *  nobody but the sender itself. Takes a reference of its own to `reason`. Any thread. False: no such process, or no memory for
 *  the signal (then it is killed outright with the same reason when it would have ended). */
bool process_exit_signal(struct node *node, struct pid from, struct pid target,
                         struct reason *reason);

/** Ask it to stop: MESSAGE_STOP with `reason`, or its end with class `shutdown` when it takes no such news. Any thread.
 *  False: no such process. */
bool process_ask_stop(struct node *node, struct pid from, struct pid target, struct reason *reason);

/** Handle what has arrived, then mailbox_receive(): how every body reads its mail. NULL also when a stop was raised, which
 *  takes effect when the turn ends or at its next tick. Owner, within a turn. */
struct message *process_receive(struct process *process, const struct mailbox_filter *filter)
    MUST_USE;

/** A number that is unique among this process's references, and that others cannot guess; from 1 to
 *  INT64_MAX, so that guests can tell it from an error. Owner, once it has a pid. */
uint64_t process_next_reference(struct process *process);

/** Send a message by pid: to a dead one it is gone, which is not an error. Any thread. Takes the message unless it is
 *  refused: false, it is the caller's: the target's mailbox is at its limit and refuses (MAILBOX_REFUSE). */
bool process_send(struct node *node, struct pid target, struct message *message) MUST_USE;

/** The same for one that was found already (the caller has a reference). */
bool process_send_to(struct process *process, struct message *message) MUST_USE;

/** A line of its own for `ps`, of less than PROCESS_NOTE_BYTES without zero bytes. Owner. False: out of memory; it keeps
 *  what it had. */
bool process_set_note(struct process *process, const char *text, size_t size_bytes) MUST_USE;

/** Copy it out, terminated. Any thread; while the owner writes, a mixture of old and new is possible. */
void process_note(const struct process *process, char ret[PROCESS_NOTE_BYTES]);
