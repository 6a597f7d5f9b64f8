/**
 * @file
 * What the platform says between processes on behalf of links, monitors and exits, and what the receiver does with
 * it. For core/ alone: others use core/link.h, core/monitor.h, core/process.h.
 *
 * Signals come through the mailbox, so that order per sender holds between them and messages. They act when the
 * receiver's next turn begins, at its next tick while it runs, or at its exit: whatever is unread before
 * them. Nothing locks two processes: each changes its own half of a link or monitor, and tells the other.
 * Signals use the fields of a message (sender, reference, reason), and the memory of one: so those that a body shall
 * hear of become news in place, and exiting allocates nothing, because a link or monitor sets aside at its making what its
 * end will need.
 *
 * How a link is kept (L ids, as OTP's "link protocol" of the ERTS distribution documentation, simplified):
 *   - whoever links makes both halves under an id of its own, keeps one, sends the other (SIGNAL_LINK);
 *   - a half holds one id for each side that asked for it; SIGNAL_LINK adds the id to a half that is there, or becomes it;
 *   - SIGNAL_UNLINK takes its ids away from the receiver's half, which is gone with its last id: a stale one of a link
 *     that was made anew meanwhile changes nothing;
 *   - SIGNAL_LINKED_EXIT acts only on a half that shares an id with it.
 * How a monitor is kept: SIGNAL_MONITOR carries the target's half there; at the target's exit it comes back as SIGNAL_DOWN;
 * SIGNAL_DEMONITOR names it by address, which is good while the target lives. The watcher believes a SIGNAL_DOWN only for
 * a reference that it still holds.
 *
 * What has arrived at an exit counts as having come before it: who is linked or watches by then is told the true reason.
 * `noproc` is for what comes later. (OTP says `noproc` to some of the former; both orders are allowed by its signal rules.)
 */
#pragma once

#include "base/map.h"
#include "core/message.h"
#include "core/pid.h"

struct node;
struct process;
struct worker;

enum signal_kind {
    SIGNAL_LINK,
    SIGNAL_UNLINK,
    SIGNAL_LINKED_EXIT, /**< A linked process has ended: `reason`. */
    SIGNAL_EXIT,        /**< exit(pid, reason). */
    SIGNAL_MONITOR,
    SIGNAL_DEMONITOR,
    SIGNAL_DOWN,
    SIGNAL_STOP, /**< Please stop: becomes MESSAGE_STOP; kills who does not take such news. */
    SIGNAL_REPLY, /**< A struct message of kind MESSAGE_REPLY, delivered only while its call is open. */
    SIGNAL_ALARM, /**< A timer's message, delivered only while the timer is not cancelled. */
};

/** What a process's `awaited` holds: the first member of a monitor, a call, an alarm. */
enum tie_kind { TIE_MONITOR, TIE_CALL, TIE_ALARM };

struct tie {
    struct map_member member; /* first; its key is the reference */
    enum tie_kind kind;
};

/** A message that is a signal until its receiver makes news of it. `body_bytes` zeroed. NULL: out of memory. */
struct message *signal_create(enum signal_kind kind, struct pid from, size_t body_bytes) MUST_USE;

/** Make a signal of a message that the caller owns. */
void signal_dress(struct message *message, enum signal_kind kind, struct pid from);

/** Send one. False: nobody is there any more, and it stays with the caller. Any thread. */
bool signal_send(struct node *node, struct pid to, struct message *signal) MUST_USE;

/** The same to one that was found already (the caller has a reference). */
bool signal_push(struct process *process, struct message *signal) MUST_USE;

/** The same; without a receiver it is destroyed. */
void signal_send_or_drop(struct node *node, struct pid to, struct message *signal);

/** Make news of a signal that has arrived: it goes behind what is ready. Owner. */
void signal_tell(struct process *process, struct message *signal, enum message_kind kind);

/** Handle what has arrived: messages become ready, signals act. Owner: at the begin of a turn, at ticks, at a receive;
 *  may raise a stop (core/process.h). */
void signal_handle_all(struct process *process);

/** At exit, after mailbox_close(), with what that returned: let signals that had arrived act; messages are left to
 *  mailbox_sweep(). */
void signal_close(struct process *process, struct entry *arrived);

/** At exit: tell up to `most` links and monitors, and forget them. True: that was all. `reason` is borrowed. */
bool signal_exit(struct process *process, struct reason *reason, unsigned most) MUST_USE;

/** Forget all ties without telling anybody: of a process that never started. */
void signal_discard(struct process *process);
