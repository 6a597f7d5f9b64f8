#include "guest/abi_internal.h"

#include "base/log.h"
#include "core/node.h"
#include "core/supervisor.h"
#include "guest/grant.h"

#include <stdio.h>
#include <string.h>

/* self() -> i64: the caller's pid. */
enum engine_call_result abi_self(struct engine_call *call)
{
    call->result = guest_process(guest_of_call(call))->pid.raw;
    return ENGINE_CALL_DONE;
}

/* log(level, text, size) -> i32: one line for the node's log. */
enum engine_call_result abi_log(struct engine_call *call)
{
    const uint8_t *text = guest_window(call, call->arguments[1], call->arguments[2]);
    if (text == NULL) {
        return ENGINE_CALL_TRAP;
    }
    if (call->arguments[0] > LOG_DEBUG) {
        return guest_answer(call, ABI_INVALID);
    }
    guest_log(guest_of_call(call), (unsigned)call->arguments[0], "log", (const char *)text,
              (uint32_t)call->arguments[2]);
    return guest_answer(call, 0);
}

/* sleep(ns) -> i32: park until then. The first try starts the timer, later ones look whether it is
 * time: a wake may have come for another reason. */
enum engine_call_result abi_sleep(struct engine_call *call)
{
    struct process *process = guest_process(guest_of_call(call));
    uint64_t now_ns = node_now_ns(process->node);
    bool first = call->state == 0;
    if (first) {
        if (call->arguments[0] > ABI_TIME_MAX_NS) {
            return guest_answer(call, ABI_INVALID);
        }
        call->state = now_ns + call->arguments[0];
        process_wake_at(process, call->state);
    }
    bool deserted = guest_is_deserted(guest_of_call(call));
    if ((first || now_ns < call->state) && !deserted) {
        return ENGINE_CALL_PARK;
    }
    process_cancel_wake(process);
    return guest_answer(call, deserted ? ABI_CLOSED : 0);
}

/* clock() -> i64: nanoseconds of a clock that never goes back. */
enum engine_call_result abi_clock(struct engine_call *call)
{
    struct env *env = node_env(guest_process(guest_of_call(call))->node);
    call->result = env->monotonic_ns(env);
    return ENGINE_CALL_DONE;
}

/* wall_clock() -> i64: nanoseconds since 1970. */
enum engine_call_result abi_wall_clock(struct engine_call *call)
{
    struct env *env = node_env(guest_process(guest_of_call(call))->node);
    call->result = env->wall_ns(env);
    return ENGINE_CALL_DONE;
}

enum { RANDOM_BYTES_MAX = 65536 };

/* random(buffer, size) -> i32. */
enum engine_call_result abi_random(struct engine_call *call)
{
    uint8_t *window = guest_window(call, call->arguments[0], call->arguments[1]);
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    if ((uint32_t)call->arguments[1] > RANDOM_BYTES_MAX) {
        return guest_answer(call, ABI_LIMIT);
    }
    struct env *env = node_env(guest_process(guest_of_call(call))->node);
    env->random(env, window, (uint32_t)call->arguments[1]);
    return guest_answer(call, 0);
}

enum { ENV_NAME_BYTES_MAX = 128 };

/* env_get(name, name size, buffer, capacity) -> i32: the value's full size. */
enum engine_call_result abi_env_get(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    const uint8_t *name = guest_window(call, call->arguments[0], call->arguments[1]);
    if (name == NULL || guest_window(call, call->arguments[2], call->arguments[3]) == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t name_bytes = (uint32_t)call->arguments[1];
    if (name_bytes == 0 || name_bytes > ENV_NAME_BYTES_MAX) {
        return guest_answer(call, ABI_INVALID);
    }
    const char *value = grant_env(guest_grant(guest), (const char *)name, name_bytes);
    if (value == NULL) {
        char line[ENV_NAME_BYTES_MAX + 16];
        snprintf(line, sizeof line, "env = [\"%.*s\"]", (int)name_bytes, (const char *)name);
        guest_log_denied(guest, "env_get", line);
        return guest_answer(call, ABI_DENIED);
    }
    return guest_answer_text(call, value, strlen(value), call->arguments[2], call->arguments[3]);
}

/* parent() -> i64: who started it. */
enum engine_call_result abi_parent(struct engine_call *call)
{
    call->result = guest_process(guest_of_call(call))->parent.raw;
    return ENGINE_CALL_DONE;
}

/* ready() -> i32: this service has started. */
enum engine_call_result abi_ready(struct engine_call *call)
{
    supervisor_child_started(guest_process(guest_of_call(call)));
    return guest_answer(call, 0);
}

#define IMPORT(name, signature, parks) {"mote", #name, signature, parks, abi_##name},

const struct engine_import *abi_imports(size_t *ret_count)
{
    static const struct engine_import imports[] = {ABI_GUEST(IMPORT)};
    *ret_count = ARRAY_LENGTH(imports);
    return imports;
}
