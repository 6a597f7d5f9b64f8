#include "guest/rusm.h"

#include "core/node.h"
#include "core/supervisor.h"
#include "guest/abi_spawn.h"
#include "guest/rusm_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_number(uint8_t ret[4], uint32_t number)
{
    for (unsigned i = 0; i < 4; i++) {
        ret[i] = (uint8_t)(number >> 8 * i);
    }
}

bool rusm_pack_number(struct bytes *to, uint32_t number)
{
    uint8_t word[4];
    put_number(word, number);
    return bytes_append(to, word, sizeof word);
}

bool rusm_pack_text(struct bytes *to, const void *data, size_t size_bytes)
{
    return rusm_pack_number(to, (uint32_t)size_bytes) && bytes_append(to, data, size_bytes);
}

/* What one of ours has answered, as 1 or 0: whether it worked. */
static enum engine_call_result as_flag(struct engine_call *call, enum engine_call_result result)
{
    return result == ENGINE_CALL_DONE ? guest_answer(call, (int32_t)call->result == 0) : result;
}

/* ---- sending ---- */

/* Whether it is full for now, and the guest will be woken. */
static bool is_own_outlet(struct guest *guest, uint64_t pid, struct guest_outlet **ret)
{
    *ret = guest->role->outlet != NULL ? guest->role->outlet(guest->context) : NULL;
    return *ret != NULL && (*ret)->pid.raw == pid;
}

static int32_t send_once(struct engine_call *call, const uint8_t *data)
{
    struct engine_call inner = rusm_inner(call);
    inner.arguments[0] = call->arguments[0];
    inner.arguments[2] = (uintptr_t)data;
    inner.arguments[3] = (uint32_t)call->arguments[2];
    (void)abi_send(&inner);
    return (int32_t)inner.result;
}

/* send(pid, data, size). What a mailbox refuses is lost, but for the guest's own client: that is waited for. */
static enum engine_call_result rusm_send(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    const uint8_t *data = guest_window(call, call->arguments[1], call->arguments[2]);
    if (data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    int32_t error = send_once(call, data);
    struct guest_outlet *outlet;
    if (error == ABI_FULL && is_own_outlet(guest, call->arguments[0], &outlet)) {
        guest_outlet_wait(outlet);
        error = send_once(call, data);
        if (error == ABI_FULL) {
            return ENGINE_CALL_PARK;
        }
    }
    if (error == ABI_LIMIT) {
        guest_log_denied(guest, "send", "a larger max-message-bytes");
    }
    return ENGINE_CALL_DONE;
}

/* send_after(pid, milliseconds, data, size) -> i64: a timer; 0: there is none. */
static enum engine_call_result rusm_send_after(struct engine_call *call)
{
    uint64_t most_ms = ABI_TIME_MAX_NS / ABI_MILLISECOND_NS;
    uint64_t after_ms = call->arguments[1] < most_ms ? call->arguments[1] : most_ms;
    struct engine_call inner = rusm_inner(call);
    inner.arguments[0] = call->arguments[0];
    inner.arguments[2] = call->arguments[2];
    inner.arguments[3] = call->arguments[3];
    inner.arguments[4] = after_ms * ABI_MILLISECOND_NS;
    (void)abi_send_after(&inner);
    int64_t reference = (int64_t)inner.result;
    if (reference < 0) {
        guest_log_refused(guest_of_call(call), "send-after",
                          "more timers than max-timers, or messages than a mailbox may hold");
    }
    return abi_answer_wide(call, reference > 0 ? reference : 0);
}

/* cancel_timer(reference) -> i32: 1 when no message of it comes any more. */
static enum engine_call_result rusm_cancel_timer(struct engine_call *call)
{
    enum engine_call_result result = abi_cancel(call);
    return guest_answer(call, result == ENGINE_CALL_DONE && (int32_t)call->result >= 0);
}

/* ---- others ---- */

/* notify(): a counter that nobody reads here. */
static enum engine_call_result rusm_notify(struct engine_call *call)
{
    (void)call;
    return ENGINE_CALL_DONE;
}

/* is_alive(pid) -> i32. */
static enum engine_call_result rusm_is_alive(struct engine_call *call)
{
    struct process *target = abi_find(guest_of_call(call), call->arguments[0]);
    if (target == NULL) {
        return guest_answer(call, 0);
    }
    process_release(target);
    return guest_answer(call, 1);
}

/* kill(pid) -> i32. */
static enum engine_call_result rusm_kill(struct engine_call *call)
{
    return as_flag(call, abi_kill(call));
}

/* register(name, size) -> i32: 1 also when the name is its own already, as a resident component's is. */
static enum engine_call_result rusm_register(struct engine_call *call)
{
    const uint8_t *name = guest_window(call, call->arguments[0], call->arguments[1]);
    if (name == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct pid holder = {0};
    struct engine_call inner = rusm_inner(call);
    inner.arguments[0] = (uintptr_t)name;
    inner.arguments[1] = call->arguments[1];
    inner.arguments[2] = (uintptr_t)&holder;
    (void)abi_register(&inner);
    bool own = pid_equal(holder, guest_process(guest_of_call(call))->pid);
    return guest_answer(call, (int32_t)inner.result == 0 || own);
}

/* unregister(name, size) -> i32. */
static enum engine_call_result rusm_unregister(struct engine_call *call)
{
    return as_flag(call, abi_unregister(call));
}

/* whereis(name, size) -> i64: a pid, or -1. */
static enum engine_call_result rusm_whereis(struct engine_call *call)
{
    const uint8_t *name = guest_window(call, call->arguments[0], call->arguments[1]);
    if (name == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct pid pid = {0};
    struct engine_call inner = rusm_inner(call);
    inner.arguments[2] = (uintptr_t)name;
    inner.arguments[3] = call->arguments[1];
    inner.arguments[4] = (uintptr_t)&pid;
    (void)abi_whereis(&inner);
    return abi_answer_wide(call, (int32_t)inner.result == 0 ? (int64_t)pid.raw : -1);
}

/* set_label(text, size): as much of it as there is room for. */
static enum engine_call_result rusm_set_label(struct engine_call *call)
{
    const uint8_t *text = guest_window(call, call->arguments[0], call->arguments[1]);
    if (text == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t size = (uint32_t)call->arguments[1];
    if (size >= PROCESS_NOTE_BYTES) {
        size = PROCESS_NOTE_BYTES - 1;
        while (size > 0 && (text[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    struct engine_call inner = rusm_inner(call);
    inner.arguments[0] = (uintptr_t)text;
    inner.arguments[1] = size;
    (void)abi_set_label(&inner);
    return ENGINE_CALL_DONE;
}

/* list_processes(pids, capacity) -> i32. */
static enum engine_call_result rusm_list_processes(struct engine_call *call)
{
    enum engine_call_result result = abi_list(call);
    if (result == ENGINE_CALL_DONE && (int32_t)call->result < 0) {
        snprintf(call->text, sizeof call->text, "pids must lie at a multiple of 8");
        return ENGINE_CALL_TRAP;
    }
    return result;
}

struct packed_names {
    struct bytes *to;
    uint32_t count;
    bool failed;
};

static void add_name(void *argument, const struct registry_key *key, struct pid pid)
{
    struct packed_names *names = argument;
    (void)pid;
    names->count++;
    names->failed = !rusm_pack_text(names->to, key->name, key->name_bytes) || names->failed;
}

static bool pack_info(const struct process *self, const struct process *target,
                      const struct abi_info *info, struct bytes *to)
{
    char note[PROCESS_NOTE_BYTES];
    process_note(target, note);
    const char *label = note[0] != '\0' || target->label == NULL ? note : target->label;
    bool traps = target == self && self->traps_exits;
    if (!rusm_pack_number(to, info->links) || !rusm_pack_number(to, info->monitors) ||
        !rusm_pack_number(to, info->mailbox_messages) || !rusm_pack_number(to, traps) ||
        !rusm_pack_text(to, label, strlen(label)) || !rusm_pack_number(to, 0)) {
        return false;
    }
    struct packed_names names = {.to = to};
    size_t at = to->size - sizeof(uint32_t);
    if (target == self) {
        registry_visit_own(self, REGISTRY_NAME, add_name, &names);
    }
    put_number(to->data + at, names.count);
    return !names.failed;
}

/* info(pid) -> i64: the pid, and what is known of it; 0: no such process. */
static enum engine_call_result rusm_info(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct rusm_desk *desk = rusm_desk_of(call);
    if (desk == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct abi_info info;
    struct engine_call inner = rusm_inner(call);
    inner.arguments[0] = call->arguments[0];
    inner.arguments[1] = (uintptr_t)&info;
    (void)abi_info(&inner);
    struct process *target = (int32_t)inner.result == 0 ? abi_find(guest, call->arguments[0])
                                                        : NULL;
    if (target == NULL) {
        return abi_answer_wide(call, 0);
    }
    bytes_clear(&desk->text);
    bool packed = pack_info(&guest->process, target, &info, &desk->text);
    call->body = desk->text.data;
    call->body_bytes = desk->text.size;
    process_release(target);
    return abi_answer_wide(call, packed ? (int64_t)call->arguments[0] : 0);
}

/* ---- tags ---- */

/* register_tag(name, size). */
static enum engine_call_result rusm_register_tag(struct engine_call *call)
{
    enum engine_call_result result = abi_tag(call);
    if (result == ENGINE_CALL_DONE && (int32_t)call->result == ABI_LIMIT) {
        guest_log_denied(guest_of_call(call), "register-tag", "a larger max-tags");
    }
    return result;
}

/* Members of a tag whose name the first two arguments are. Their number, or an error. */
static int32_t find_tagged(struct engine_call *call, struct pid *pids, size_t capacity)
{
    struct engine_call inner = rusm_inner(call);
    inner.arguments[2] = call->arguments[0];
    inner.arguments[3] = call->arguments[1];
    inner.arguments[4] = (uintptr_t)pids;
    inner.arguments[5] = capacity;
    (void)abi_tagged(&inner);
    return (int32_t)inner.result;
}

/* whereis_tag(name, size, pids, capacity) -> i32. */
static enum engine_call_result rusm_whereis_tag(struct engine_call *call)
{
    int32_t count = find_tagged(call, (struct pid *)(uintptr_t)call->arguments[2],
                                call->arguments[3]);
    return guest_answer(call, count > 0 ? count : 0);
}

enum { KILLED_AT_ONCE_MAX = 4096 };

/* kill_tag(name, size) -> i32: how many. */
static enum engine_call_result rusm_kill_tag(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    if (!guest->grant->allow_process_control) {
        guest_log_denied(guest, "kill-tag", "allow-process-control = true");
        return guest_answer(call, 0);
    }
    struct pid *pids = calloc(KILLED_AT_ONCE_MAX, sizeof *pids);
    if (pids == NULL) {
        return guest_answer(call, 0);
    }
    int32_t count = find_tagged(call, pids, KILLED_AT_ONCE_MAX), killed = 0;
    count = count < KILLED_AT_ONCE_MAX ? count : KILLED_AT_ONCE_MAX;
    for (int32_t i = 0; i < count; i++) {
        struct engine_call inner = rusm_inner(call);
        inner.arguments[0] = pids[i].raw;
        (void)abi_kill(&inner);
        killed += (int32_t)inner.result == 0;
    }
    free(pids);
    return guest_answer(call, killed);
}

/* ---- spawning ---- */

static void explain(struct engine_call *call, const char *what, int32_t error, const char *name,
                    size_t size)
{
    int shown = size < 64 ? (int)size : 64;
    const char *why = error == ABI_DENIED      ? "allow-spawn does not name it"
                      : error == ABI_NOT_FOUND ? "there is no such component"
                      : error == ABI_INVALID   ? "that is no name of a component"
                                               : "there is no room for it";
    snprintf(call->text, sizeof call->text, "%s '%.*s': %s", what, shown, name, why);
}

/* spawn(component, size) -> i64; `text` says why not. */
static enum engine_call_result rusm_spawn(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    const char *name = (const char *)guest_window(call, call->arguments[0], call->arguments[1]);
    if (name == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t size = (uint32_t)call->arguments[1];
    struct spawn_target target;
    const struct abi_spawn_options asked = {0};
    struct abi_spawned spawned = {0};
    int32_t error = spawn_target_find(guest, "spawn", name, size, &target);
    if (error == 0) {
        error = spawn_now(guest, &target, &asked, NULL, 0, &spawned);
    }
    if (error != 0) {
        explain(call, "spawn", error, name, size);
    }
    return abi_answer_wide(call, (int64_t)spawned.pid);
}

/* spawn_from(component, size, source, size) -> i64; never. */
static enum engine_call_result rusm_spawn_from(struct engine_call *call)
{
    snprintf(call->text, sizeof call->text,
             "spawn-from: this node runs only components that its manifest declares");
    return abi_answer_wide(call, 0);
}

/* ---- supervising ---- */

/* As a component gives a text in a list. */
struct listed_text {
    uint64_t address, size_bytes;
};

enum { ENDLESS_RESTARTS = 1000, ENDLESS_WINDOW_MS = 10000, CHILD_SHUTDOWN_MS = 5000 };

/* In a memory of its own, laid out as a module has it: the spec, the children, the pid, the texts. False: out of memory. */
static bool stage_children(struct bytes *stage, const struct abi_supervisor_spec *spec,
                           const struct listed_text *names, size_t count)
{
    size_t texts = sizeof *spec + count * sizeof(struct abi_child_spec) + sizeof(uint64_t);
    if (!bytes_append(stage, spec, sizeof *spec) || !bytes_reserve(stage, texts - sizeof *spec)) {
        return false;
    }
    memset(stage->data + stage->size, 0, texts - sizeof *spec);
    stage->size = texts;
    for (size_t i = 0; i < count; i++) {
        struct abi_child_spec child = {.restart = ABI_RESTART_PERMANENT,
                                       .shutdown_ms = CHILD_SHUTDOWN_MS};
        /* A component may be named twice: children of one supervisor have names of their own. */
        char own[64];
        size_t shown = names[i].size_bytes < 40 ? names[i].size_bytes : 40;
        int size = snprintf(own, sizeof own, "%.*s/%zu", (int)shown,
                            (const char *)(uintptr_t)names[i].address, i + 1);
        child.name = (uint32_t)stage->size;
        child.name_size = (uint32_t)size;
        child.component = (uint32_t)stage->size + child.name_size;
        child.component_size = (uint32_t)names[i].size_bytes;
        memcpy(stage->data + sizeof *spec + i * sizeof child, &child, sizeof child);
        if (!bytes_append(stage, own, (size_t)size) ||
            !bytes_append(stage, (const void *)(uintptr_t)names[i].address, names[i].size_bytes)) {
            return false;
        }
    }
    return true;
}

/* supervise(strategy, names, count, restarts, milliseconds) -> i64; `text` says why not. */
static enum engine_call_result rusm_supervise(struct engine_call *call)
{
    size_t count = call->arguments[2];
    uint32_t restarts = (uint32_t)call->arguments[3], within_ms = (uint32_t)call->arguments[4];
    struct abi_supervisor_spec spec = {
        .strategy = (uint32_t)call->arguments[0],
        .max_restarts = restarts < SUPERVISOR_RESTARTS_MAX ? restarts : SUPERVISOR_RESTARTS_MAX,
        .window_ms = within_ms != 0 ? within_ms : UINT32_MAX};
    if (restarts == 0) { /* as many as it takes, but for a child that cannot live at all */
        spec.max_restarts = ENDLESS_RESTARTS;
        spec.window_ms = ENDLESS_WINDOW_MS;
    }
    AUTO(bytes_finip) struct bytes stage = {0};
    const struct listed_text *names = (const void *)(uintptr_t)call->arguments[1];
    if (count > SUPERVISOR_CHILDREN_MAX || !stage_children(&stage, &spec, names, count)) {
        snprintf(call->text, sizeof call->text, "supervise: too many children");
        return abi_answer_wide(call, 0);
    }
    size_t pid_at = sizeof spec + count * sizeof(struct abi_child_spec);
    struct engine_call inner = {.process = call->process,
                                .memory = stage.data,
                                .memory_bytes = stage.size,
                                .arguments = {0, sizeof spec, count, pid_at}};
    (void)abi_supervisor_start(&inner);
    uint64_t pid = 0;
    int32_t error = (int32_t)inner.result;
    if (error == 0) {
        memcpy(&pid, stage.data + pid_at, sizeof pid);
    } else {
        explain(call, "supervise", error, "one of them", 11);
    }
    return abi_answer_wide(call, (int64_t)pid);
}

/* All of kv: there is no store. */
static enum engine_call_result rusm_kv(struct engine_call *call)
{
    snprintf(call->text, sizeof call->text, "kv: not configured: this node has no store");
    return abi_answer_wide(call, 0);
}

/* ---- the table ---- */

#define MODULE "rusm"
#define ONLY_COMPONENTS "rusm:runtime"

const struct engine_import *rusm_imports(size_t *ret_count)
{
    static const struct engine_import imports[] = {
        {MODULE, "own_pid", ":I", false, abi_self},
        {MODULE, "notify", ":", false, rusm_notify},
        {MODULE, "send", "Iii:", true, rusm_send},
        {MODULE, "receive", "ii:i", true, rusm_module_receive},
        {MODULE, "list_processes", "ii:i", true, rusm_list_processes},
        {MODULE, "is_alive", "I:i", false, rusm_is_alive},
        {MODULE, "kill", "I:i", false, rusm_kill},
        {MODULE, "register", "ii:i", false, rusm_register},
        {MODULE, "whereis", "ii:I", false, rusm_whereis},
        {MODULE, "unregister", "ii:i", false, rusm_unregister},
        {MODULE, "set_label", "ii:", false, rusm_set_label},
        {MODULE, "stream_open", "I:I", false, rusm_stream_open},
        {MODULE, "stream_write", "Iii:i", true, rusm_stream_write},
        {MODULE, "stream_close", "I:", false, rusm_stream_close},
        {MODULE, "stream_accept", ":I", true, rusm_stream_accept},
        {MODULE, "stream_read", "Iii:i", true, rusm_stream_read},
        {ONLY_COMPONENTS, "receive_timeout", NULL, true, rusm_receive_timeout},
        {ONLY_COMPONENTS, "stash", NULL, false, rusm_stash},
        {ONLY_COMPONENTS, "unstash", NULL, false, rusm_unstash},
        {ONLY_COMPONENTS, "monitor", NULL, false, abi_monitor},
        {ONLY_COMPONENTS, "spawn", NULL, false, rusm_spawn},
        {ONLY_COMPONENTS, "spawn_from", NULL, false, rusm_spawn_from},
        {ONLY_COMPONENTS, "info", NULL, false, rusm_info},
        {ONLY_COMPONENTS, "supervise", NULL, false, rusm_supervise},
        {ONLY_COMPONENTS, "send_after", NULL, false, rusm_send_after},
        {ONLY_COMPONENTS, "cancel_timer", NULL, false, rusm_cancel_timer},
        {ONLY_COMPONENTS, "kv", NULL, false, rusm_kv},
        {ONLY_COMPONENTS, "log", NULL, false, abi_log},
        {ONLY_COMPONENTS, "register_tag", NULL, false, rusm_register_tag},
        {ONLY_COMPONENTS, "unregister_tag", NULL, false, abi_untag},
        {ONLY_COMPONENTS, "whereis_tag", NULL, false, rusm_whereis_tag},
        {ONLY_COMPONENTS, "kill_tag", NULL, false, rusm_kill_tag},
    };
    *ret_count = ARRAY_LENGTH(imports);
    return imports;
}
