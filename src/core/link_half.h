/**
 * @file
 * A process's half of its links: what core/signal.c says to core/link.c. The protocol is described in core/signal.h.
 *
 * Threads: owner.
 */
#pragma once

#include "core/signal.h"

/** SIGNAL_LINK: takes it. */
void link_arrive(struct process *process, struct message *signal);

/** SIGNAL_UNLINK: takes it. */
void link_withdraw(struct process *process, struct message *signal);

/** SIGNAL_LINKED_EXIT: whether it is of a link that is there, which has gone then. The signal stays with the caller. */
bool link_ended(struct process *process, const struct message *signal);

/** Send the exit signal of one link, at exit. False: there is none left. */
bool link_exit_one(struct process *process, struct reason *reason);

/** Forget all of them without a word. */
void link_discard_all(struct process *process);
