/* Supervisors: starting one with its children, and looking at them. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

enum { CHILDREN_MAX = 64 };

/* A number of the object's; absent: it stays. */
static bool number_of(JSContext *ctx, JSValueConst from, const char *name, uint32_t *ret)
{
    JSValue value = JS_GetPropertyStr(ctx, from, name);
    bool good = !JS_IsException(value) &&
                (JS_IsUndefined(value) || JS_ToUint32(ctx, ret, value) == 0);
    JS_FreeValue(ctx, value);
    return good;
}

/* Bytes or text of the object's, as a copy in `ret` that is freed by whoever asks. */
static bool copy_of(JSContext *ctx, JSValueConst from, const char *name, uint8_t **ret,
                    uint32_t *ret_size)
{
    struct bytes bytes;
    JSValue value = JS_GetPropertyStr(ctx, from, name);
    bool good = !JS_IsException(value) && bytes_get(ctx, value, &bytes);
    if (good) {
        *ret = malloc(bytes.size + 1);
        if (*ret != NULL) {
            memcpy(*ret, bytes.data, bytes.size);
        } else {
            JS_ThrowOutOfMemory(ctx);
            good = false;
        }
        *ret_size = (uint32_t)bytes.size;
        bytes_free(ctx, &bytes);
    }
    JS_FreeValue(ctx, value);
    return good;
}

struct child {
    uint8_t *name, *component, *input;
};

static bool child_get(JSContext *ctx, JSValueConst from, struct child *child,
                      struct mote_child_spec *spec)
{
    bool good = copy_of(ctx, from, "name", &child->name, &spec->name_size) &&
                copy_of(ctx, from, "component", &child->component, &spec->component_size) &&
                copy_of(ctx, from, "input", &child->input, &spec->input_size) &&
                number_of(ctx, from, "restart", &spec->restart) &&
                number_of(ctx, from, "shutdownMs", &spec->shutdown_ms) &&
                number_of(ctx, from, "startTimeoutMs", &spec->start_timeout_ms);
    spec->name = (uint32_t)(uintptr_t)child->name;
    spec->component = (uint32_t)(uintptr_t)child->component;
    spec->input = (uint32_t)(uintptr_t)child->input;
    return good;
}

/* supervise({strategy, maxRestarts, windowMs}, [{name, component, input, restart, shutdownMs, startTimeoutMs}]) -> pid */
NATIVE(supervise)
{
    static struct child owned[CHILDREN_MAX];
    static struct mote_child_spec specs[CHILDREN_MAX];
    struct mote_supervisor_spec spec = {0};
    int64_t count = 0;
    if (!number_of(ctx, argv[0], "strategy", &spec.strategy) ||
        !number_of(ctx, argv[0], "maxRestarts", &spec.max_restarts) ||
        !number_of(ctx, argv[0], "windowMs", &spec.window_ms) ||
        JS_GetLength(ctx, argv[1], &count) != 0) {
        return JS_EXCEPTION;
    }
    if (count > CHILDREN_MAX) {
        return throw_error(ctx, MOTE_LIMIT);
    }
    bool good = true;
    int64_t made = 0;
    while (good && made < count) {
        JSValue one = JS_GetPropertyInt64(ctx, argv[1], made);
        owned[made] = (struct child){0};
        specs[made] = (struct mote_child_spec){0};
        good = !JS_IsException(one) && child_get(ctx, one, &owned[made], &specs[made]);
        JS_FreeValue(ctx, one);
        made++;
    }
    uint64_t pid = 0;
    int32_t result = good ? mote_abi_supervisor_start(&spec, specs, (size_t)count, &pid) : 0;
    while (made-- > 0) {
        free(owned[made].name);
        free(owned[made].component);
        free(owned[made].input);
    }
    return !good ? JS_EXCEPTION : result < 0 ? throw_error(ctx, result) : JS_NewBigUint64(ctx, pid);
}

static JSValue state_object(JSContext *ctx, const struct mote_child_state *state)
{
    JSValue made = JS_NewObject(ctx);
    if (!JS_IsException(made)) {
        size_t size = strnlen((const char *)state->name, sizeof state->name);
        JS_SetPropertyStr(ctx, made, "name", text_of_utf8(ctx, state->name, size));
        JS_SetPropertyStr(ctx, made, "pid", JS_NewBigUint64(ctx, state->pid));
        JS_SetPropertyStr(ctx, made, "restarts", JS_NewInt64(ctx, (int64_t)state->restarts));
    }
    return made;
}

/* children(pid of a supervisor) -> [{name, pid, restarts}] */
NATIVE(children)
{
    static struct mote_child_state states[CHILDREN_MAX];
    uint64_t pid;
    if (!u64_get(ctx, argv[0], &pid)) {
        return JS_EXCEPTION;
    }
    int32_t count = mote_abi_supervisor_children(pid, states, CHILDREN_MAX);
    if (count < 0) {
        return throw_error(ctx, count);
    }
    JSValue made = JS_NewArray(ctx);
    for (int32_t i = 0; !JS_IsException(made) && i < count && i < CHILDREN_MAX; i++) {
        JS_SetPropertyUint32(ctx, made, (uint32_t)i, state_object(ctx, &states[i]));
    }
    return made;
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("supervise", 2, supervise),
    JS_CFUNC_DEF("children", 1, children),
};

const struct natives supervisor_natives = {entries, sizeof entries / sizeof entries[0]};
