/* What processes say to each other by pid, and how they read it. */
#include "core/process.h"

#include "core/alarm.h"
#include "core/schedule.h"
#include "core/signal.h"

#include <stdio.h>

struct process *process_find(const struct process *process, struct pid pid)
{
    struct process *found = node_find(process->node, pid);
    if (found != NULL && process->body->reaches != NULL &&
        !process->body->reaches(process, found)) {
        process_release(found);
        return NULL;
    }
    return found;
}

enum push_result process_push(struct process *process, struct entry *entry)
{
    enum push_result result = mailbox_push(&process->mailbox, entry);
    switch (result) {
    case PUSH_ACCEPTED:
        process_wake(process);
        break;
    case PUSH_FULL:
        if (process->mailbox.limits.policy == MAILBOX_KILL) {
            process_stop(process, STOP_KILL, "mailbox full");
        }
        break;
    case PUSH_CLOSED:
        break;
    }
    return result;
}

bool process_send_to(struct process *process, struct message *message)
{
    enum push_result result = process_push(process, &message->entry);
    bool refused = result == PUSH_FULL && process->mailbox.limits.policy == MAILBOX_REFUSE;
    if (result != PUSH_ACCEPTED && !refused) {
        message_destroy(message);
    }
    return !refused;
}

bool process_send(struct node *node, struct pid target, struct message *message)
{
    struct process *process = node_find(node, target);
    if (process == NULL) {
        message_destroy(message);
        return true;
    }
    bool taken = process_send_to(process, message);
    process_release(process);
    return taken;
}

/* What others made, not news of the platform. */
static bool is_traffic(const struct message *message)
{
    return message->kind == MESSAGE_SEND || message->kind == MESSAGE_CALL ||
           message->kind == MESSAGE_REPLY || message->kind == MESSAGE_FRAME;
}

struct message *process_receive(struct process *process, const struct mailbox_filter *filter)
{
    if (mailbox_has_arrivals(&process->mailbox)) {
        signal_handle_all(process);
    }
    if (process_stop_of(process) != STOP_NONE) {
        return NULL;
    }
    struct message *message = mailbox_receive(&process->mailbox, filter);
    if (message != NULL && message->kind == MESSAGE_TIMER) {
        alarm_taken(process, message);
    }
    if (message != NULL && is_traffic(message)) {
        size_t size = 0;
        (void)message_data(message, &size);
        traffic_received(&process->traffic, size);
    }
    return message;
}

bool process_trap_exits(struct process *process, bool traps)
{
    bool before = process->traps_exits;
    process->traps_exits = traps;
    return before;
}

uint64_t process_next_reference(struct process *process)
{
    /* Through the permutation of pids, so that nobody can guess it and answer in another's place. */
    struct pid reference;
    do {
        uint64_t counter = process->pid.raw + ++process->next_reference;
        reference = pid_at(&process->node->pid_source, counter);
    } while (pid_is_none(reference) || reference.raw > INT64_MAX);
    return reference.raw;
}

bool process_may_tie(const struct process *process, struct err *err)
{
    if (process->ties < process->quotas->ties_max) {
        return true;
    }
    return err_set(err, ERR_LIMIT, "all %lu links, monitors and calls of the process are in use",
                   (unsigned long)process->quotas->ties_max);
}

bool process_exit_signal(struct node *node, struct pid from, struct pid target,
                         struct reason *reason)
{
    struct process *process = node_find(node, target);
    if (process == NULL) {
        return false;
    }
    bool sent = true;
    if (reason_is(reason, REASON_KILL)) {
        char who[32];
        snprintf(who, sizeof(who), "by %llu", (unsigned long long)from.raw);
        process_stop(process, STOP_KILL, pid_is_none(from) ? "killed" : who);
    } else {
        struct message *signal = signal_create(SIGNAL_EXIT, from, 0);
        sent = signal != NULL;
        if (sent) {
            signal->reason = reason_retain(reason);
            sent = process_push(process, &signal->entry) == PUSH_ACCEPTED;
        } else if (!reason_is(reason, REASON_NORMAL)) {
            process_stop(process, STOP_KILL, reason->text);
        }
        if (!sent) {
            message_destroy(signal);
        }
    }
    process_release(process);
    return sent;
}

bool process_ask_stop(struct node *node, struct pid from, struct pid target, struct reason *reason)
{
    struct message *signal = signal_create(SIGNAL_STOP, from, 0);
    if (signal == NULL) {
        return process_kill(node, target, reason->text);
    }
    signal->reason = reason_retain(reason);
    bool sent = signal_send(node, target, signal);
    if (!sent) {
        message_destroy(signal);
    }
    return sent;
}
