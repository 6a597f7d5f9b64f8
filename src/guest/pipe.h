/**
 * @file
 * A byte stream between two processes, as two ends that travel: each end is a cargo (core/message.h) of one owner at a time, a
 * process's table of handles or a message on its way.
 *
 * Life:    pipe_create() -> each end is finished, once, by pipe_finish() or as a cargo that nobody took -> the last end frees all.
 * Threads: an end belongs to its owner; the stream inside is for any thread.
 */
#pragma once

#include "core/message.h"
#include "core/process.h"
#include "core/stream.h"

struct pipe_end {
    struct cargo cargo; /* first */
    struct pipe *pipe;  /* constant */
    bool writes;        /* constant */
};

/** Both ends, owned by the caller, on a stream of at most `limit_bytes`. False: out of memory. */
bool pipe_create(size_t limit_bytes, struct pipe_end **ret_reader, struct pipe_end **ret_writer)
    MUST_USE;

/** The end that is this cargo. BUG when it is none: there is no other cargo. */
struct pipe_end *pipe_end_of(struct cargo *cargo);

/** The stream, to read or write as the end allows. */
struct stream *pipe_stream(struct pipe_end *end);

/** Say which process is woken for this end; NULL: nobody, it travels. Owner. */
void pipe_set_owner(struct pipe_end *end, struct process *process);

/** Why a writer's end is aborted when nobody has said it: in core's words; guests see 0. */
enum { PIPE_NO_REASON = -1 };

/** Done with an end. The reader's: stream_close(). The writer's: stream_end() with `complete`, else stream_abort() with
 *  `reason`. Frees it. */
void pipe_finish(struct pipe_end *end, bool complete, int reason);
