/**
 * @file
 * Monitors: being told, once, that a process has ended (OTP Reference Manual, "Processes", "Monitors"), and
 * calls, which are a monitor under whose reference a reply may come instead (OTP's monitor alias, EEP 53).
 *
 * Threads: owner, within a turn, unless a function says otherwise.
 */
#pragma once

#include "base/err.h"
#include "core/message.h"
#include "core/pid.h"

struct node;
struct process;

/** Watch `target`. Exactly one MESSAGE_DOWN with `*ret_reference` follows unless it is removed before: at once, with
 *  `noproc`, when there is no such process.
 *  @return false: ERR_LIMIT (process_options.ties_max), ERR_MEMORY. */
bool monitor_add(struct process *process, struct pid target, uint64_t *ret_reference,
                 struct err *err) MUST_USE;

/** The same on a child that has not started yet. */
bool monitor_child(struct process *process, struct process *child, uint64_t *ret_reference,
                   struct err *err) MUST_USE;

/** Stop watching. After it has returned no down of it arrives; an unread one is removed. False: no such monitor (any
 *  more): it has been told of, or is another process's. Also ends a call: a late reply is dropped. */
bool monitor_remove(struct process *process, uint64_t reference);

/** Send `data` as MESSAGE_CALL to `target` and watch it under the same reference: what follows is exactly one of
 *  MESSAGE_REPLY and MESSAGE_DOWN, unless monitor_remove() comes first. The mailbox is marked (mailbox_mark()).
 *  @return false, nothing sent: ERR_LIMIT (ties_max, or the target's mailbox is full), ERR_MEMORY. */
bool monitor_call(struct process *process, struct pid target, struct message *request,
                  uint64_t *ret_reference, struct err *err) MUST_USE;

/** Answer a call: `reply` becomes MESSAGE_REPLY of `reference` at `caller`; dropped when the caller no longer waits for
 *  it. Any thread of the node. Takes `reply` unless it is refused: false, it is the caller's: more replies than
 *  `caller` can wait for have come since its last turn (mailbox_expect_answer()), so most of them are nothing but noise. */
bool monitor_reply(struct node *node, struct pid caller, uint64_t reference, struct message *reply)
    MUST_USE;

/** Monitors and open calls of this process; and how many watch it. Owner. */
uint32_t monitor_count(const struct process *process);
uint32_t monitor_watchers(const struct process *process);
