/**
 * @file
 * Handles: what a guest holds besides its memory, by small numbers of its own: ends of byte streams.
 *
 * A handle is good in its process only; numbers are not reused at once (a generation is part of them), so a stale one is
 * ABI_NOT_FOUND. Everything is closed at the process's exit: what it had not finished writing is aborted. Sending an end in a
 * message takes it away from the sender; an end inside a message that nobody takes is closed.
 *
 * Threads: owner, within a turn.
 */
#pragma once

#include "core/message.h"
#include "guest/guest.h"
#include "guest/pipe.h"

/** Most that one process may hold, whatever its grant says. */
enum { HANDLES_MAX = 65536 };

/** Whether `more` ends may be taken in: grant.streams_max. */
bool handle_has_room(const struct guest *guest, uint32_t more);

/** Install what came with a message, or is new. Returns the handle, > 0, or ABI_LIMIT (grant.streams_max), ABI_NO_MEMORY: then the
 *  cargo still belongs to the caller. */
int32_t handle_accept(struct guest *guest, struct cargo *cargo);

/** Look at an end without taking it. NULL: no such handle. */
struct pipe_end *handle_find(struct guest *guest, int32_t handle);

/** Take an end out, to send it. NULL: no such handle. On failure of the send give it back with handle_restore(), before
 *  anything else happens to handles. */
struct cargo *handle_take(struct guest *guest, int32_t handle);
void handle_restore(struct guest *guest, int32_t handle, struct cargo *cargo);

enum { HANDLE_READABLE = 1, HANDLE_WRITABLE = 2 };

/** What can be done now without waiting (end and abort count as readable, closed as writable), or ABI_NOT_FOUND. When the answer has
 *  none of `wanted`, the process is woken once that changes; what the end cannot do at all (reading from a writer's) never is. */
int32_t handle_ready(struct guest *guest, int32_t handle, uint32_t wanted);

/** How many bytes the write under way has moved: a guest has one at a time. For a guest that has a handle. */
size_t *handle_progress(struct guest *guest);

/** Ends that it holds. */
uint32_t handle_count(const struct guest *guest);

/** Close all. At exit, in the order of the specification: after names, before downs. */
void handle_close_all(struct guest *guest);
