/**
 * @file
 * What the files that implement host functions share: their declarations, what one guest has under way, and who may
 * touch whom.
 *
 * Threads: the calling guest's owner, within its turn.
 */
#pragma once

#include "core/message.h"
#include "core/registry.h"
#include "guest/abi.h"
#include "guest/guest_internal.h"

#define ABI_DECLARE(name, signature, parks)                                                        \
    enum engine_call_result abi_##name(struct engine_call *call);
ABI_GUEST(ABI_DECLARE)
#undef ABI_DECLARE

struct rusm_desk;

/** What a guest that talks to others has under way. Made at its first such call. */
struct post {
    struct message *mail;    /**< The last one, when its body did not fit; or NULL. */
    uint64_t call_reference; /**< Of the call() that waits. */
    struct payload *payload; /**< Of the publish() under way; or NULL. */
    struct publishing publishing;
    struct rusm_desk *desk; /**< Of a guest made for RUSM (rusm_internal.h); or NULL. */
};

/** The guest's, made if need be. NULL: out of memory. */
struct post *post_of(struct guest *guest);

/** Give up what is under way. NULL is allowed. */
void post_destroy(struct post *post);

/** The ABI's number for a failure. */
int32_t abi_error_of(const struct err *err);

/** A process that the guest may know of, with a reference for the caller; NULL: none, or of a namespace that is
 *  out of reach. */
struct process *abi_find(struct guest *guest, uint64_t pid) MUST_USE;

/** Whether the guest may link, kill or exit that process, which is in reach; a refusal is noted in the log. */
bool abi_may_touch(struct guest *guest, const struct process *target, const char *what);

/** The key of a name that came from the guest; `space` of 0 bytes: its own namespace. Borrows the memory of the call
 *  and `space_text`. */
struct abi_key {
    struct registry_key key;
    char space_text[64];
};

/** Look a name's bytes up (pointer, size). False: `*ret` is what the host function returns (a trap, or an error). */
bool abi_read_name(struct engine_call *call, uint64_t pointer, uint64_t size_bytes,
                   struct abi_key *ret_key, enum engine_call_result *ret) MUST_USE;

/** The same with a namespace (space pointer, size, name pointer, size: four arguments from `first` on), which must be
 *  the guest's own or one of allow-namespaces. */
bool abi_read_far_name(struct engine_call *call, unsigned first, const char *what,
                       struct abi_key *ret_key, enum engine_call_result *ret) MUST_USE;

/** An array for pids (pointer, capacity: two arguments from `first` on). False: as abi_read_name(). */
bool abi_read_pids(struct engine_call *call, unsigned first, struct pid **ret, size_t *ret_max,
                   enum engine_call_result *ret_result) MUST_USE;

/** The bytes of a message that the guest sends (pointer, size, within its grant's limit) with the stream `handle` (0:
 *  none), which is taken from it. NULL: `*ret_error` says why (0: a pointer was bad: trap). */
struct message *abi_make_message(struct engine_call *call, uint64_t label, uint64_t pointer,
                                 uint64_t size_bytes, int32_t handle, int32_t *ret_error);

/** Give the stream back to the guest and destroy a message that could not be sent. */
void abi_unmake_message(struct guest *guest, struct message *message, int32_t handle);

/** Begin to wait: `timeout` 0 (once), -1 (for ever), or nanoseconds; sets `call->state`, which is 0 before. False: invalid. */
bool abi_wait_begin(struct engine_call *call, uint64_t timeout);

/** Nothing is there yet: park, or the answer "timeout", or "closed" when the client that it streams to has left. */
enum engine_call_result abi_wait_on(struct engine_call *call);

/** Something is there: no wake is wanted any more. */
void abi_wait_end(struct engine_call *call);

/** Look at one thing to wait for. 1: ready, 0: not yet, and the process is woken then; below: what is wrong with it. `*ret_again`
 *  becomes true when only the next turn can tell. */
int32_t abi_wait_look(struct guest *guest, const struct abi_wait *entry, bool *ret_again);

/** The unit of work is over: it waits for mail; and the next one begins. For roles with unit_ns. */
void abi_unit_rest(struct guest *guest);
void abi_unit_begin(struct guest *guest);

/** Whether a request has its answer's head, or has failed: 1 or 0; or ABI_NOT_FOUND. If not, the process is woken then. */
int32_t abi_fetch_ready(struct guest *guest, int32_t handle);

/** Cancel every request. At exit. */
void abi_fetch_close_all(struct guest *guest);

/** Give up the spawn_from() that is under way, if there is one. At exit. */
void abi_order_destroy(struct guest *guest);

/** Set an i64 result. */
enum engine_call_result abi_answer_wide(struct engine_call *call, int64_t value);

enum { ABI_MILLISECOND_NS = 1000000 };

/** How long a host function works whose work grows with what there is: then its turn ends, and it goes on in the next. */
enum { ABI_SLICE_NS = 200000 };
#define ABI_TIME_MAX_NS (UINT64_C(366) * 86400 * 1000 * ABI_MILLISECOND_NS)
