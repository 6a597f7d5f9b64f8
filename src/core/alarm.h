/**
 * @file
 * Timers that send: a message to a process after some time, once or periodically (OTP: erlang:send_after/3,
 * timer:send_interval/2).
 *
 * An alarm dies with its creator (a difference from OTP); one whose target is gone fires into nothing. Its memory
 * is set aside when it is made: firing is never refused. (What goes to another process is a message like any
 * other there: a full mailbox does with it what it does with others.) A periodic one has at most one firing
 * unread: further ones are counted in it.
 *
 * How it fires: a timer's callback may only post, so it sends the creator a signal; the creator, on whichever worker
 * it is by then, delivers the message at its next turn or tick, and starts the timer again. An alarm counts against
 * the quota until its message was taken, so unread firings are bounded as well.
 *
 * Threads: owner, within a turn.
 */
#pragma once

#include "base/err.h"
#include "core/message.h"
#include "core/pid.h"

struct process;

/** After `after_ns` send `message`: as MESSAGE_TIMER with the timer's reference when the target is the caller itself
 *  (`label`: how many firings it stands for, at least 1), as it is (a MESSAGE_SEND) when it is another. `every_ns` not
 *  0: again each time; only to oneself, and without cargo. Takes the message on success.
 *  @return false: ERR_LIMIT (process_quotas.timers_max), ERR_INPUT (periodic to another, or with cargo), ERR_MEMORY. */
bool alarm_start(struct process *process, struct pid target, uint64_t after_ns, uint64_t every_ns,
                 struct message *message, uint64_t *ret_reference, struct err *err) MUST_USE;

enum alarm_cancelled {
    ALARM_STOPPED, /**< It had not fired, and will not. Of a periodic one: will not again, and nothing was unread. */
    ALARM_FIRED, /**< It has; its message, which was unread, has been removed. */
    ALARM_UNKNOWN, /**< No such timer of this process (any more): what it sent was read, or went to another. */
};

/** After it has returned no message of it arrives at the caller. */
enum alarm_cancelled alarm_cancel(struct process *process, uint64_t reference);

/** Those that run, and those of which a message is unread. */
uint32_t alarm_count(const struct process *process);

/* What the process calls; for core/ alone. */

/** A SIGNAL_ALARM has come to the process that made it: deliver, or let go. Takes the signal. Owner, also at exit. */
void alarm_arrive(struct process *process, struct message *firing);

/** A MESSAGE_TIMER was taken from the mailbox (process_receive()). Owner. */
void alarm_taken(struct process *process, const struct message *message);

/** Cancel and free all. The exiting process's worker, before or after what its mailbox held was answered. */
void alarm_exit(struct process *process);
