#include "core/worker.h"

#include "core/node.h"
#include "core/schedule.h"

enum {
    SLICE_NS = 1000000,        /* of fresh work before the loop looks for input again */
    SHARES_MAX_NS = 32000000,  /* how far back the shares of fresh and preempted look */
    FRESH_MEMORY_NS = 4000000, /* without fresh work for so long, preempted run back to back */
    PREEMPTED_SHARE_MAX = 4,   /* a quarter */
    PREEMPTED_SHARE_MIN = 20,  /* a twentieth */
    STEAL_AGE_NS = 250000,     /* what has waited less is the victim's to run */
};

static _Thread_local struct worker *current;

struct worker *worker_current(void)
{
    return current;
}

void worker_set_current(struct worker *worker)
{
    current = worker;
}

static void run_queue_init(struct run_queue *queue)
{
    list_init(&queue->processes);
    atomic_init(&queue->length, 0);
}

static unsigned run_queue_length(const struct run_queue *queue)
{
    return atomic_load_explicit(&queue->length, memory_order_relaxed);
}

/* With the lock held, so there is one writer at a time. */
static void run_queue_grow(struct run_queue *queue, int by)
{
    atomic_store_explicit(&queue->length, run_queue_length(queue) + (unsigned)by,
                          memory_order_relaxed);
}

void worker_init(struct worker *worker, struct node *node, unsigned index,
                 void (*notify)(struct worker *worker))
{
    *worker = (struct worker){.node = node, .index = index, .notify = notify};
    worker_look(worker);
    timer_wheel_init(&worker->timers, worker->now_ns);
    lock_init(&worker->lock, LOCK_QUEUE);
    run_queue_init(&worker->fresh);
    run_queue_init(&worker->preempted);
}

void worker_fini(struct worker *worker)
{
    INVARIANT(worker_backlog(worker) == 0);
    INVARIANT(worker->deferred_first == NULL);
    timer_wheel_fini(&worker->timers);
    lock_fini(&worker->lock);
}

uint64_t worker_look(struct worker *worker)
{
    struct env *env = node_env(worker->node);
    worker->now_ns = env->monotonic_ns(env);
    return worker->now_ns;
}

void worker_begin_input(struct worker *worker)
{
    worker_look(worker);
    worker->handling = true;
}

void worker_ring(struct worker *worker)
{
    /* Looked at first, so that the line stays shared while the worker is awake. Order: pairs with
     * worker_begin_sleep(); either it sees what we have put there, or we see it asleep. */
    if (atomic_load_explicit(&worker->sleeping, memory_order_seq_cst) &&
        atomic_exchange_explicit(&worker->sleeping, false, memory_order_seq_cst)) {
        worker->notify(worker);
    }
}

void worker_post(struct worker *worker, struct task *task)
{
    /* Whoever ends a node waits for this to be zero: the last steps below come after the task can
     * have been run, and with it the last process have gone. */
    atomic_fetch_add_explicit(&worker->posting, 1, memory_order_relaxed);
    struct task *newest = atomic_load_explicit(&worker->inbox, memory_order_relaxed);
    do {
        task->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&worker->inbox, &newest, task,
                                                    memory_order_seq_cst, memory_order_relaxed));
    if (newest == NULL) {
        worker_ring(worker); /* Whoever found it empty rings, for all that follow. */
    }
    atomic_fetch_sub_explicit(&worker->posting, 1, memory_order_release);
}

void worker_defer(struct worker *worker, struct task *task)
{
    task->next = NULL;
    if (worker->deferred_last == NULL) {
        worker->deferred_first = task;
    } else {
        worker->deferred_last->next = task;
    }
    worker->deferred_last = task;
}

bool worker_begin_sleep(struct worker *worker)
{
    atomic_store_explicit(&worker->sleeping, true, memory_order_seq_cst);
    return atomic_load_explicit(&worker->inbox, memory_order_seq_cst) == NULL;
}

void worker_awake(struct worker *worker)
{
    atomic_store_explicit(&worker->sleeping, false, memory_order_seq_cst);
    ticker_wake(&worker->node->ticker);
}

unsigned worker_backlog(struct worker *worker)
{
    return run_queue_length(&worker->fresh) + run_queue_length(&worker->preempted);
}

static struct run_queue *queue_of(struct worker *worker, enum queue_kind kind)
{
    return kind == QUEUE_FRESH ? &worker->fresh : &worker->preempted;
}

void worker_enqueue(struct worker *worker, struct process *process, enum queue_kind kind)
{
    struct run_queue *queue = queue_of(worker, kind);
    atomic_store_explicit(&process->queued_ns, worker->now_ns, memory_order_relaxed);
    lock_take(&worker->lock);
    process->preempted = kind == QUEUE_PREEMPTED;
    list_append(&queue->processes, &process->queue_link);
    run_queue_grow(queue, 1);
    lock_release(&worker->lock);
}

static struct process *worker_dequeue(struct worker *worker, enum queue_kind kind)
{
    struct run_queue *queue = queue_of(worker, kind);
    lock_take(&worker->lock);
    struct list *first = list_take_first(&queue->processes);
    if (first != NULL) {
        run_queue_grow(queue, -1);
    }
    lock_release(&worker->lock);
    return first == NULL ? NULL : CONTAINER_OF(first, struct process, queue_link);
}

bool worker_unqueue(struct worker *worker, struct process *process)
{
    lock_take(&worker->lock);
    /* Who steals it changes `worker` before it lets go of our lock. */
    bool here = atomic_load_explicit(&process->worker, memory_order_relaxed) == worker &&
                !list_is_empty(&process->queue_link);
    if (here) {
        list_remove(&process->queue_link);
        run_queue_grow(process->preempted ? &worker->preempted : &worker->fresh, -1);
    }
    lock_release(&worker->lock);
    return here;
}

static uint64_t run_queue_oldest_ns(const struct run_queue *queue)
{
    if (list_is_empty(&queue->processes)) {
        return UINT64_MAX;
    }
    struct process *first = CONTAINER_OF(queue->processes.next, struct process, queue_link);
    return atomic_load_explicit(&first->queued_ns, memory_order_relaxed);
}

uint64_t worker_oldest_ns(struct worker *worker)
{
    lock_take(&worker->lock);
    uint64_t fresh = run_queue_oldest_ns(&worker->fresh);
    uint64_t preempted = run_queue_oldest_ns(&worker->preempted);
    lock_release(&worker->lock);
    return fresh < preempted ? fresh : preempted;
}

/* Move up to `most` from a queue, what has waited for long enough, to `ret`. With the victim's
 * lock. */
static unsigned rob_queue(struct run_queue *queue, struct worker *thief, unsigned most,
                          struct list *ret)
{
    unsigned moved = 0;
    while (moved < most) {
        uint64_t queued = run_queue_oldest_ns(queue);
        if (queued >= thief->now_ns || thief->now_ns - queued < STEAL_AGE_NS) {
            break;
        }
        struct list *first = list_take_first(&queue->processes);
        INVARIANT(first != NULL); /* It has an oldest one. */
        struct process *process = CONTAINER_OF(first, struct process, queue_link);
        atomic_store_explicit(&process->worker, thief, memory_order_release);
        list_append(ret, first);
        moved++;
    }
    run_queue_grow(queue, -(int)moved);
    return moved;
}

/* Take half of what waits, the fresh first. Two locks of one rank are never held together, so the
 * loot passes through lists of our own. */
static bool worker_rob(struct worker *thief, struct worker *victim)
{
    struct list fresh, preempted;
    list_init(&fresh);
    list_init(&preempted);
    lock_take(&victim->lock);
    unsigned most = (worker_backlog(victim) + 1) / 2;
    unsigned fresh_count = rob_queue(&victim->fresh, thief, most, &fresh);
    unsigned preempted_count = rob_queue(&victim->preempted, thief, most - fresh_count, &preempted);
    lock_release(&victim->lock);
    if (fresh_count + preempted_count == 0) {
        return false;
    }
    lock_take(&thief->lock);
    list_splice(&thief->fresh.processes, &fresh);
    run_queue_grow(&thief->fresh, (int)fresh_count);
    list_splice(&thief->preempted.processes, &preempted);
    run_queue_grow(&thief->preempted, (int)preempted_count);
    lock_release(&thief->lock);
    uint64_t steals = atomic_load_explicit(&thief->steals, memory_order_relaxed);
    atomic_store_explicit(&thief->steals, steals + fresh_count + preempted_count,
                          memory_order_relaxed);
    return true;
}

static bool worker_steal(struct worker *thief)
{
    unsigned workers = node_workers(thief->node);
    for (unsigned i = 1; i < workers; i++) {
        struct worker *victim = &node_loop(thief->node, (thief->index + i) % workers)->worker;
        if (worker_backlog(victim) > 0 && worker_rob(thief, victim)) {
            return true;
        }
    }
    return false;
}

/* Run what other threads have posted, oldest first. */
static void worker_run_inbox(struct worker *worker)
{
    if (atomic_load_explicit(&worker->inbox, memory_order_relaxed) == NULL) {
        return;
    }
    /* Acquire: pairs with the push in worker_post(). */
    struct task *newest = atomic_exchange_explicit(&worker->inbox, NULL, memory_order_seq_cst);
    struct task *oldest = NULL;
    while (newest != NULL) {
        struct task *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    while (oldest != NULL) {
        struct task *next = oldest->next;
        oldest->run(oldest);
        oldest = next;
    }
}

/* What was deferred up to now; what these defer in turn is for the next round. */
static void worker_run_deferred(struct worker *worker)
{
    struct task *task = worker->deferred_first;
    worker->deferred_first = worker->deferred_last = NULL;
    while (task != NULL) {
        struct task *next = task->next;
        task->run(task);
        task = next;
    }
}

enum choice { CHOICE_NONE, CHOICE_PAUSE, CHOICE_FRESH, CHOICE_PREEMPTED };

static enum choice worker_choose(struct worker *worker)
{
    bool fresh = run_queue_length(&worker->fresh) > 0;
    bool preempted = run_queue_length(&worker->preempted) > 0;
    uint64_t all_ns = worker->fresh_ns + worker->preempted_ns;
    if (fresh) {
        bool starves = worker->preempted_ns * PREEMPTED_SHARE_MIN < all_ns;
        return preempted && starves ? CHOICE_PREEMPTED : CHOICE_FRESH;
    }
    if (!preempted) {
        return CHOICE_NONE;
    }
    if (worker->now_ns - worker->fresh_seen_ns > FRESH_MEMORY_NS ||
        worker->preempted_ns * PREEMPTED_SHARE_MAX <= all_ns) {
        return CHOICE_PREEMPTED;
    }
    /* Input comes in bursts with short gaps: a millisecond given away in each gap would halve a
     * server. So look for input a little longer first. */
    if (worker->pause_began_ns == 0) {
        worker->pause_began_ns = worker->now_ns;
    }
    bool over = worker->now_ns - worker->pause_began_ns >= WORKER_PAUSE_NS;
    return over ? CHOICE_PREEMPTED : CHOICE_PAUSE;
}

static void worker_account(struct worker *worker, enum queue_kind kind, uint64_t spent_ns)
{
    if (kind == QUEUE_FRESH) {
        worker->fresh_ns += spent_ns;
        worker->fresh_seen_ns = worker->now_ns;
    } else {
        worker->preempted_ns += spent_ns;
    }
    if (worker->fresh_ns + worker->preempted_ns > SHARES_MAX_NS) {
        worker->fresh_ns /= 2;
        worker->preempted_ns /= 2;
    }
}

static enum worker_state worker_state_of(enum choice choice)
{
    switch (choice) {
    case CHOICE_NONE:
        return WORKER_IDLE;
    case CHOICE_PAUSE:
        return WORKER_PAUSE;
    case CHOICE_FRESH:
    case CHOICE_PREEMPTED:
        return WORKER_BUSY;
    }
    BUG("choice %d", (int)choice);
}

/* Turns, until nothing may run, a slice is over, or a preempted process had its turn. */
static enum worker_state worker_run_turns(struct worker *worker)
{
    uint64_t end = worker->now_ns + SLICE_NS;
    while (worker->now_ns < end) {
        enum choice choice = worker_choose(worker);
        if (choice == CHOICE_NONE || choice == CHOICE_PAUSE) {
            return worker_state_of(choice);
        }
        enum queue_kind kind = choice == CHOICE_FRESH ? QUEUE_FRESH : QUEUE_PREEMPTED;
        struct process *process = worker_dequeue(worker, kind);
        if (process == NULL) {
            continue; /* Stolen just now. */
        }
        worker->pause_began_ns = 0;
        uint64_t began = worker->now_ns;
        process_run(process, worker);
        worker_account(worker, kind, worker->now_ns - began);
        if (kind == QUEUE_PREEMPTED) {
            break;
        }
    }
    return worker_state_of(worker_choose(worker));
}

enum worker_state worker_run(struct worker *worker)
{
    struct worker *before = current;
    current = worker;
    uint64_t handled_from = worker->now_ns;
    worker_look(worker);
    if (worker->handling) {
        worker->handling = false;
        worker_account(worker, QUEUE_FRESH, worker->now_ns - handled_from);
    }
    worker_run_inbox(worker);
    timer_wheel_advance(&worker->timers, worker->now_ns);
    enum worker_state state = worker_run_turns(worker);
    if (state == WORKER_IDLE && worker_steal(worker)) {
        state = worker_run_turns(worker);
    }
    worker_run_deferred(worker);
    if (worker->deferred_first != NULL || run_queue_length(&worker->fresh) > 0) {
        state = WORKER_BUSY;
    }
    current = before;
    return state;
}

uint64_t worker_next_ns(struct worker *worker)
{
    return timer_wheel_next_ns(&worker->timers);
}
