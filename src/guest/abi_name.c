#include "guest/abi_internal.h"

#include "core/node.h"
#include "guest/scratch.h"

#include <string.h>

/* Take a name, tag or group. */
static enum engine_call_result add(struct engine_call *call, enum registry_kind kind,
                                   struct pid *ret_holder)
{
    struct abi_key key;
    enum engine_call_result result;
    if (!abi_read_name(call, call->arguments[0], call->arguments[1], &key, &result)) {
        return result;
    }
    struct process *process = guest_process(guest_of_call(call));
    struct err *err = scratch_err();
    if (!registry_add(node_registry(process->node), process, kind, &key.key, false, ret_holder,
                      err)) {
        if (err->code == ERR_DENIED) {
            guest_log_refused(guest_of_call(call), "register", err->text);
        }
        return guest_answer(call, abi_error_of(err));
    }
    return guest_answer(call, 0);
}

static enum engine_call_result take_off(struct engine_call *call, enum registry_kind kind)
{
    struct abi_key key;
    enum engine_call_result result;
    if (!abi_read_name(call, call->arguments[0], call->arguments[1], &key, &result)) {
        return result;
    }
    struct process *process = guest_process(guest_of_call(call));
    bool was = registry_remove(node_registry(process->node), process, kind, &key.key);
    return guest_answer(call, was ? 0 : ABI_NOT_FOUND);
}

/* register(name, size, holder) -> i32. */
enum engine_call_result abi_register(struct engine_call *call)
{
    uint8_t *window = NULL;
    if (call->arguments[2] != 0) {
        window = guest_window(call, call->arguments[2], sizeof(struct pid));
        if (window == NULL) {
            return ENGINE_CALL_TRAP;
        }
    }
    struct pid holder = {0};
    enum engine_call_result result = add(call, REGISTRY_NAME, &holder);
    if (result == ENGINE_CALL_DONE && window != NULL && (int32_t)call->result == ABI_EXISTS) {
        memcpy(window, &holder, sizeof holder);
    }
    return result;
}

/* unregister(name, size) -> i32. */
enum engine_call_result abi_unregister(struct engine_call *call)
{
    return take_off(call, REGISTRY_NAME);
}

/* tag(name, size) -> i32. */
enum engine_call_result abi_tag(struct engine_call *call)
{
    return add(call, REGISTRY_TAG, NULL);
}

/* untag(name, size) -> i32. */
enum engine_call_result abi_untag(struct engine_call *call)
{
    return take_off(call, REGISTRY_TAG);
}

/* join(name, size) -> i32. */
enum engine_call_result abi_join(struct engine_call *call)
{
    return add(call, REGISTRY_GROUP, NULL);
}

/* leave(name, size) -> i32. */
enum engine_call_result abi_leave(struct engine_call *call)
{
    return take_off(call, REGISTRY_GROUP);
}

/* whereis(space, size, name, size, pid) -> i32. */
enum engine_call_result abi_whereis(struct engine_call *call)
{
    uint8_t *window = guest_window(call, call->arguments[4], sizeof(struct pid));
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct abi_key key;
    enum engine_call_result result;
    if (!abi_read_far_name(call, 0, "whereis", &key, &result)) {
        return result;
    }
    struct node *node = guest_process(guest_of_call(call))->node;
    struct pid pid = registry_whereis(node_registry(node), &key.key);
    if (pid_is_none(pid)) {
        return guest_answer(call, ABI_NOT_FOUND);
    }
    memcpy(window, &pid, sizeof pid);
    return guest_answer(call, 0);
}

bool abi_read_pids(struct engine_call *call, unsigned first, struct pid **ret, size_t *ret_max,
                   enum engine_call_result *ret_result)
{
    uint64_t size = (uint64_t)(uint32_t)call->arguments[first + 1] * sizeof(struct pid);
    uint8_t *window = guest_window(call, call->arguments[first],
                                   size < UINT32_MAX ? size : UINT32_MAX);
    if (window == NULL) {
        *ret_result = ENGINE_CALL_TRAP;
        return false;
    }
    /* The memory itself begins at a page. */
    if ((uint32_t)call->arguments[first] % _Alignof(struct pid) != 0) {
        *ret_result = guest_answer(call, ABI_INVALID);
        return false;
    }
    *ret = (struct pid *)(void *)window;
    *ret_max = (size < UINT32_MAX ? size : UINT32_MAX) / sizeof(struct pid);
    return true;
}

static enum engine_call_result list_members(struct engine_call *call, enum registry_kind kind,
                                            const char *what)
{
    struct pid *pids;
    size_t max;
    struct abi_key key;
    enum engine_call_result result;
    if (!abi_read_pids(call, 4, &pids, &max, &result) ||
        !abi_read_far_name(call, 0, what, &key, &result)) {
        return result;
    }
    struct node *node = guest_process(guest_of_call(call))->node;
    return guest_answer(call,
                        (int32_t)registry_members(node_registry(node), kind, &key.key, pids, max));
}

/* tagged(space, size, name, size, pids, capacity) -> i32. */
enum engine_call_result abi_tagged(struct engine_call *call)
{
    return list_members(call, REGISTRY_TAG, "tagged");
}

/* members(space, size, name, size, pids, capacity) -> i32. */
enum engine_call_result abi_members(struct engine_call *call)
{
    return list_members(call, REGISTRY_GROUP, "members");
}

/* ---- publishing ---- */

enum { PUBLISH_STEP = 64 };

static int32_t begin_publishing(struct engine_call *call, struct post *post)
{
    struct guest *guest = guest_of_call(call);
    const uint8_t *data = guest_window(call, call->arguments[5], call->arguments[6]);
    size_t size = (uint32_t)call->arguments[6];
    if (size > guest->grant->message_bytes_max) {
        return ABI_LIMIT;
    }
    post->payload = payload_create(data, size);
    post->publishing = (struct publishing){0};
    return post->payload != NULL ? 0 : ABI_NO_MEMORY;
}

static enum engine_call_result end_publishing(struct engine_call *call, struct post *post,
                                              uint8_t *window)
{
    payload_release(TAKE(post->payload));
    traffic_sent(&guest_process(guest_of_call(call))->traffic, post->publishing.sum.reached,
                 (uint32_t)call->arguments[6]);
    if (window != NULL) {
        struct abi_publication sum = {.reached = post->publishing.sum.reached,
                                      .skipped = post->publishing.sum.skipped};
        memcpy(window, &sum, sizeof sum);
    }
    return guest_answer(call, 0);
}

/* Serve members for one slice. True: all are. */
static bool publish_slice(struct engine_call *call, struct post *post, const struct abi_key *key)
{
    struct process *process = guest_process(guest_of_call(call));
    struct env *env = node_env(process->node);
    uint64_t began_ns = env->monotonic_ns(env);
    do {
        if (registry_publish(node_registry(process->node), process->node, &key->key,
                             process->pid.raw, call->arguments[4], post->payload, PUBLISH_STEP,
                             &post->publishing)) {
            return true;
        }
    } while (env->monotonic_ns(env) - began_ns < ABI_SLICE_NS);
    return false;
}

/* publish(space, size, name, size, label, data, size, result) -> i32. */
enum engine_call_result abi_publish(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    uint8_t *window = NULL;
    if (call->arguments[7] != 0) {
        window = guest_window(call, call->arguments[7], sizeof(struct abi_publication));
        if (window == NULL) {
            return ENGINE_CALL_TRAP;
        }
    }
    struct abi_key key;
    enum engine_call_result result = ENGINE_CALL_TRAP;
    if (guest_window(call, call->arguments[5], call->arguments[6]) == NULL ||
        !abi_read_far_name(call, 0, "publish", &key, &result)) {
        return result;
    }
    struct post *post = post_of(guest);
    if (post == NULL) {
        return guest_answer(call, ABI_NO_MEMORY);
    }
    if (call->state == 0) {
        int32_t error = begin_publishing(call, post);
        if (error != 0) {
            return guest_answer(call, error);
        }
        call->state = 1;
    }
    if (publish_slice(call, post, &key)) {
        return end_publishing(call, post, window);
    }
    process_wake(&guest->process); /* its turn ends, and it goes on in the next one */
    return ENGINE_CALL_PARK;
}
