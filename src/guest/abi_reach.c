#include "guest/abi_internal.h"

#include "core/node.h"
#include "guest/handle.h"
#include "guest/rusm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct post *post_of(struct guest *guest)
{
    if (guest->post == NULL) {
        guest->post = calloc(1, sizeof *guest->post);
    }
    return guest->post;
}

void post_destroy(struct post *post)
{
    if (post == NULL) {
        return;
    }
    message_destroy(post->mail);
    payload_release(post->payload);
    rusm_desk_destroy(post->desk);
    free(post);
}

int32_t abi_error_of(const struct err *err)
{
    switch (err->code) {
    case ERR_INPUT:
        return ABI_INVALID;
    case ERR_DENIED:
        return ABI_DENIED;
    case ERR_NOT_FOUND:
        return ABI_NOT_FOUND;
    case ERR_EXISTS:
        return ABI_EXISTS;
    case ERR_LIMIT:
        return ABI_LIMIT;
    case ERR_MEMORY:
    case ERR_OS:
        return ABI_NO_MEMORY;
    case ERR_NONE:
        break;
    }
    BUG("error code %d", (int)err->code);
}

/* ---- who may touch whom ---- */

static bool is_same(const char *a, const char *b)
{
    return a == b || strcmp(a, b) == 0;
}

/* Whether the guest may look into that namespace. */
static bool may_look(const struct guest *guest, const char *space)
{
    if (is_same(guest->process.namespace, space)) {
        return true;
    }
    const char *const *allowed = guest->grant->allow_namespaces;
    for (; allowed != NULL && *allowed != NULL; allowed++) {
        if (strcmp(*allowed, "*") == 0 || strcmp(*allowed, space) == 0) {
            return true;
        }
    }
    return false;
}

bool guest_reaches(const struct guest *guest, const struct process *target)
{
    return may_look(guest, target->namespace);
}

struct process *abi_find(struct guest *guest, uint64_t pid)
{
    return process_find(&guest->process, (struct pid){pid});
}

bool abi_may_touch(struct guest *guest, const struct process *target, const char *what)
{
    const struct process *self = &guest->process;
    /* A parent that is a supervisor has other children too. */
    bool is_parent = pid_equal(self->parent, target->pid) && guest_from_process(target) != NULL;
    if (target == self || target->accepts_links || guest->grant->allow_process_control ||
        pid_equal(target->parent, self->pid) || is_parent) {
        return true;
    }
    guest_log_denied(guest, what, "allow-process-control = true");
    return false;
}

/* ---- names ---- */

bool abi_read_name(struct engine_call *call, uint64_t pointer, uint64_t size_bytes,
                   struct abi_key *ret_key, enum engine_call_result *ret)
{
    const uint8_t *name = guest_window(call, pointer, size_bytes);
    if (name == NULL) {
        *ret = ENGINE_CALL_TRAP;
        return false;
    }
    size_t size = (uint32_t)size_bytes;
    if (size == 0 || size > REGISTRY_NAME_BYTES_MAX || memchr(name, 0, size) != NULL) {
        *ret = guest_answer(call, ABI_INVALID);
        return false;
    }
    ret_key->key = (struct registry_key){.namespace = guest_of_call(call)->process.namespace,
                                         .name = (const char *)name,
                                         .name_bytes = size};
    return true;
}

bool abi_read_far_name(struct engine_call *call, unsigned first, const char *what,
                       struct abi_key *ret_key, enum engine_call_result *ret)
{
    const uint64_t *arguments = call->arguments + first;
    const uint8_t *space = guest_window(call, arguments[0], arguments[1]);
    if (space == NULL) {
        *ret = ENGINE_CALL_TRAP;
        return false;
    }
    if (!abi_read_name(call, arguments[2], arguments[3], ret_key, ret)) {
        return false;
    }
    size_t size = (uint32_t)arguments[1];
    if (size == 0) {
        return true;
    }
    if (size >= sizeof ret_key->space_text || memchr(space, 0, size) != NULL) {
        *ret = guest_answer(call, ABI_INVALID);
        return false;
    }
    memcpy(ret_key->space_text, space, size);
    ret_key->space_text[size] = '\0';
    ret_key->key.namespace = ret_key->space_text;
    struct guest *guest = guest_of_call(call);
    if (!may_look(guest, ret_key->space_text)) {
        char line[96];
        snprintf(line, sizeof line, "allow-namespaces = [\"%s\"]", ret_key->space_text);
        guest_log_denied(guest, what, line);
        *ret = guest_answer(call, ABI_DENIED);
        return false;
    }
    return true;
}

/* ---- messages ---- */

struct message *abi_make_message(struct engine_call *call, uint64_t label, uint64_t pointer,
                                 uint64_t size_bytes, int32_t handle, int32_t *ret_error)
{
    struct guest *guest = guest_of_call(call);
    *ret_error = 0;
    const uint8_t *data = guest_window(call, pointer, size_bytes);
    if (data == NULL) {
        return NULL;
    }
    if ((uint32_t)size_bytes > guest->grant->message_bytes_max) {
        *ret_error = ABI_LIMIT;
        return NULL;
    }
    struct cargo *cargo = handle != 0 ? handle_take(guest, handle) : NULL;
    if (handle != 0 && cargo == NULL) {
        *ret_error = ABI_NOT_FOUND;
        return NULL;
    }
    struct message *message = message_create(guest->process.pid.raw, label, data,
                                             (uint32_t)size_bytes);
    if (message == NULL) {
        if (cargo != NULL) {
            handle_restore(guest, handle, cargo);
        }
        *ret_error = ABI_NO_MEMORY;
        return NULL;
    }
    message->cargo = cargo;
    return message;
}

void abi_unmake_message(struct guest *guest, struct message *message, int32_t handle)
{
    if (message->cargo != NULL) {
        handle_restore(guest, handle, TAKE(message->cargo));
    }
    message_destroy(message);
}

/* ---- waiting ---- */

/* What `state` of a parked call says besides a time. */
#define WAIT_ONCE UINT64_C(1)
#define WAIT_FOR_EVER UINT64_MAX

bool abi_wait_begin(struct engine_call *call, uint64_t timeout)
{
    struct process *process = guest_process(guest_of_call(call));
    if (timeout == 0) {
        call->state = WAIT_ONCE;
    } else if (timeout == UINT64_MAX) {
        call->state = WAIT_FOR_EVER;
    } else if (timeout > ABI_TIME_MAX_NS) {
        return false;
    } else {
        call->state = node_now_ns(process->node) + timeout;
        process_wake_at(process, call->state);
    }
    return true;
}

void abi_wait_end(struct engine_call *call)
{
    if (call->state != WAIT_ONCE && call->state != WAIT_FOR_EVER) {
        process_cancel_wake(guest_process(guest_of_call(call)));
    }
}

enum engine_call_result abi_wait_on(struct engine_call *call)
{
    struct process *process = guest_process(guest_of_call(call));
    /* One that must end gets no answer, which would be wrong: it ends where it waits. Relaxed: if it is not seen now, the
     * next tick sees it. */
    if (atomic_load_explicit(&process->stop, memory_order_relaxed) != STOP_NONE) {
        return ENGINE_CALL_PARK;
    }
    if (guest_is_deserted(guest_of_call(call))) {
        abi_wait_end(call);
        return guest_answer(call, ABI_CLOSED);
    }
    if (call->state == WAIT_FOR_EVER ||
        (call->state != WAIT_ONCE && node_now_ns(process->node) < call->state)) {
        return ENGINE_CALL_PARK;
    }
    abi_wait_end(call);
    return guest_answer(call, ABI_TIMEOUT);
}

enum engine_call_result abi_answer_wide(struct engine_call *call, int64_t value)
{
    call->result = (uint64_t)value;
    return ENGINE_CALL_DONE;
}
