#include "core/monitor.h"

#include "core/monitor_half.h"
#include "core/schedule.h"

/* The watcher's half: the body of a SIGNAL_DEMONITOR that lies ready. */
struct monitor {
    struct tie tie; /* in what its owner awaits, by the reference */
    struct pid target;
    struct message *watch; /* the target's half, which is no business of the watcher's any more */
};

/* The target's half: the body of what first is the SIGNAL_MONITOR and then the SIGNAL_DOWN. Its sender is the watcher,
 * until it goes back. */
struct watch {
    struct list member; /* in the watchers of the target, once it is there */
};

static void *body_of(const struct message *message, size_t size_bytes)
{
    INVARIANT(message->size_bytes == size_bytes);
    return (void *)(uintptr_t)message->body;
}

static struct message *message_of(void *body)
{
    return (struct message *)(void *)((char *)body - offsetof(struct message, body));
}

static struct monitor *monitor_of(const struct message *message)
{
    return body_of(message, sizeof(struct monitor));
}

static struct watch *watch_of(const struct message *message)
{
    return body_of(message, sizeof(struct watch));
}

static void count(atomic_uint *counter, int by)
{
    unsigned now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + (unsigned)by, memory_order_relaxed);
}

/* Both halves: the watcher's is kept, the other, for the target, is returned. */
static struct message *monitor_make(struct process *process, struct pid target, enum tie_kind kind,
                                    struct err *err)
{
    if (!process_may_tie(process, err)) {
        return NULL;
    }
    struct message *watch = signal_create(SIGNAL_MONITOR, process->pid, sizeof(struct watch));
    struct message *own = signal_create(SIGNAL_DEMONITOR, process->pid, sizeof(struct monitor));
    if (own == NULL || watch == NULL) {
        message_destroy(own);
        message_destroy(watch);
        err_set_memory(err);
        return NULL;
    }
    struct monitor *monitor = monitor_of(own);
    monitor->tie.kind = kind;
    monitor->target = target;
    monitor->watch = watch;
    watch->reference = process_next_reference(process);
    map_insert(&process->awaited, &monitor->tie.member, watch->reference);
    process->ties++;
    count(&process->monitor_count, 1);
    return watch;
}

/* What is open under that reference, or NULL. */
static struct monitor *monitor_find(const struct process *process, uint64_t reference)
{
    struct map_member *member = map_find(&process->awaited, reference);
    if (member == NULL) {
        return NULL;
    }
    struct tie *tie = CONTAINER_OF(member, struct tie, member);
    return tie->kind == TIE_ALARM ? NULL : CONTAINER_OF(tie, struct monitor, tie);
}

/* Close it: the message is the caller's. */
static struct message *monitor_take(struct process *process, struct monitor *monitor)
{
    struct map_member *member = map_remove(&process->awaited, monitor->tie.member.key);
    INVARIANT(member == &monitor->tie.member);
    process->ties--;
    count(&process->monitor_count, -1);
    return message_of(monitor);
}

static void monitor_send_withdrawal(struct process *process, struct message *own)
{
    signal_dress(own, SIGNAL_DEMONITOR, process->pid);
    signal_send_or_drop(process->node, monitor_of(own)->target, own);
}

/* The half that would have been the target's says what the target would have said. */
static void monitor_answer_noproc(struct process *process, struct pid target, struct message *watch)
{
    signal_dress(watch, SIGNAL_DOWN, target);
    watch->reason = reason_of(REASON_NOPROC);
    signal_send_or_drop(process->node, process->pid, watch);
}

bool monitor_add(struct process *process, struct pid target, uint64_t *ret_reference,
                 struct err *err)
{
    struct process *watched = process_find(process, target);
    /* Who is out of reach is not the monitor's target: no withdrawal may go there. */
    struct pid known = watched != NULL ? target : (struct pid){0};
    struct message *watch = monitor_make(process, known, TIE_MONITOR, err);
    bool made = watch != NULL;
    if (made) {
        *ret_reference = watch->reference;
        if (watched == NULL || !signal_push(watched, watch)) {
            monitor_answer_noproc(process, target, watch);
        }
    }
    if (watched != NULL) {
        process_release(watched);
    }
    return made;
}

bool monitor_child(struct process *process, struct process *child, uint64_t *ret_reference,
                   struct err *err)
{
    process_identify(child);
    struct message *watch = monitor_make(process, child->pid, TIE_MONITOR, err);
    if (watch == NULL) {
        return false;
    }
    *ret_reference = watch->reference;
    monitor_arrive(child, watch);
    return true;
}

bool monitor_remove(struct process *process, uint64_t reference)
{
    struct monitor *monitor = monitor_find(process, reference);
    if (monitor != NULL) {
        monitor_send_withdrawal(process, monitor_take(process, monitor));
        return true;
    }
    const struct mailbox_filter news = {.kinds = 1U << MESSAGE_DOWN | 1U << MESSAGE_REPLY,
                                        .reference = reference};
    if (reference != 0) {
        mailbox_flush(&process->mailbox, &news, 0);
    }
    return false;
}

/* Give `request` to the target, behind the monitor. False: its mailbox is full and refuses. */
static bool call_send(struct process *target, struct message *watch, struct message *request,
                      bool *ret_watched)
{
    enum push_result watched = mailbox_push(&target->mailbox, &watch->entry);
    *ret_watched = watched == PUSH_ACCEPTED;
    if (!*ret_watched) {
        message_destroy(request);
        return true;
    }
    enum push_result result = process_push(target, &request->entry);
    if (result != PUSH_ACCEPTED) {
        process_wake(target); /* For the monitor's sake. */
        if (result == PUSH_FULL && target->mailbox.limits.policy == MAILBOX_REFUSE) {
            return false;
        }
        message_destroy(request);
    }
    return true;
}

bool monitor_call(struct process *process, struct pid target, struct message *request,
                  uint64_t *ret_reference, struct err *err)
{
    struct process *callee = process_find(process, target);
    struct pid known = callee != NULL ? target : (struct pid){0};
    struct message *watch = monitor_make(process, known, TIE_CALL, err);
    if (watch == NULL) {
        if (callee != NULL) {
            process_release(callee);
        }
        return false;
    }
    uint64_t reference = watch->reference;
    request->kind = MESSAGE_CALL;
    request->sender = process->pid.raw;
    request->reference = reference;
    mailbox_mark(&process->mailbox, reference);
    bool watched = false;
    if (callee == NULL) {
        message_destroy(request);
    } else {
        bool taken = call_send(callee, watch, request, &watched);
        process_release(callee);
        if (!taken) {
            monitor_remove(process, reference);
            return err_set(err, ERR_LIMIT, "the mailbox of process %llu is full",
                           (unsigned long long)target.raw);
        }
    }
    if (!watched) {
        monitor_answer_noproc(process, target, watch);
    }
    *ret_reference = reference;
    return true;
}

bool monitor_reply(struct node *node, struct pid caller, uint64_t reference, struct message *reply)
{
    struct process *process = node_find(node, caller);
    if (process == NULL) {
        message_destroy(reply);
        return true;
    }
    bool taken = mailbox_expect_answer(&process->mailbox, reply, process->quotas->ties_max);
    if (taken) {
        reply->reference = reference;
        signal_dress(reply, SIGNAL_REPLY, (struct pid){reply->sender});
        if (!signal_push(process, reply)) {
            mailbox_forget_answer(&process->mailbox, reply);
            message_destroy(reply);
        }
    }
    process_release(process);
    return taken;
}

uint32_t monitor_count(const struct process *process)
{
    return atomic_load_explicit(&process->monitor_count, memory_order_relaxed);
}

uint32_t monitor_watchers(const struct process *process)
{
    return atomic_load_explicit(&process->watcher_count, memory_order_relaxed);
}

void monitor_arrive(struct process *process, struct message *signal)
{
    list_append(&process->watchers, &watch_of(signal)->member);
    count(&process->watcher_count, 1);
}

void monitor_withdraw(struct process *process, struct message *signal)
{
    struct message *watch = monitor_of(signal)->watch;
    list_remove(&watch_of(watch)->member);
    count(&process->watcher_count, -1);
    message_destroy(watch);
    message_destroy(signal);
}

bool monitor_ended(struct process *process, const struct message *signal)
{
    struct monitor *monitor = monitor_find(process, signal->reference);
    if (monitor == NULL) {
        return false;
    }
    message_destroy(monitor_take(process, monitor));
    return true;
}

bool monitor_answered(struct process *process, const struct message *signal)
{
    struct monitor *monitor = monitor_find(process, signal->reference);
    if (monitor == NULL || monitor->tie.kind != TIE_CALL) {
        return false;
    }
    monitor_send_withdrawal(process, monitor_take(process, monitor));
    return true;
}

bool monitor_exit_one(struct process *process, struct reason *reason)
{
    struct list *first = list_take_first(&process->watchers);
    if (first == NULL) {
        return false;
    }
    struct message *watch = message_of(CONTAINER_OF(first, struct watch, member));
    struct pid watcher = {watch->sender};
    signal_dress(watch, SIGNAL_DOWN, process->pid);
    watch->reason = reason_retain(reason);
    signal_send_or_drop(process->node, watcher, watch);
    return true;
}

/* The half, or NULL. Alarms have gone before. */
static struct message *monitor_take_any(struct process *process)
{
    struct map_member *member = map_take_any(&process->awaited);
    if (member == NULL) {
        return NULL;
    }
    struct tie *tie = CONTAINER_OF(member, struct tie, member);
    INVARIANT(tie->kind != TIE_ALARM);
    return message_of(CONTAINER_OF(tie, struct monitor, tie));
}

bool monitor_leave_one(struct process *process)
{
    struct message *own = monitor_take_any(process);
    if (own == NULL) {
        return false;
    }
    monitor_send_withdrawal(process, own);
    return true;
}

void monitor_discard_all(struct process *process)
{
    struct list *watcher;
    while ((watcher = list_take_first(&process->watchers)) != NULL) {
        message_destroy(message_of(CONTAINER_OF(watcher, struct watch, member)));
    }
    struct message *own;
    while ((own = monitor_take_any(process)) != NULL) {
        message_destroy(own);
    }
}
