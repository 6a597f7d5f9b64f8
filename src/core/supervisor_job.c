#include "core/supervisor_job.h"

#include "core/link.h"
#include "core/monitor.h"
#include "core/node.h"

#include <stdio.h>
#include <string.h>

/* How long after a restart that failed it is tried again: OTP does so at once, and may have used up its intensity before what
 * is in the way (a name of one that is just being killed) has gone. */
enum { RETRY_NS = 10000000 };

enum { NS_PER_MS = 1000000 };

void supervisor_tell(struct supervisor *supervisor, enum supervisor_event_kind kind,
                     const struct child *child, const char *reason, bool restarts)
{
    if (supervisor->event == NULL) {
        return;
    }
    struct supervisor_event event = {
        .kind = kind, .supervisor = supervisor->name, .reason = reason, .restarts = restarts};
    if (child != NULL) {
        event.child = child->spec.name;
        event.pid.raw = atomic_load_explicit(&child->pid, memory_order_relaxed);
        event.restart_count = atomic_load_explicit(&child->restarts, memory_order_relaxed);
    }
    supervisor->event(supervisor->event_argument, &event);
}

static uint64_t due_after(const struct supervisor *supervisor, uint64_t after_ns)
{
    uint64_t now = node_now_ns(supervisor->process.node);
    return after_ns > UINT64_MAX - now ? UINT64_MAX : now + after_ns;
}

static bool is_due(const struct supervisor *supervisor, uint64_t due_ns)
{
    return due_ns != UINT64_MAX && node_now_ns(supervisor->process.node) >= due_ns;
}

void supervisor_end(struct supervisor *supervisor, enum exit_class exit_class, const char *text,
                    struct reason *reason)
{
    if (supervisor->job == JOB_END) {
        return;
    }
    supervisor->job = JOB_END;
    supervisor->at = supervisor->child_count;
    supervisor->end_class = exit_class;
    supervisor->end_reason = reason == NULL ? NULL : reason_retain(reason);
    snprintf(supervisor->end_text, sizeof(supervisor->end_text), "%s", text);
}

/* A child's process is there no longer, or never came to be: forget it. */
static void child_forget(struct child *child)
{
    list_remove(&child->pending);
    reason_release(TAKE(child->reason));
    child->retry = false;
    child->state = CHILD_DOWN;
    atomic_store_explicit(&child->pid, 0, memory_order_relaxed);
    if (child->process != NULL) {
        process_release(TAKE(child->process));
    }
}

/* What start functions call on a process that is not started yet. */
static bool supervisor_prepare(struct process *process, struct process *starting, struct err *err)
{
    struct supervisor *supervisor = supervisor_of(process);
    struct child *child = supervisor->launching;
    INVARIANT(child != NULL && child->process == NULL);
    uint64_t reference;
    if (!link_child(process, starting, err)) {
        return false;
    }
    if (!monitor_child(process, starting, &reference, err)) {
        link_remove(process, starting->pid);
        return false;
    }
    process_retain(starting);
    starting->parent = process->pid;
    child->process = starting;
    map_insert(&supervisor->watched, &child->watched, reference);
    atomic_store_explicit(&child->pid, starting->pid.raw, memory_order_relaxed);
    return true;
}

static bool child_launch(struct supervisor *supervisor, struct child *child, struct err *err)
{
    struct process *process = &supervisor->process;
    list_remove(&child->pending);
    child->retry = child->renewed = false;
    supervisor->launching = child;
    bool launched = child->spec.start(child->spec.argument, process, supervisor_prepare, err);
    supervisor->launching = NULL;
    if (launched) {
        INVARIANT(child->process != NULL);
        child->state = child->spec.announces ? CHILD_STARTING : CHILD_UP;
        child->due_ns = child->spec.announces ? due_after(supervisor, child->spec.start_timeout_ns)
                                              : UINT64_MAX;
    } else if (child->process != NULL) {
        /* It was prepared, did not start, and may have forgotten its pid. */
        struct pid pid = {atomic_load_explicit(&child->pid, memory_order_relaxed)};
        link_remove(process, pid);
        (void)monitor_remove(process, child->watched.key);
        (void)map_remove(&supervisor->watched, child->watched.key);
        child_forget(child);
    }
    return launched;
}

static void child_kill(struct child *child, const char *why)
{
    process_stop(child->process, STOP_KILL, why);
    child->state = CHILD_KILLED;
    child->due_ns = UINT64_MAX;
}

/* One step of stopping a child. True: it is down; false: wait for it, at the longest until its `due_ns`. */
static bool child_stop(struct supervisor *supervisor, struct child *child)
{
    if (child->reason != NULL || child->state == CHILD_DOWN) {
        child_forget(child);
        return true;
    }
    switch (child->state) {
    case CHILD_STARTING:
    case CHILD_UP:
        if (child->spec.shutdown_ns == 0) {
            child_kill(child, "stopped by its supervisor");
            break;
        }
        child->state = CHILD_STOPPING;
        child->due_ns = due_after(supervisor, child->spec.shutdown_ns);
        /* False when it has just exited: its down is on the way. */
        (void)process_ask_stop(supervisor->process.node, supervisor->process.pid,
                               child->process->pid, reason_of(REASON_SHUTDOWN));
        break;
    case CHILD_STOPPING:
        if (is_due(supervisor, child->due_ns)) {
            supervisor_tell(supervisor, SUPERVISOR_CHILD_EXITED, child,
                            "did not stop in time: killed", false);
            child_kill(child, "did not stop in time");
        }
        break;
    case CHILD_DOWN:
    case CHILD_KILLED:
        break;
    }
    return false;
}

/* Count one more restart. False: that is one too many within the window. */
static bool supervisor_may_restart(struct supervisor *supervisor)
{
    if (supervisor->max_restarts == 0) {
        return false;
    }
    uint64_t now = node_now_ns(supervisor->process.node);
    uint64_t *oldest = &supervisor->restarts[supervisor->restarts_next];
    if (supervisor->restarts_kept == supervisor->max_restarts) {
        if (now - *oldest <= supervisor->window_ns) {
            return false;
        }
    } else {
        supervisor->restarts_kept++;
    }
    *oldest = now;
    supervisor->restarts_next = (supervisor->restarts_next + 1) % supervisor->max_restarts;
    return true;
}

static void supervisor_give_up(struct supervisor *supervisor, struct child *child)
{
    const char *why = "restart intensity reached";
    supervisor_tell(supervisor, SUPERVISOR_ESCALATED, child, why, false);
    supervisor_end(supervisor, EXIT_SHUTDOWN, why, NULL);
}

static void supervisor_begin_restart(struct supervisor *supervisor, const struct child *child)
{
    size_t index = (size_t)(child - supervisor->children);
    supervisor->range = index;
    supervisor->range_end = supervisor->child_count;
    switch (supervisor->strategy) {
    case ONE_FOR_ONE:
        supervisor->range_end = index + 1;
        break;
    case ONE_FOR_ALL:
        supervisor->range = 0;
        break;
    case REST_FOR_ONE:
        break;
    }
    supervisor->job = JOB_CLEAR;
    supervisor->at = supervisor->range_end;
}

static enum supervisor_renewal child_renewal(const struct child *child)
{
    return child->process == NULL ? RENEWAL_NONE
                                  : (enum supervisor_renewal)atomic_load_explicit(
                                        &child->process->renewal, memory_order_relaxed);
}

/* The first child that is to be renewed now, or NULL: then none is until somebody says so again. */
static struct child *supervisor_next_renewal(struct supervisor *supervisor)
{
    /* Acquire: pairs with supervisor_renew_child(). */
    if (!atomic_exchange_explicit(&supervisor->renewals, false, memory_order_acquire)) {
        return NULL;
    }
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = &supervisor->children[i];
        if (child->state == CHILD_UP && child->reason == NULL &&
            child_renewal(child) == RENEWAL_NOW) {
            /* There may be more. */
            atomic_store_explicit(&supervisor->renewals, true, memory_order_relaxed);
            return child;
        }
    }
    return NULL;
}

static bool child_is_to_restart(const struct child *child)
{
    switch (child->spec.restart) {
    case RESTART_PERMANENT:
        return true;
    case RESTART_TRANSIENT:
        return child->reason->exit_class != EXIT_NORMAL &&
               child->reason->exit_class != EXIT_SHUTDOWN;
    case RESTART_TEMPORARY:
        return false;
    }
    BUG("restart %d", (int)child->spec.restart);
}

/* The first child whose exit, or whose retry, is to be dealt with now. */
static struct child *supervisor_next_pending(const struct supervisor *supervisor)
{
    for (struct list *at = supervisor->pending.next; at != &supervisor->pending; at = at->next) {
        struct child *child = CONTAINER_OF(at, struct child, pending);
        if (!child->retry || is_due(supervisor, child->due_ns)) {
            return child;
        }
    }
    return NULL;
}

static enum step step_watch(struct supervisor *supervisor)
{
    struct child *child = supervisor_next_pending(supervisor);
    if (child == NULL) {
        child = supervisor_next_renewal(supervisor);
        if (child == NULL) {
            return STEP_WAIT;
        }
        child->renewed = true;
        supervisor_begin_restart(supervisor, child);
        return STEP_MORE;
    }
    child->renewed = child_renewal(child) != RENEWAL_NONE;
    bool shall = child->retry || child->renewed || child_is_to_restart(child);
    bool may = shall && (child->renewed || supervisor_may_restart(supervisor));
    if (!child->retry && !child->renewed) {
        supervisor_tell(supervisor, SUPERVISOR_CHILD_EXITED, child, child->reason->text, may);
    }
    child_forget(child);
    if (may) {
        if (!child->renewed) {
            atomic_fetch_add_explicit(&child->restarts, 1, memory_order_relaxed);
        }
        supervisor_begin_restart(supervisor, child);
    } else if (shall) {
        supervisor_give_up(supervisor, child);
    }
    return STEP_MORE;
}

/* Stop what is left of the range, in reverse. */
static bool supervisor_clear(struct supervisor *supervisor, size_t range)
{
    while (supervisor->at > range) {
        if (!child_stop(supervisor, &supervisor->children[supervisor->at - 1])) {
            return false;
        }
        supervisor->at--;
    }
    return true;
}

static enum step step_clear(struct supervisor *supervisor)
{
    if (!supervisor_clear(supervisor, supervisor->range)) {
        return STEP_WAIT;
    }
    supervisor->job = JOB_RESTART;
    return STEP_MORE;
}

/* At boot that is the end; later it counts as one more exit, which is dealt with in its turn. */
static enum step start_failed(struct supervisor *supervisor, struct child *child, const char *why)
{
    supervisor_tell(supervisor, SUPERVISOR_CHILD_FAILED, child, why,
                    supervisor->job == JOB_RESTART);
    child_forget(child);
    if (supervisor->job == JOB_BOOT) {
        char text[EXIT_REASON_BYTES];
        snprintf(text, sizeof(text), "child '%s' did not start: %s", child->spec.name, why);
        supervisor_end(supervisor, EXIT_SHUTDOWN, text, NULL);
    } else {
        supervisor->job = JOB_WATCH;
        child->retry = true;
        child->due_ns = due_after(supervisor, RETRY_NS);
        list_append(&supervisor->pending, &child->pending);
    }
    return STEP_MORE;
}

static enum step start_done(struct supervisor *supervisor)
{
    if (supervisor->job == JOB_BOOT) {
        supervisor_tell(supervisor, SUPERVISOR_STARTED, NULL, NULL, false);
        supervisor_child_started(&supervisor->process);
    }
    supervisor->job = JOB_WATCH;
    return STEP_MORE;
}

static enum step step_await(struct supervisor *supervisor, struct child *child)
{
    /* Acquire: pairs with supervisor_child_started(). */
    if (atomic_load_explicit(&child->process->started, memory_order_acquire)) {
        child->state = CHILD_UP;
        if (child->reason != NULL) {
            list_append(&supervisor->pending, &child->pending);
        }
        supervisor->at++;
        return STEP_MORE;
    }
    if (child->reason != NULL) {
        char why[EXIT_REASON_BYTES];
        snprintf(why, sizeof(why), "%s", child->reason->text);
        return start_failed(supervisor, child, why);
    }
    if (is_due(supervisor, child->due_ns)) {
        child_kill(child, "did not start in time");
    }
    return STEP_WAIT;
}

static enum step step_start(struct supervisor *supervisor)
{
    if (supervisor->at == supervisor->range_end) {
        return start_done(supervisor);
    }
    struct child *child = &supervisor->children[supervisor->at];
    struct err err;
    bool skipped = supervisor->job == JOB_RESTART && child->spec.restart == RESTART_TEMPORARY &&
                   !child->renewed;
    switch (child->state) {
    case CHILD_DOWN:
        if (!skipped && !child_launch(supervisor, child, &err)) {
            return start_failed(supervisor, child, err.text);
        }
        if (child->state != CHILD_STARTING) {
            supervisor->at++;
        }
        return STEP_MORE;
    case CHILD_STARTING:
        return step_await(supervisor, child);
    case CHILD_KILLED: {
        if (child->reason == NULL) {
            return STEP_WAIT;
        }
        char why[64];
        snprintf(why, sizeof(why), "did not start within %llu ms",
                 (unsigned long long)(child->spec.start_timeout_ns / NS_PER_MS));
        return start_failed(supervisor, child, why);
    }
    case CHILD_UP:
    case CHILD_STOPPING:
        break;
    }
    BUG("child state %d", (int)child->state);
}

enum step supervisor_step(struct supervisor *supervisor)
{
    switch (supervisor->job) {
    case JOB_WATCH:
        return step_watch(supervisor);
    case JOB_CLEAR:
        return step_clear(supervisor);
    case JOB_BOOT:
    case JOB_RESTART:
        return step_start(supervisor);
    case JOB_END:
        return supervisor_clear(supervisor, 0) ? STEP_OVER : STEP_WAIT;
    }
    BUG("job %d", (int)supervisor->job);
}

/* Of those that are to be tried again. */
static uint64_t supervisor_retry_ns(const struct supervisor *supervisor)
{
    uint64_t due_ns = UINT64_MAX;
    for (struct list *at = supervisor->pending.next; at != &supervisor->pending; at = at->next) {
        const struct child *child = CONTAINER_OF(at, struct child, pending);
        due_ns = child->due_ns < due_ns ? child->due_ns : due_ns;
    }
    return due_ns;
}

/* Else of the one child that the job waits for. */
uint64_t supervisor_due_ns(const struct supervisor *supervisor)
{
    switch (supervisor->job) {
    case JOB_WATCH:
        return supervisor_retry_ns(supervisor);
    case JOB_CLEAR:
    case JOB_END:
        return supervisor->children[supervisor->at - 1].due_ns;
    case JOB_BOOT:
    case JOB_RESTART:
        return supervisor->children[supervisor->at].due_ns;
    }
    BUG("job %d", (int)supervisor->job);
}

void supervisor_child_exited(struct supervisor *supervisor, uint64_t reference,
                             struct reason *reason)
{
    struct map_member *member = map_remove(&supervisor->watched, reference);
    if (member == NULL) {
        return;
    }
    struct child *child = CONTAINER_OF(member, struct child, watched);
    child->reason = reason_retain(reason);
    if (child->state == CHILD_UP) {
        list_append(&supervisor->pending, &child->pending);
    }
}

void supervisor_abandon(struct supervisor *supervisor)
{
    for (size_t i = supervisor->child_count; i > 0; i--) {
        struct child *child = &supervisor->children[i - 1];
        if (child->process != NULL && child->reason == NULL) {
            /* A supervisor hears of it by its link, and stops its own children first. */
            if (child->process->body != supervisor->process.body) {
                process_stop(child->process, STOP_KILL, "its supervisor was killed");
            }
            (void)map_remove(&supervisor->watched, child->watched.key);
        }
        child_forget(child);
    }
}
