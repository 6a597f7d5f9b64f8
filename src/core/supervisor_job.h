/**
 * @file
 * What a supervisor is at: its jobs with its children, as a machine of small steps none of which waits. For
 * core/supervisor.c alone, which has the process around it.
 *
 * Threads: the owner's, but where a field says otherwise.
 */
#pragma once

#include "core/supervisor.h"

enum child_state {
    CHILD_DOWN,     /* not running */
    CHILD_STARTING, /* runs, and is to announce that it has started */
    CHILD_UP,
    CHILD_STOPPING, /* asked to stop */
    CHILD_KILLED,
};

struct child {
    struct supervisor_child spec; /* constant */
    enum child_state state;
    struct map_member watched; /* while it runs: by the reference of its monitor */
    struct process *process;   /* while it runs: with a reference */
    uint64_t due_ns;           /* of CHILD_STARTING, CHILD_STOPPING and a retry; UINT64_MAX: none */
    struct reason *reason;     /* held: it has exited so, and that was not dealt with; else NULL */
    bool retry;                /* its restart has failed and is to be tried again */
    bool renewed;              /* down for a renewal: started again whatever `restart` says */
    struct list pending; /* on the supervisor's list while an exit or a retry is to be dealt with */
    atomic_uint_least64_t pid;      /* any thread reads; 0: not running */
    atomic_uint_least64_t restarts; /* any thread reads: ever */
};

/* What a supervisor is at. Whatever it is, exits of other children wait until it is done, as in OTP, where
 * starting and stopping a child blocks. */
enum job {
    JOB_BOOT,    /* starts all, in order */
    JOB_WATCH,   /* waits for exits */
    JOB_CLEAR,   /* stops the children of a range, in reverse, before a restart */
    JOB_RESTART, /* starts those, in order */
    JOB_END,     /* stops all, in reverse, and is over then */
};

struct supervisor {
    struct process process;
    char name[64];
    enum supervisor_strategy strategy;
    uint32_t max_restarts;
    uint64_t window_ns;
    void (*event)(void *argument, const struct supervisor_event *event);
    void *event_argument;
    void (*destroyed)(void *argument);
    struct child *children;
    size_t child_count;
    struct map watched;      /* children that run, by the reference of their monitor */
    struct list pending;     /* children with an exit or a retry to be dealt with, oldest first */
    struct child *launching; /* while its start function runs */
    enum job job;
    size_t at;               /* of the job: the next child, or behind it when stopping */
    size_t range, range_end; /* of the job: children from, and up to */
    uint64_t *restarts;      /* ring: when the last max_restarts were */
    uint32_t restarts_next, restarts_kept;
    atomic_bool renewals;      /* any thread: there may be children to renew */
    enum exit_class end_class; /* of JOB_END */
    char end_text[EXIT_REASON_BYTES];
    struct reason *end_reason; /* held: of the parent, which has exited so; NULL: see above */
};

static inline struct supervisor *supervisor_of(struct process *process)
{
    return CONTAINER_OF(process, struct supervisor, process);
}

enum step {
    STEP_MORE, /* call again, after looking for news */
    STEP_WAIT, /* for news, or until supervisor_due_ns() */
    STEP_OVER, /* of JOB_END: all children are down */
};

/** Do the next thing that can be done. */
enum step supervisor_step(struct supervisor *supervisor);

/** When to look again without news; UINT64_MAX: never. */
uint64_t supervisor_due_ns(const struct supervisor *supervisor);

/** The process under the monitor `reference` has ended. */
void supervisor_child_exited(struct supervisor *supervisor, uint64_t reference,
                             struct reason *reason);

/** Begin to end, with this class and text or, where it is not NULL, for this reason. The first cause counts. */
void supervisor_end(struct supervisor *supervisor, enum exit_class exit_class, const char *text,
                    struct reason *reason);

/** Forget all that run, and kill those that are no supervisors: when the supervisor itself was killed. */
void supervisor_abandon(struct supervisor *supervisor);

/** Call the event function, if there is one. `child` may be NULL. */
void supervisor_tell(struct supervisor *supervisor, enum supervisor_event_kind kind,
                     const struct child *child, const char *reason, bool restarts);
