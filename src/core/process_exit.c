/* The exit of a process, in the order that the specification gives. */
#include "core/process.h"

#include "core/alarm.h"
#include "core/schedule.h"
#include "core/signal.h"

/* Who has more ties than this tells so many at once, about 50 us, and lets others run in between. Likewise who has left
 * more mail unread. */
enum { TELL_AT_ONCE = 256, SWEEP_AT_ONCE = 512 };

static void process_tell(struct process *process)
{
    /* Mail first: ends of streams in it are closed before anybody hears of the exit. */
    if (!mailbox_sweep(&process->mailbox, SWEEP_AT_ONCE) ||
        !signal_exit(process, process->stop_reason, TELL_AT_ONCE)) {
        worker_defer(worker_current(), &process->task);
        return;
    }
    if (!process->retired) {
        node_retire(worker_current(), process->exit_class);
    }
    reason_release(TAKE(process->stop_reason));
    process_release(process);
}

static void process_tell_more(struct task *task)
{
    process_tell(CONTAINER_OF(task, struct process, task));
}

static uint32_t process_tie_count(const struct process *process)
{
    return process->links.count + process->awaited.count +
           atomic_load_explicit(&process->watcher_count, memory_order_relaxed);
}

/* What others are told. An exit signal that ended it is passed on as it came. */
static void process_settle_reason(struct process *process, const struct exit *exit)
{
    if (exit->exit_class != EXIT_KILLED || process_stop_of(process) != STOP_EXIT) {
        reason_release(process->stop_reason);
        process->stop_reason = reason_from_exit(exit);
    }
}

void process_finish(struct process *process, struct worker *worker, struct exit *exit)
{
    atomic_store_explicit(&process->phase, PHASE_EXITED, memory_order_release);
    if (!list_is_empty(&process->registrations)) {
        registry_leave(node_registry(process->node), process);
    }
    process->body->reclaim(process);
    if (process->timers > 0) {
        alarm_exit(process);
    }
    signal_close(process, mailbox_close(&process->mailbox));
    bool swept = mailbox_sweep(&process->mailbox, SWEEP_AT_ONCE);
    timer_cancel(&process->deadline);
    timer_cancel(&process->sleep);
    pid_table_remove(&process->node->pids, process);
    /* Its place is free before anybody hears of it and wants to start another; the node counts it until its last word. */
    node_vacate(process->node, worker);
    process->retired = swept && process_tie_count(process) <= TELL_AT_ONCE;
    if (process->retired) {
        node_retire(worker, exit->exit_class);
    }
    bool tied = process_has_ties(process);
    process->exit_class = exit->exit_class;
    process->task.run = process_tell_more;
    if (tied) {
        process_settle_reason(process, exit);
    }
    if (process->body->exited != NULL) {
        process->body->exited(process, exit);
    }
    exit_fini(exit);
    if (!swept) {
        worker_defer(worker, &process->task);
    } else if (tied) {
        process_tell(process);
    } else {
        reason_release(TAKE(process->stop_reason));
        process_release(process);
    }
}

void process_discard(struct process *process)
{
    if (!list_is_empty(&process->registrations)) {
        registry_leave(node_registry(process->node), process);
    }
    signal_close(process, mailbox_close(&process->mailbox));
    bool swept = mailbox_sweep(&process->mailbox, UINT32_MAX);
    INVARIANT(swept);
    signal_discard(process);
    process->pid = (struct pid){0};
    process_release(process);
}
