#include "guest/pipe.h"

#include <stdlib.h>

struct pipe {
    struct stream stream;
    struct pipe_end reader, writer;
    atomic_uint ends; /* any thread: not yet finished */
};

static void end_destroy(struct cargo *cargo)
{
    pipe_finish(pipe_end_of(cargo), false, PIPE_NO_REASON);
}

static void end_init(struct pipe_end *end, struct pipe *pipe, bool writes, size_t limit_bytes)
{
    *end = (struct pipe_end){.cargo = {.destroy = end_destroy, .holds_bytes = limit_bytes},
                             .pipe = pipe,
                             .writes = writes};
}

bool pipe_create(size_t limit_bytes, struct pipe_end **ret_reader, struct pipe_end **ret_writer)
{
    struct pipe *pipe = malloc(sizeof *pipe);
    if (pipe == NULL) {
        return false;
    }
    stream_init(&pipe->stream, limit_bytes);
    end_init(&pipe->reader, pipe, false, limit_bytes);
    end_init(&pipe->writer, pipe, true, limit_bytes);
    atomic_init(&pipe->ends, 2);
    *ret_reader = &pipe->reader;
    *ret_writer = &pipe->writer;
    return true;
}

struct pipe_end *pipe_end_of(struct cargo *cargo)
{
    INVARIANT(cargo->destroy == end_destroy);
    return CONTAINER_OF(cargo, struct pipe_end, cargo);
}

struct stream *pipe_stream(struct pipe_end *end)
{
    return &end->pipe->stream;
}

static void owner_retain(void *process)
{
    process_retain(process);
}

static void owner_wake(void *process)
{
    process_wake(process);
    process_release(process);
}

void pipe_set_owner(struct pipe_end *end, struct process *process)
{
    struct stream_waker waker = {0};
    if (process != NULL) {
        waker =
            (struct stream_waker){.wake = owner_wake, .argument = process, .retain = owner_retain};
    }
    if (end->writes) {
        stream_set_writer(pipe_stream(end), waker);
    } else {
        stream_set_reader(pipe_stream(end), waker);
    }
}

void pipe_finish(struct pipe_end *end, bool complete, int reason)
{
    struct pipe *pipe = end->pipe;
    pipe_set_owner(end, NULL);
    if (!end->writes) {
        stream_close(&pipe->stream);
    } else if (complete) {
        stream_end(&pipe->stream);
    } else {
        stream_abort(&pipe->stream, reason);
    }
    /* Release, so that what this end did comes before the end of all; acquire, so that whoever frees sees it. */
    if (atomic_fetch_sub_explicit(&pipe->ends, 1, memory_order_acq_rel) == 1) {
        stream_fini(&pipe->stream);
        free(pipe);
    }
}
