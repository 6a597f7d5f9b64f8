#include "core/process.h"

#include "core/node.h"
#include "core/schedule.h"
#include "core/signal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In `stop` while somebody writes kill_reason: nobody else's any more, but not yet raised. */
enum { STOP_CLAIMED = 0x100 };

/* In `phase`: QUEUED, and its stop_task is on the way. Such a process gets no turn and does not
 * exit before that task has arrived, so the raiser's hands are on nothing that is gone: who comes
 * second to the worker, the process or its stop, ends it. Outside this file it counts as
 * PHASE_QUEUED. */
enum { PHASE_STOPPING = PHASE_EXITED + 1 };

enum { NS_PER_MS = 1000000, KILL_REASON_MAX = 63 };

enum process_stop process_stop_of(const struct process *process)
{
    /* Acquire: pairs with the release in process_raise(), for kill_reason. */
    unsigned stop = atomic_load_explicit(&process->stop, memory_order_acquire);
    return stop == STOP_CLAIMED ? STOP_NONE : (enum process_stop)stop;
}

/* Raise a stop, unless one was. True: this one counts. */
static bool process_raise(struct process *process, enum process_stop stop, const char *reason)
{
    unsigned none = STOP_NONE;
    if (!atomic_compare_exchange_strong_explicit(&process->stop, &none, STOP_CLAIMED,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    if (reason != NULL) {
        process->kill_reason = strndup(reason, KILL_REASON_MAX); /* No memory: none is given. */
    }
    atomic_store_explicit(&process->stop, (unsigned)stop, memory_order_release);
    return true;
}

void process_stop_because(struct process *process, enum process_stop stop, struct reason *reason)
{
    if (process->stop_reason != NULL) {
        return; /* One such was raised before. */
    }
    process->stop_reason = reason_retain(reason);
    if (!process_raise(process, stop, NULL)) {
        reason_release(TAKE(process->stop_reason));
    }
}

static void stop_describe(const struct process *process, enum process_stop stop, struct exit *exit)
{
    switch (stop) {
    case STOP_NONE:
        BUG("no stop to describe");
    case STOP_KILL:
        exit->exit_class = EXIT_KILLED;
        snprintf(exit->reason, sizeof(exit->reason), "%s",
                 process->kill_reason == NULL ? "" : process->kill_reason);
        return;
    case STOP_DEADLINE:
        exit->exit_class = EXIT_CRASHED_TIMEOUT;
        snprintf(exit->reason, sizeof(exit->reason), "deadline of %llu ms",
                 (unsigned long long)(process->deadline_ns / NS_PER_MS));
        return;
    case STOP_CPU:
        exit->exit_class = EXIT_CRASHED_CPU;
        snprintf(exit->reason, sizeof(exit->reason), "CPU budget of %llu ms",
                 (unsigned long long)(process->cpu_budget_ns / NS_PER_MS));
        return;
    case STOP_EXIT:
        /* Only its own exit(self, normal) ends a process so: that is no killing. */
        exit->exit_class = reason_is(process->stop_reason, REASON_NORMAL) ? EXIT_NORMAL
                                                                          : EXIT_KILLED;
        snprintf(exit->reason, sizeof(exit->reason), "%s", process->stop_reason->text);
        return;
    case STOP_SHUTDOWN:
        exit->exit_class = EXIT_SHUTDOWN;
        snprintf(exit->reason, sizeof(exit->reason), "%s", process->stop_reason->text);
        return;
    }
    BUG("stop %d", (int)stop);
}

static const struct process_quotas no_quotas;

static void process_arrive(struct task *task);
static void process_arrive_stop(struct task *task);

void process_init(struct process *process, const struct body *body, struct node *node,
                  const struct process_options *options)
{
    *process = (struct process){
        .task.run = process_arrive,
        .stop_task.run = process_arrive_stop,
        .body = body,
        .node = node,
        .parent = options->parent,
        .kind = options->kind,
        .label = options->label,
        .deadline_ns = options->deadline_ns,
        .cpu_budget_ns = options->cpu_budget_ns,
        .quotas = options->quotas == NULL ? &no_quotas : options->quotas,
        .namespace = options->namespace == NULL ? "main" : options->namespace,
        .traps_exits = options->traps_exits,
        .takes_stop = options->takes_stop,
        .accepts_links = options->accepts_links,
        .unlisted = options->unlisted,
    };
    list_init(&process->queue_link);
    list_init(&process->watchers);
    list_init(&process->registrations);
    atomic_init(&process->phase, PHASE_QUEUED);
    atomic_init(&process->references, 1);
    mailbox_init(&process->mailbox, options->mailbox);
}

void process_identify(struct process *process)
{
    if (pid_is_none(process->pid)) {
        struct worker *here = worker_current();
        bool ours = here != NULL && here->node == process->node;
        process->pid = node_next_pid(process->node, ours ? here : NULL);
    }
}

bool process_start(struct process *process, struct worker *worker, struct err *err)
{
    struct node *node = process->node;
    struct worker *here = worker_current();
    if (here != NULL && here->node != node) {
        here = NULL;
    }
    if (!node_admit(node, here, err)) {
        return false;
    }
    if (worker == NULL) {
        worker = node_least_loaded(node);
    }
    process_identify(process);
    process->started_ns = node_now_ns(node);
    process->deadline_due_ns = process->deadline_ns == 0
                                   ? 0
                                   : process->started_ns + process->deadline_ns;
    atomic_store_explicit(&process->worker, worker, memory_order_relaxed);
    if (!pid_table_insert(&node->pids, process)) {
        node_readmit(node, here);
        return err_set_memory(err);
    }
    if (worker == here) {
        worker_enqueue(worker, process, QUEUE_FRESH);
    } else {
        worker_post(worker, &process->task);
    }
    return true;
}

void process_retain(struct process *process)
{
    atomic_fetch_add_explicit(&process->references, 1, memory_order_relaxed);
}

void process_release(struct process *process)
{
    /* Release, so that what this holder did comes before the destruction; acquire, so that the
     * destroyer sees it. */
    unsigned before = atomic_fetch_sub_explicit(&process->references, 1, memory_order_acq_rel);
    INVARIANT(before > 0);
    if (before == 1) {
        free(atomic_load_explicit(&process->note, memory_order_relaxed));
        free(process->kill_reason);
        process->body->destroy(process);
    }
}

enum process_phase process_phase(const struct process *process)
{
    unsigned phase = atomic_load_explicit(&process->phase, memory_order_relaxed);
    return phase == PHASE_STOPPING ? PHASE_QUEUED : (enum process_phase)phase;
}

/* What a wake makes of a phase. */
static unsigned phase_woken(unsigned phase)
{
    return phase == PHASE_PARKED ? PHASE_QUEUED : phase == PHASE_RUNNING ? PHASE_WOKEN : phase;
}

void process_wake(struct process *process)
{
    unsigned phase = atomic_load_explicit(&process->phase, memory_order_relaxed);
    do {
        if (phase == PHASE_EXITED || phase == PHASE_STOPPING) {
            return;
        }
        /* An unchanged phase is written back all the same: the owner's next change of the word then
         * comes after this one, so that the turn it begins sees what the waker has done before. */
    } while (!atomic_compare_exchange_weak_explicit(&process->phase, &phase, phase_woken(phase),
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (phase == PHASE_PARKED) {
        struct worker *worker = atomic_load_explicit(&process->worker, memory_order_relaxed);
        if (worker == worker_current()) {
            worker_enqueue(worker, process, QUEUE_FRESH);
        } else {
            worker_post(worker, &process->task);
        }
    }
}

void process_stop(struct process *process, enum process_stop stop, const char *reason)
{
    INVARIANT(stop != STOP_NONE);
    if (!process_raise(process, stop, reason)) {
        return;
    }
    unsigned phase = atomic_load_explicit(&process->phase, memory_order_relaxed);
    do {
        if (phase == PHASE_EXITED) {
            return;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &process->phase, &phase, phase == PHASE_QUEUED ? PHASE_STOPPING : phase_woken(phase),
        memory_order_acq_rel, memory_order_relaxed));
    struct worker *worker = atomic_load_explicit(&process->worker, memory_order_relaxed);
    if (phase == PHASE_QUEUED) {
        worker_post(worker, &process->stop_task);
    } else if (phase == PHASE_PARKED) {
        /* Also on its own thread by the inbox, which ends it without a place in the queue. */
        worker_post(worker, &process->task);
    }
}

bool process_kill(struct node *node, struct pid pid, const char *reason)
{
    struct process *process = node_find(node, pid);
    if (process == NULL) {
        return false;
    }
    process_stop(process, STOP_KILL, reason);
    process_release(process);
    return true;
}

/* A turn is charged by the wall clock until its first look, which is where most turns end, but no more
 * than a few ticks: a longer gap is the kernel's, which ran something else. From that look on the
 * thread's own clock counts. */
enum { GAP_TICKS_MAX = 4 };

static uint64_t process_gap_ns(const struct process *process, uint64_t now)
{
    uint64_t gap = now - process->unit_began_ns;
    uint64_t most = GAP_TICKS_MAX * process->node->options.tick_ns;
    return gap < most ? gap : most;
}

static uint64_t process_thread_ns(const struct process *process)
{
    struct env *env = node_env(process->node);
    return env->thread_cpu_ns != NULL ? env->thread_cpu_ns(env) : env->monotonic_ns(env);
}

/* What the turn under way has cost its unit of work. */
static uint64_t process_turn_cost_ns(const struct process *process, uint64_t now)
{
    return process->meter_cpu_ns == 0
               ? process_gap_ns(process, now)
               : process->metered_ns + (process_thread_ns(process) - process->meter_cpu_ns);
}

static void process_meter_reset(struct process *process, uint64_t now)
{
    process->unit_began_ns = now;
    process->meter_cpu_ns = process->metered_ns = 0;
}

enum process_tick process_tick(struct process *process)
{
    if (mailbox_has_arrivals(&process->mailbox)) {
        signal_handle_all(process);
    }
    if (process_stop_of(process) != STOP_NONE) {
        return TICK_STOP;
    }
    struct node *node = process->node;
    uint64_t now = node_now_ns(node);
    bool raised = false;
    if (process->cpu_budget_ns != 0 && process->meter_cpu_ns == 0) {
        process->metered_ns = process_gap_ns(process, now);
        process->meter_cpu_ns = process_thread_ns(process);
    }
    if (process->cpu_budget_ns != 0 &&
        process->unit_cpu_ns + process_turn_cost_ns(process, now) >= process->cpu_budget_ns) {
        raised = process_raise(process, STOP_CPU, NULL);
    } else if (process->deadline_due_ns != 0 && now >= process->deadline_due_ns) {
        raised = process_raise(process, STOP_DEADLINE, NULL);
    } else if (now - process->turn_began_ns < node->options.tick_ns / 2) {
        return TICK_CONTINUE;
    }
    /* Where another thread is about to raise one, that counts, and the next look finds it. */
    return raised ? TICK_STOP : TICK_YIELD;
}

bool process_may_step(const struct process *process)
{
    return !mailbox_has_arrivals(&process->mailbox) && process_stop_of(process) == STOP_NONE;
}

void process_begin_unit(struct process *process)
{
    process->unit_cpu_ns = 0;
    process_meter_reset(process, node_now_ns(process->node));
}

static void deadline_fire(struct timer *timer)
{
    process_stop(CONTAINER_OF(timer, struct process, deadline), STOP_DEADLINE, NULL);
}

static void sleep_fire(struct timer *timer)
{
    process_wake(CONTAINER_OF(timer, struct process, sleep));
}

void process_set_deadline(struct process *process, uint64_t after_ns)
{
    timer_cancel(&process->deadline);
    process->deadline_ns = after_ns;
    process->deadline_due_ns = after_ns == 0 ? 0 : node_now_ns(process->node) + after_ns;
}

void process_wake_at(struct process *process, uint64_t due_ns)
{
    struct worker *worker = worker_current();
    INVARIANT(worker != NULL);
    timer_cancel(&process->sleep);
    timer_start(&worker->timers, &process->sleep, due_ns, sleep_fire);
}

void process_cancel_wake(struct process *process)
{
    timer_cancel(&process->sleep);
}

/* The exit of one that was stopped and gets no further turn. */
static void process_finish_stopped(struct process *process, struct worker *worker)
{
    struct exit exit = {.status = 0};
    stop_describe(process, process_stop_of(process), &exit);
    process_finish(process, worker, &exit);
}

/* Whether a queued process has become running, so that no stop finds it queued any more. */
static bool process_begin(struct process *process)
{
    unsigned queued = PHASE_QUEUED;
    /* Acquire: pairs with the release of whoever queued or woke it. */
    bool begun = atomic_compare_exchange_strong_explicit(
        &process->phase, &queued, PHASE_RUNNING, memory_order_acq_rel, memory_order_acquire);
    INVARIANT(begun || queued == PHASE_STOPPING);
    return begun;
}

/* A process that is QUEUED goes to the end of the queue, or to its own when a stop was raised
 * before it was QUEUED: nobody would take it out of the queue for that one. */
static void process_to_queue(struct process *process, struct worker *worker, enum queue_kind kind)
{
    if (process_stop_of(process) != STOP_NONE && process_begin(process)) {
        process_finish_stopped(process, worker);
    } else {
        worker_enqueue(worker, process, kind);
    }
}

/* The worker has taken it off its inbox. */
static void process_arrive(struct task *task)
{
    struct process *process = CONTAINER_OF(task, struct process, task);
    if (process->stop_arrived) {
        process_finish_stopped(process, worker_current());
    } else {
        process_to_queue(process, worker_current(), QUEUE_FRESH);
    }
}

/* A stop has found the process queued, on this worker or on one that was robbed of it since. */
static void process_arrive_stop(struct task *task)
{
    struct process *process = CONTAINER_OF(task, struct process, stop_task);
    struct worker *here = worker_current();
    if (worker_unqueue(here, process)) {
        process_finish_stopped(process, here);
        return;
    }
    struct worker *worker = atomic_load_explicit(&process->worker, memory_order_acquire);
    if (worker != here) {
        worker_post(worker, task);
    } else if (process->left_queue) {
        process_finish_stopped(process, here);
    } else {
        process->stop_arrived = true; /* Still on its way to the queue. */
    }
}

/* One writer, so no need for an atomic addition. */
static void count(atomic_uint_least64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static void process_ended(struct process *process, struct worker *worker, struct exit *exit)
{
    enum process_stop stop = process_stop_of(process);
    if (stop != STOP_NONE && exit->exit_class == EXIT_KILLED) {
        stop_describe(process, stop, exit);
    }
    process_finish(process, worker, exit);
}

static void process_requeue(struct process *process, struct worker *worker, enum queue_kind kind)
{
    /* Acquire: the turn that follows must see what was done before the wakes that are absorbed
     * here. A stop that is raised from here on finds the process queued. */
    atomic_exchange_explicit(&process->phase, PHASE_QUEUED, memory_order_acq_rel);
    process_to_queue(process, worker, kind);
}

static void process_parked(struct process *process, struct worker *worker)
{
    unsigned running = PHASE_RUNNING;
    /* From a success on, the process may run again and be gone: touch it no more. Release: what the
     * turn wrote is there for the worker that steals and runs it next. */
    if (!atomic_compare_exchange_strong_explicit(&process->phase, &running, PHASE_PARKED,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        INVARIANT(running == PHASE_WOKEN);
        process_requeue(process, worker, QUEUE_FRESH);
    }
}

static void process_yielded(struct process *process, struct worker *worker)
{
    count(&process->preemptions, 1);
    count(&worker->preemptions, 1);
    process_requeue(process, worker, QUEUE_PREEMPTED);
}

void process_run(struct process *process, struct worker *worker)
{
    if (!process_begin(process)) {
        process->left_queue = true;
        return;
    }
    uint64_t began = worker->now_ns;
    if (process->deadline_due_ns != 0 && began >= process->deadline_due_ns) {
        process_raise(process, STOP_DEADLINE, NULL);
    }
    if (mailbox_has_arrivals(&process->mailbox)) {
        signal_handle_all(process);
    }
    if (process_stop_of(process) != STOP_NONE) {
        process_finish_stopped(process, worker);
        return;
    }
    process->turn_began_ns = began;
    process_meter_reset(process, began);
    atomic_store_explicit(&worker->turn_began_ns, began, memory_order_relaxed);

    struct exit exit;
    exit.exit_class = EXIT_NORMAL;
    exit.status = 0;
    exit.reason[0] = '\0';
    exit.backtrace = NULL;
    enum turn turn = process->body->turn(process, &exit);

    /* One look at the clock ends this turn and begins the next. */
    uint64_t now = worker_look(worker);
    atomic_store_explicit(&worker->turn_began_ns, 0, memory_order_relaxed);
    process->unit_cpu_ns += process_turn_cost_ns(process, now);
    count(&process->cpu_ns, now - began);
    count(&process->turns, 1);
    count(&worker->turns, 1);
    if (turn == TURN_ENDED) {
        process_ended(process, worker, &exit);
        return;
    }
    /* Many turns that are each too short for a tick cost as much as a long one. */
    if (process->cpu_budget_ns != 0 && process->unit_cpu_ns >= process->cpu_budget_ns) {
        process_raise(process, STOP_CPU, NULL);
    }
    if (process_stop_of(process) != STOP_NONE) {
        process_finish_stopped(process, worker);
        return;
    }
    if (process->deadline_due_ns != 0 &&
        atomic_load_explicit(&process->deadline.wheel, memory_order_relaxed) == NULL) {
        timer_start(&worker->timers, &process->deadline, process->deadline_due_ns, deadline_fire);
    }
    switch (turn) {
    case TURN_PARKED:
        process_parked(process, worker);
        return;
    case TURN_YIELDED:
        process_yielded(process, worker);
        return;
    case TURN_ENDED:
        break;
    }
    BUG("turn %d", (int)turn);
}
