/**
 * @file
 * A process's halves of monitors and calls: what core/signal.c says to core/monitor.c. The protocol is described in
 * core/signal.h.
 *
 * Threads: owner.
 */
#pragma once

#include "core/signal.h"

/** SIGNAL_MONITOR: takes it. */
void monitor_arrive(struct process *process, struct message *signal);

/** SIGNAL_DEMONITOR: takes it. */
void monitor_withdraw(struct process *process, struct message *signal);

/** SIGNAL_DOWN: whether it is of a monitor or call that is open, which is over then. The signal stays with the caller. */
bool monitor_ended(struct process *process, const struct message *signal);

/** SIGNAL_REPLY: whether it is of a call that is open, which is over then. The signal stays with the caller. */
bool monitor_answered(struct process *process, const struct message *signal);

/** Send the down of one who watches, at exit. False: there is none left. */
bool monitor_exit_one(struct process *process, struct reason *reason);

/** Withdraw one monitor or call of its own, at exit. False: there is none left. */
bool monitor_leave_one(struct process *process);

/** Forget all of them without a word. */
void monitor_discard_all(struct process *process);
