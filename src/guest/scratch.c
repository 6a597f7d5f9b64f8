#include "guest/scratch.h"

#include <stdalign.h>

struct err *scratch_err(void)
{
    static _Thread_local struct err err;
    err_clear(&err);
    return &err;
}

void *scratch_room(size_t size_bytes)
{
    static _Thread_local alignas(max_align_t) char room[SCRATCH_BYTES];
    INVARIANT(size_bytes <= sizeof room);
    return room;
}
