/**
 * @file
 * Links: two processes end together (OTP Reference Manual, "Processes", "Links").
 *
 * Errors are the caller's own: linking to what is dead is not one, it is an exit signal `noproc`, as in OTP.
 * Threads: owner, within a turn (also a native body's).
 */
#pragma once

#include "base/err.h"
#include "core/pid.h"

struct process;

/** Link `process` to `peer`; a link that is there already is left alone, as is one to itself.
 *  @return false, nothing changed: ERR_LIMIT (process_options.ties_max), ERR_MEMORY. */
bool link_add(struct process *process, struct pid peer, struct err *err) MUST_USE;

/** Remove a link; none is fine. After it has returned no exit signal of that link arrives; one that is unread is removed. */
void link_remove(struct process *process, struct pid peer);

/** Link two processes of which `child` has not started yet, so that no exit can come between. The child's half
 *  needs no signal. @return as link_add(). */
bool link_child(struct process *process, struct process *child, struct err *err) MUST_USE;

/** How many. Owner. */
uint32_t link_count(const struct process *process);

/** Copy up to `max` peers. Owner. Returns how many. */
size_t link_list(const struct process *process, struct pid *ret, size_t max);
