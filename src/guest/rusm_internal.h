/**
 * @file
 * What the files that implement RUSM's functions share.
 *
 * Threads: the calling guest's owner, within its turn.
 */
#pragma once

#include "base/bytes.h"
#include "guest/abi_internal.h"

/** A message that the guest has set aside. */
struct rusm_note {
    struct rusm_note *next;
    size_t size_bytes;
    uint8_t bytes[];
};

struct rusm_notes {
    struct rusm_note *first, **last; /* `last` NULL: empty, never used */
};

enum { RUSM_STREAMS_WAITING_MAX = 64 };

/** Of one guest: beside struct post. */
struct rusm_desk {
    struct rusm_notes stashed, front; /* set aside; given back, and received before anything else */
    size_t stashed_bytes;             /* of both */
    uint32_t stashed_count;           /* likewise */
    struct rusm_note *current;        /* of `front`, what the guest is reading; or NULL */
    struct bytes text;                /* likewise: made for it */
    int32_t streams[RUSM_STREAMS_WAITING_MAX]; /* that came with mail, to be accepted */
    uint32_t stream_count;
};

/** The guest's, made if need be. NULL: out of memory; the call's text says so. */
struct rusm_desk *rusm_desk_of(struct engine_call *call);
void rusm_desk_destroy(struct rusm_desk *desk); /**< NULL is allowed. */

/** A call of one of our own functions on behalf of this one: pointers among its arguments are addresses; it goes on where this one
 *  stands. */
struct engine_call rusm_inner(const struct engine_call *call);

/** A label by which a stream's end is sent. */
#define RUSM_STREAM_LABEL UINT64_C(0x7275736d737472)

/** Bytes that the guest shall have: a component as they are, until its next call, a module up to (pointer, capacity), two
 *  arguments from `first` on. The result is their full size. */
enum engine_call_result rusm_hand_out(struct engine_call *call, unsigned first, const void *data,
                                      size_t size_bytes);

/** Append a number; a text behind its size: what the shim unpacks. False: out of memory. */
bool rusm_pack_number(struct bytes *to, uint32_t number) MUST_USE;
bool rusm_pack_text(struct bytes *to, const void *data, size_t size_bytes) MUST_USE;

#define RUSM_DECLARE(name) enum engine_call_result rusm_##name(struct engine_call *call);
RUSM_DECLARE(receive)
RUSM_DECLARE(receive_timeout)
RUSM_DECLARE(stash)
RUSM_DECLARE(unstash)
RUSM_DECLARE(module_receive)
RUSM_DECLARE(stream_open)
RUSM_DECLARE(stream_write)
RUSM_DECLARE(stream_close)
RUSM_DECLARE(stream_accept)
RUSM_DECLARE(stream_read)
#undef RUSM_DECLARE
