/* Processes and what they say to each other: mail, calls, names, groups, timers. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_FIRST = 4096, PIDS_MAX = 1024, REASON_MAX = 199 };

/* A label is a number, or the hash of a name as mote.h makes it. */
static bool label_get(JSContext *ctx, JSValueConst value, uint64_t *ret)
{
    if (!JS_IsString(value)) {
        *ret = 0;
        return JS_IsUndefined(value) || JS_IsNull(value) || u64_get(ctx, value, ret);
    }
    struct bytes name;
    if (!bytes_get(ctx, value, &name)) {
        return false;
    }
    uint64_t label = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < name.size; i++) {
        label = (label ^ name.data[i]) * UINT64_C(0x100000001b3);
    }
    bytes_free(ctx, &name);
    *ret = label;
    return true;
}

/* label(name or number) -> BigInt */
NATIVE(label_of)
{
    uint64_t label;
    return label_get(ctx, argv[0], &label) ? JS_NewBigUint64(ctx, label) : JS_EXCEPTION;
}

static JSValue mail_body(JSContext *ctx, const uint8_t *first, uint32_t size)
{
    if (size <= BODY_FIRST) {
        return JS_NewUint8ArrayCopy(ctx, first, size);
    }
    uint8_t *whole = malloc(size);
    if (whole == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    memcpy(whole, first, BODY_FIRST);
    int32_t more = mote_abi_mail_read(BODY_FIRST, whole + BODY_FIRST, size - BODY_FIRST);
    JSValue body = more < 0 ? throw_error(ctx, more) : JS_NewUint8ArrayCopy(ctx, whole, size);
    free(whole);
    return body;
}

static JSValue mail_object(JSContext *ctx, const struct mote_mail *mail, JSValue body)
{
    JSValue made = JS_IsException(body) ? JS_EXCEPTION : JS_NewObject(ctx);
    if (JS_IsException(made)) {
        JS_FreeValue(ctx, body);
        return made;
    }
    JS_SetPropertyStr(ctx, made, "kind", JS_NewUint32(ctx, mail->kind));
    JS_SetPropertyStr(ctx, made, "sender", JS_NewBigUint64(ctx, mail->sender));
    JS_SetPropertyStr(ctx, made, "label", JS_NewBigInt64(ctx, (int64_t)mail->label));
    JS_SetPropertyStr(ctx, made, "reference", JS_NewBigUint64(ctx, mail->reference));
    JS_SetPropertyStr(ctx, made, "exitClass", JS_NewUint32(ctx, mail->exit_class));
    JS_SetPropertyStr(ctx, made, "status", JS_NewInt32(ctx, mail->status));
    JS_SetPropertyStr(ctx, made, "stream", JS_NewInt32(ctx, mail->stream));
    JS_SetPropertyStr(ctx, made, "body", body);
    return made;
}

/* receive() -> the next mail, or an error below 0 (-9: none); never waits */
NATIVE(receive)
{
    static uint8_t first[BODY_FIRST];
    struct mote_mail mail = {0};
    int32_t result = mote_abi_receive(NULL, &mail, first, sizeof first, 0);
    return result < 0 ? JS_NewInt32(ctx, result)
                      : mail_object(ctx, &mail, mail_body(ctx, first, mail.size));
}

/* Of a message: to whom, which, what, and the end of a stream. */
struct parcel {
    uint64_t pid, label;
    struct bytes data;
    int32_t stream;
};

static bool parcel_get(JSContext *ctx, JSValueConst *argv, struct parcel *ret)
{
    *ret = (struct parcel){0};
    return u64_get(ctx, argv[0], &ret->pid) && label_get(ctx, argv[1], &ret->label) &&
           (JS_IsUndefined(argv[3]) || JS_ToInt32(ctx, &ret->stream, argv[3]) == 0) &&
           bytes_get(ctx, argv[2], &ret->data);
}

/* send(pid, label, data, stream) */
NATIVE(send)
{
    struct parcel parcel;
    if (!parcel_get(ctx, argv, &parcel)) {
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_send(parcel.pid, parcel.label, parcel.data.data, parcel.data.size,
                                   parcel.stream);
    bytes_free(ctx, &parcel.data);
    return result_of(ctx, result);
}

/* callBegin(pid, label, data, stream) -> reference */
NATIVE(call_begin)
{
    struct parcel parcel;
    if (!parcel_get(ctx, argv, &parcel)) {
        return JS_EXCEPTION;
    }
    int64_t reference = mote_abi_call_begin(parcel.pid, parcel.label, parcel.data.data,
                                            parcel.data.size, parcel.stream);
    bytes_free(ctx, &parcel.data);
    return reference < 0 ? throw_error(ctx, (int32_t)reference) : JS_NewBigInt64(ctx, reference);
}

/* reply(pid, label, data, stream, reference) */
NATIVE(reply)
{
    struct parcel parcel;
    uint64_t reference;
    if (!u64_get(ctx, argv[4], &reference) || !parcel_get(ctx, argv, &parcel)) {
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_reply(parcel.pid, reference, parcel.label, parcel.data.data,
                                    parcel.data.size, parcel.stream);
    bytes_free(ctx, &parcel.data);
    return result_of(ctx, result);
}

/* Functions of a pid or a reference that answer a number. */
enum pid_call { PID_LINK, PID_UNLINK, PID_KILL, PID_DEMONITOR, PID_CANCEL };

static JSValue pid_call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int call)
{
    (void)self;
    (void)argc;
    uint64_t pid;
    if (!u64_get(ctx, argv[0], &pid)) {
        return JS_EXCEPTION;
    }
    switch ((enum pid_call)call) {
    case PID_LINK:
        return result_of(ctx, mote_abi_link(pid));
    case PID_UNLINK:
        return result_of(ctx, mote_abi_unlink(pid));
    case PID_KILL:
        return result_of(ctx, mote_abi_kill(pid));
    case PID_DEMONITOR:
        return JS_NewInt32(ctx, mote_abi_demonitor(pid));
    case PID_CANCEL:
        return JS_NewInt32(ctx, mote_abi_cancel(pid));
    }
    return JS_UNDEFINED;
}

/* monitor(pid) -> reference */
NATIVE(monitor)
{
    uint64_t pid;
    if (!u64_get(ctx, argv[0], &pid)) {
        return JS_EXCEPTION;
    }
    int64_t reference = mote_abi_monitor(pid);
    return reference < 0 ? throw_error(ctx, (int32_t)reference) : JS_NewBigInt64(ctx, reference);
}

NATIVE(trap_exits)
{
    return result_of(ctx, mote_abi_trap_exits(JS_ToBool(ctx, argv[0]) != 0));
}

/* exit(reason): does not return */
NATIVE(leave)
{
    struct bytes reason;
    if (!bytes_get(ctx, argv[0], &reason)) {
        return JS_EXCEPTION;
    }
    mote_abi_exit((const char *)reason.data, reason.size < REASON_MAX ? reason.size : REASON_MAX);
}

NATIVE(exit_signal)
{
    uint64_t pid;
    struct bytes reason;
    if (!u64_get(ctx, argv[0], &pid) || !bytes_get(ctx, argv[1], &reason)) {
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_exit_signal(pid, (const char *)reason.data, reason.size);
    bytes_free(ctx, &reason);
    return result_of(ctx, result);
}

/* Functions of a name. */
enum name_call {
    NAME_REGISTER,
    NAME_UNREGISTER,
    NAME_TAG,
    NAME_UNTAG,
    NAME_JOIN,
    NAME_LEAVE,
    NAME_LABEL
};

static int32_t with_name(enum name_call call, const char *name, size_t size)
{
    switch (call) {
    case NAME_REGISTER:
        return mote_abi_register(name, size, NULL);
    case NAME_UNREGISTER:
        return mote_abi_unregister(name, size);
    case NAME_TAG:
        return mote_abi_tag(name, size);
    case NAME_UNTAG:
        return mote_abi_untag(name, size);
    case NAME_JOIN:
        return mote_abi_join(name, size);
    case NAME_LEAVE:
        return mote_abi_leave(name, size);
    case NAME_LABEL:
        return mote_abi_set_label(name, size);
    }
    return MOTE_INVALID;
}

static JSValue name_call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int call)
{
    (void)self;
    (void)argc;
    struct bytes name;
    if (!bytes_get(ctx, argv[0], &name)) {
        return JS_EXCEPTION;
    }
    int32_t result = with_name((enum name_call)call, (const char *)name.data, name.size);
    bytes_free(ctx, &name);
    return result_of(ctx, result);
}

/* whereis(name) -> pid or null */
NATIVE(whereis)
{
    struct bytes name;
    uint64_t pid = 0;
    if (!bytes_get(ctx, argv[0], &name)) {
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_whereis(NULL, 0, (const char *)name.data, name.size, &pid);
    bytes_free(ctx, &name);
    return result == MOTE_NOT_FOUND ? JS_NULL
           : result < 0             ? throw_error(ctx, result)
                                    : JS_NewBigUint64(ctx, pid);
}

enum list_call { LIST_TAGGED, LIST_MEMBERS, LIST_ALL };

/* tagged(name), members(name), list() -> pids, the first 1024 */
static JSValue list_call(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int call)
{
    (void)self;
    (void)argc;
    static uint64_t pids[PIDS_MAX];
    struct bytes name = {0};
    if (call != LIST_ALL && !bytes_get(ctx, argv[0], &name)) {
        return JS_EXCEPTION;
    }
    const char *text = (const char *)name.data;
    int32_t count = call == LIST_ALL ? mote_abi_list(pids, PIDS_MAX)
                    : call == LIST_TAGGED
                        ? mote_abi_tagged(NULL, 0, text, name.size, pids, PIDS_MAX)
                        : mote_abi_members(NULL, 0, text, name.size, pids, PIDS_MAX);
    bytes_free(ctx, &name);
    if (count < 0) {
        return throw_error(ctx, count);
    }
    JSValue made = JS_NewArray(ctx);
    for (int32_t i = 0; !JS_IsException(made) && i < count && i < PIDS_MAX; i++) {
        JS_SetPropertyUint32(ctx, made, (uint32_t)i, JS_NewBigUint64(ctx, pids[i]));
    }
    return made;
}

/* publish(group, label, data) -> how many got it */
NATIVE(publish)
{
    struct bytes name, data;
    uint64_t label;
    struct mote_publication publication = {0};
    if (!label_get(ctx, argv[1], &label) || !bytes_get(ctx, argv[0], &name)) {
        return JS_EXCEPTION;
    }
    if (!bytes_get(ctx, argv[2], &data)) {
        bytes_free(ctx, &name);
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_publish(NULL, 0, (const char *)name.data, name.size, label, data.data,
                                      data.size, &publication);
    bytes_free(ctx, &name);
    bytes_free(ctx, &data);
    return result_of(ctx, result < 0 ? result : (int64_t)publication.reached);
}

/* sendAfter(pid, label, data, unused, ms) -> reference */
NATIVE(send_after)
{
    struct parcel parcel;
    if (!parcel_get(ctx, argv, &parcel)) {
        return JS_EXCEPTION;
    }
    int64_t after = timeout_get(ctx, argv[4]);
    int64_t reference = mote_abi_send_after(parcel.pid, parcel.label, parcel.data.data,
                                            parcel.data.size, after < 0 ? 0 : after);
    bytes_free(ctx, &parcel.data);
    return reference < 0 ? throw_error(ctx, (int32_t)reference) : JS_NewBigInt64(ctx, reference);
}

static bool number_of(JSContext *ctx, JSValueConst from, const char *name, uint32_t *ret)
{
    JSValue value = JS_GetPropertyStr(ctx, from, name);
    bool good = !JS_IsException(value) &&
                (JS_IsUndefined(value) || JS_ToUint32(ctx, ret, value) == 0);
    JS_FreeValue(ctx, value);
    return good;
}

/* spawn(component, input, {flags, maxMemoryMb, maxCpuMs, deadlineMs}) -> [pid, reference] */
NATIVE(spawn)
{
    struct mote_spawn_options options = {0};
    struct mote_spawned spawned = {0};
    struct bytes component, input;
    if (!number_of(ctx, argv[2], "flags", &options.flags) ||
        !number_of(ctx, argv[2], "maxMemoryMb", &options.max_memory_mb) ||
        !number_of(ctx, argv[2], "maxCpuMs", &options.max_cpu_ms) ||
        !number_of(ctx, argv[2], "deadlineMs", &options.deadline_ms) ||
        !bytes_get(ctx, argv[0], &component)) {
        return JS_EXCEPTION;
    }
    if (!bytes_get(ctx, argv[1], &input)) {
        bytes_free(ctx, &component);
        return JS_EXCEPTION;
    }
    int32_t result = mote_abi_spawn((const char *)component.data, component.size, input.data,
                                    input.size, &options, &spawned);
    bytes_free(ctx, &component);
    bytes_free(ctx, &input);
    if (result < 0) {
        return throw_error(ctx, result);
    }
    JSValue made = JS_NewArray(ctx);
    if (!JS_IsException(made)) {
        JS_SetPropertyUint32(ctx, made, 0, JS_NewBigUint64(ctx, spawned.pid));
        JS_SetPropertyUint32(ctx, made, 1, JS_NewBigUint64(ctx, spawned.reference));
    }
    return made;
}

/* input() -> Uint8Array */
NATIVE(input)
{
    int32_t size = mote_abi_input_get(NULL, 0);
    if (size < 0) {
        return size == MOTE_MISPLACED || size == MOTE_NOT_FOUND
                   ? JS_NewUint8ArrayCopy(ctx, (const uint8_t *)"", 0)
                   : throw_error(ctx, size);
    }
    uint8_t *buffer = malloc((size_t)size + 1);
    if (buffer == NULL) {
        return JS_ThrowOutOfMemory(ctx);
    }
    mote_abi_input_get(buffer, (size_t)size);
    JSValue made = JS_NewUint8ArrayCopy(ctx, buffer, (size_t)size);
    free(buffer);
    return made;
}

NATIVE(self_pid)
{
    return JS_NewBigUint64(ctx, mote_abi_self());
}

NATIVE(parent_pid)
{
    return JS_NewBigUint64(ctx, mote_abi_parent());
}

NATIVE(ready)
{
    return result_of(ctx, mote_abi_ready());
}

static const JSCFunctionListEntry entries[] = {
    JS_CFUNC_DEF("label", 1, label_of),
    JS_CFUNC_DEF("receive", 0, receive),
    JS_CFUNC_DEF("send", 4, send),
    JS_CFUNC_DEF("callBegin", 4, call_begin),
    JS_CFUNC_DEF("reply", 5, reply),
    JS_CFUNC_MAGIC_DEF("link", 1, pid_call, PID_LINK),
    JS_CFUNC_MAGIC_DEF("unlink", 1, pid_call, PID_UNLINK),
    JS_CFUNC_MAGIC_DEF("kill", 1, pid_call, PID_KILL),
    JS_CFUNC_MAGIC_DEF("demonitor", 1, pid_call, PID_DEMONITOR),
    JS_CFUNC_MAGIC_DEF("cancel", 1, pid_call, PID_CANCEL),
    JS_CFUNC_DEF("monitor", 1, monitor),
    JS_CFUNC_DEF("trapExits", 1, trap_exits),
    JS_CFUNC_DEF("exit", 1, leave),
    JS_CFUNC_DEF("exitSignal", 2, exit_signal),
    JS_CFUNC_MAGIC_DEF("register", 1, name_call, NAME_REGISTER),
    JS_CFUNC_MAGIC_DEF("unregister", 1, name_call, NAME_UNREGISTER),
    JS_CFUNC_MAGIC_DEF("tag", 1, name_call, NAME_TAG),
    JS_CFUNC_MAGIC_DEF("untag", 1, name_call, NAME_UNTAG),
    JS_CFUNC_MAGIC_DEF("join", 1, name_call, NAME_JOIN),
    JS_CFUNC_MAGIC_DEF("leave", 1, name_call, NAME_LEAVE),
    JS_CFUNC_MAGIC_DEF("setLabel", 1, name_call, NAME_LABEL),
    JS_CFUNC_DEF("whereis", 1, whereis),
    JS_CFUNC_MAGIC_DEF("tagged", 1, list_call, LIST_TAGGED),
    JS_CFUNC_MAGIC_DEF("members", 1, list_call, LIST_MEMBERS),
    JS_CFUNC_MAGIC_DEF("list", 0, list_call, LIST_ALL),
    JS_CFUNC_DEF("publish", 3, publish),
    JS_CFUNC_DEF("sendAfter", 5, send_after),
    JS_CFUNC_DEF("spawn", 3, spawn),
    JS_CFUNC_DEF("input", 0, input),
    JS_CFUNC_DEF("self", 0, self_pid),
    JS_CFUNC_DEF("parent", 0, parent_pid),
    JS_CFUNC_DEF("ready", 0, ready),
};

const struct natives process_natives = {entries, sizeof entries / sizeof entries[0]};
