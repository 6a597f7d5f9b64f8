/**
 * @file
 * What the files that implement a handler's host functions share.
 *
 * Threads: the calling guest's owner, within its turn, unless a field says otherwise.
 */
#pragma once

#include "guest/abi.h"
#include "serve/handler.h"
#include "serve/sse.h"

/** One request being answered by one guest. Freed when the process has exited. */
struct visit {
    const struct handler *handler;
    struct exchange *exchange;
    struct process *process; /* a reference: wakes may come until exchange_finish() */
    atomic_bool gone; /* connection's thread sets, owner reads; owner also: nobody reads a body */
    bool streams;     /* owner: its answer is a stream of events */
    bool grace_began; /* owner */
    /* A component's; owner. */
    bool failed; /* it has said that there is no answer, or no rest of it */
    /* Of its events: the line so far has nothing in it; its last byte was a CR; no event is under way. */
    bool line_empty, after_return, between;
    size_t moved; /* of its body, in this turn */

    struct sse_cursor cursor; /* owner: of the event that is being written */
    struct timer grace;       /* owner starts; fires a kill */
};

#define HOST_DECLARE(name, signature, parks)                                                       \
    enum engine_call_result host_##name(struct engine_call *call);
ABI_SERVE(HOST_DECLARE)
#undef HOST_DECLARE

/** The visit that the caller answers, or NULL when it is another kind of process. */
struct visit *visit_of(struct engine_call *call);

/** The same for a component, by the guest. */
struct visit *visit_of_component(struct guest *guest);

/** How a component that exports wasi:http/incoming-handler reads its request and answers it (handler_component.c). */
extern const struct engine_http visit_http;

/** Whether its client has left. */
bool visit_is_deserted(struct visit *visit);

/** The ABI's number for what an exchange says; not for EXCHANGE_WAIT. */
int32_t visit_error_of(enum exchange_result result);

/** Write all of it to the body, then answer 0; what a call that parks does, whose `state` is how much has gone. */
enum engine_call_result visit_write(struct engine_call *call, struct visit *visit,
                                    const uint8_t *data, size_t size);

enum { ANSWER_HEADERS_MAX = 128 };

/** Headers from a guest: "name: value" lines, each ended by a newline. What may be sent is for the exchange to say.
 *  False: a line without a colon, or too many, or too much to look through. */
bool visit_split_headers(const char *text, size_t size_bytes, struct header *ret,
                         size_t *ret_count);

/** The head is out: from here on the stream's deadline counts, and every write is a unit of work. */
void visit_head_given(struct visit *visit);

/** What may be said on a listener for events instead of events. A 204 is how an EventSource learns not to come back. */
static inline bool visit_is_refusal(unsigned status)
{
    return status == 204 || status >= 300;
}

/** Of a body at once: more goes out in pieces, so that no call copies for long and a slow
 *  client's answer is held by the guest, not by the node. */
enum { WHOLE_BODY_MAX = 1024 * 1024 };
