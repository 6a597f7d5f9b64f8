#include "core/signal.h"

#include "core/alarm.h"
#include "core/link_half.h"
#include "core/monitor_half.h"
#include "core/schedule.h"

struct message *signal_create(enum signal_kind kind, struct pid from, size_t body_bytes)
{
    struct message *message = message_create_news(MESSAGE_CHANGED, body_bytes);
    if (message != NULL) {
        signal_dress(message, kind, from);
    }
    return message;
}

void signal_dress(struct message *message, enum signal_kind kind, struct pid from)
{
    message->entry.kind = ENTRY_SIGNAL;
    message->signal = kind;
    message->sender = from.raw;
}

bool signal_send(struct node *node, struct pid to, struct message *signal)
{
    struct process *process = node_find(node, to);
    if (process == NULL) {
        return false;
    }
    bool sent = signal_push(process, signal);
    process_release(process);
    return sent;
}

bool signal_push(struct process *process, struct message *signal)
{
    enum push_result result = process_push(process, &signal->entry);
    INVARIANT(result != PUSH_FULL);
    return result == PUSH_ACCEPTED;
}

void signal_send_or_drop(struct node *node, struct pid to, struct message *signal)
{
    if (!signal_send(node, to, signal)) {
        message_destroy(signal);
    }
}

void signal_tell(struct process *process, struct message *signal, enum message_kind kind)
{
    signal->entry.kind = ENTRY_NEWS;
    signal->kind = kind;
    if (signal->reason != NULL) {
        signal->size_bytes = signal->reason->size_bytes; /* Not that of the half which it was. */
    }
    mailbox_append(&process->mailbox, signal);
}

/* exit(pid, reason). `kill` never comes this way. */
static void exit_arrive(struct process *process, struct message *signal)
{
    bool own = signal->sender == process->pid.raw;
    if (process->traps_exits) {
        signal_tell(process, signal, MESSAGE_EXIT);
        return;
    }
    if (own || !reason_is(signal->reason, REASON_NORMAL)) {
        process_stop_because(process, STOP_EXIT, signal->reason);
    }
    message_destroy(signal);
}

static void linked_exit_arrive(struct process *process, struct message *signal)
{
    if (!link_ended(process, signal)) {
        message_destroy(signal);
    } else if (process->traps_exits) {
        signal->reference = MESSAGE_BY_LINK;
        signal_tell(process, signal, MESSAGE_EXIT);
    } else {
        if (!reason_is(signal->reason, REASON_NORMAL)) {
            process_stop_because(process, STOP_EXIT, signal->reason);
        }
        message_destroy(signal);
    }
}

static void stop_arrive(struct process *process, struct message *signal)
{
    if (process->takes_stop || process->traps_exits) {
        signal_tell(process, signal, MESSAGE_STOP);
        return;
    }
    process_stop_because(process, STOP_SHUTDOWN, signal->reason);
    message_destroy(signal);
}

static void signal_handle(struct process *process, struct message *signal)
{
    switch ((enum signal_kind)signal->signal) {
    case SIGNAL_LINK:
        link_arrive(process, signal);
        return;
    case SIGNAL_UNLINK:
        link_withdraw(process, signal);
        return;
    case SIGNAL_LINKED_EXIT:
        linked_exit_arrive(process, signal);
        return;
    case SIGNAL_EXIT:
        exit_arrive(process, signal);
        return;
    case SIGNAL_MONITOR:
        monitor_arrive(process, signal);
        return;
    case SIGNAL_DEMONITOR:
        monitor_withdraw(process, signal);
        return;
    case SIGNAL_DOWN:
        if (monitor_ended(process, signal)) {
            signal_tell(process, signal, MESSAGE_DOWN);
        } else {
            message_destroy(signal);
        }
        return;
    case SIGNAL_STOP:
        stop_arrive(process, signal);
        return;
    case SIGNAL_REPLY:
        mailbox_forget_answer(&process->mailbox, signal);
        if (monitor_answered(process, signal)) {
            signal_tell(process, signal, MESSAGE_REPLY);
        } else {
            message_destroy(signal);
        }
        return;
    case SIGNAL_ALARM:
        alarm_arrive(process, signal);
        return;
    }
    BUG("signal %u", signal->signal);
}

void signal_handle_all(struct process *process)
{
    struct entry *entry = mailbox_collect(&process->mailbox);
    while (entry != NULL) {
        struct entry *next = entry->next;
        struct message *message = CONTAINER_OF(entry, struct message, entry);
        switch (entry->kind) {
        case ENTRY_MESSAGE:
        case ENTRY_NEWS:
            mailbox_append(&process->mailbox, message);
            break;
        case ENTRY_SIGNAL:
            signal_handle(process, message);
            break;
        }
        entry = next;
    }
    uint64_t owed = (uint64_t)process->quotas->ties_max + process->quotas->timers_max;
    if (mailbox_overflows(&process->mailbox, owed)) {
        process_stop(process, STOP_KILL, "mailbox full of unread news");
    }
}

/* What of a signal still counts at an exit: who is to be told, and who is not any more. */
static void signal_settle(struct process *process, struct message *signal)
{
    switch ((enum signal_kind)signal->signal) {
    case SIGNAL_LINK:
        link_arrive(process, signal);
        return;
    case SIGNAL_UNLINK:
        link_withdraw(process, signal);
        return;
    case SIGNAL_MONITOR:
        monitor_arrive(process, signal);
        return;
    case SIGNAL_DEMONITOR:
        monitor_withdraw(process, signal);
        return;
    case SIGNAL_LINKED_EXIT:
        (void)link_ended(process, signal);
        break;
    case SIGNAL_DOWN:
        (void)monitor_ended(process, signal);
        break;
    case SIGNAL_REPLY:
        mailbox_forget_answer(&process->mailbox, signal);
        break;
    case SIGNAL_EXIT:
    case SIGNAL_STOP:
    case SIGNAL_ALARM:
        break;
    }
    message_destroy(signal);
}

void signal_close(struct process *process, struct entry *arrived)
{
    while (arrived != NULL) {
        struct entry *next = arrived->next;
        if (arrived->kind == ENTRY_SIGNAL) {
            signal_settle(process, CONTAINER_OF(arrived, struct message, entry));
        } else {
            mailbox_append(&process->mailbox, CONTAINER_OF(arrived, struct message, entry));
        }
        arrived = next;
    }
}

bool signal_exit(struct process *process, struct reason *reason, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        if (!link_exit_one(process, reason) && !monitor_exit_one(process, reason) &&
            !monitor_leave_one(process)) {
            return true;
        }
    }
    return !process_has_ties(process);
}

void signal_discard(struct process *process)
{
    link_discard_all(process);
    monitor_discard_all(process);
}
