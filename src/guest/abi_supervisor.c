#include "guest/abi_internal.h"

#include "core/node.h"
#include "guest/abi_spawn.h"
#include "guest/scratch.h"

#include <stdlib.h>
#include <string.h>

enum { CHILD_NAME_BYTES = sizeof(((struct supervisor_line *)0)->name) };

/* How one child is spawned, each time. */
struct recipe {
    struct family *family;
    struct spawn_target target;
    char name[CHILD_NAME_BYTES];
    const uint8_t *input; /* in the family's bytes */
    size_t input_bytes;
    bool announces;
};

/* All that a guest's supervisor keeps for its children, until its own end. */
struct family {
    struct nursery *nursery; /* where the supervisor itself is counted, too */
    const char *component;   /* of the guest that started it */
    uint8_t *bytes;          /* of all inputs */
    size_t count;
    struct recipe recipes[];
};

static void family_destroy(struct family *family)
{
    free(family->bytes);
    free(family);
}

/* Of supervisor_options. */
static void family_end(void *family_argument)
{
    struct family *family = family_argument;
    nursery_leave(family->nursery);
    family_destroy(family);
}

static void family_event(void *family_argument, const struct supervisor_event *event)
{
    (void)family_argument;
    actor_log_supervisor(NULL, event);
}

static bool family_spawn(void *recipe_argument, struct process *supervisor,
                         bool (*prepare)(struct process *supervisor, struct process *child,
                                         struct err *err),
                         struct err *err)
{
    const struct recipe *recipe = recipe_argument;
    const char *entry = recipe->target.entry;
    struct actor_options options = {.kind = recipe->announces ? "service" : "worker",
                                    .entry = entry[0] != '\0' ? entry : NULL,
                                    .input = recipe->input,
                                    .input_bytes = recipe->input_bytes,
                                    .spawner = supervisor,
                                    .spawner_component = recipe->family->component,
                                    .nursery = recipe->family->nursery,
                                    .prepare = prepare,
                                    .prepare_owner = supervisor};
    return actor_spawn(supervisor->node, recipe->target.line, &options, NULL, NULL, err);
}

/* ---- reading what the guest wants ---- */

/* What a child's spec points to. */
struct child_texts {
    const uint8_t *name, *component, *input;
};

/* False: trap. */
static bool find_texts(struct engine_call *call, const struct abi_child_spec *spec,
                       struct child_texts *ret)
{
    ret->name = guest_window(call, spec->name, spec->name_size);
    ret->component = guest_window(call, spec->component, spec->component_size);
    ret->input = guest_window(call, spec->input, spec->input_size);
    return ret->name != NULL && ret->component != NULL && ret->input != NULL;
}

static struct abi_child_spec spec_at(const uint8_t *children, size_t index)
{
    struct abi_child_spec spec;
    memcpy(&spec, children + index * sizeof spec, sizeof spec);
    return spec;
}

/* All that is read is in the caller's memory, and no more than a message of input. 0, or an error; `*ret_trap`. */
static int32_t measure(struct engine_call *call, const uint8_t *children, size_t count,
                       size_t *ret_input_bytes, bool *ret_trap)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        struct abi_child_spec spec = spec_at(children, i);
        struct child_texts texts;
        if (!find_texts(call, &spec, &texts)) {
            *ret_trap = true;
            return ABI_INVALID;
        }
        sum += spec.input_size;
    }
    *ret_input_bytes = sum;
    return sum > guest_grant(guest_of_call(call))->message_bytes_max ? ABI_LIMIT : 0;
}

/* One child into its recipe and its line. The name is its own, or its component's without the export. */
static int32_t read_child(struct engine_call *call, const struct abi_child_spec *spec,
                          struct recipe *recipe, uint8_t *input, struct supervisor_child *ret)
{
    struct child_texts texts;
    INVARIANT(find_texts(call, spec, &texts)); /* measured */
    int32_t error = spawn_target_find(guest_of_call(call), "supervisor_start",
                                      (const char *)texts.component, spec->component_size,
                                      &recipe->target);
    if (error != 0) {
        return error;
    }
    const char *name = spec->name_size > 0 ? (const char *)texts.name : recipe->target.line->name;
    size_t name_bytes = spec->name_size > 0 ? spec->name_size : strlen(name);
    if (name_bytes >= CHILD_NAME_BYTES || memchr(name, '\0', name_bytes) != NULL ||
        spec->restart > RESTART_TEMPORARY) {
        return ABI_INVALID;
    }
    memcpy(recipe->name, name, name_bytes);
    if (spec->input_size > 0) {
        memcpy(input, texts.input, spec->input_size);
    }
    recipe->input = input;
    recipe->input_bytes = spec->input_size;
    recipe->announces = spec->start_timeout_ms != 0;
    *ret = (struct supervisor_child){
        .name = recipe->name,
        .restart = (enum supervisor_restart)spec->restart,
        .shutdown_ns = (uint64_t)spec->shutdown_ms * ABI_MILLISECOND_NS,
        .start_timeout_ns = (uint64_t)spec->start_timeout_ms * ABI_MILLISECOND_NS,
        .announces = recipe->announces,
        .start = family_spawn,
        .argument = recipe};
    return 0;
}

static struct family *family_create(struct guest *guest, size_t count, size_t input_bytes)
{
    struct family *family = calloc(1, sizeof *family + count * sizeof family->recipes[0]);
    if (family == NULL) {
        return NULL;
    }
    family->nursery = spawn_nursery(guest);
    family->component = component_name(guest_component(guest));
    family->count = count;
    family->bytes = malloc(input_bytes + 1);
    if (family->nursery == NULL || family->bytes == NULL) {
        family_destroy(family);
        return NULL;
    }
    return family;
}

static int32_t family_read(struct engine_call *call, struct family *family, const uint8_t *specs,
                           struct supervisor_child *ret_children)
{
    uint8_t *input = family->bytes;
    for (size_t i = 0; i < family->count; i++) {
        struct abi_child_spec spec = spec_at(specs, i);
        family->recipes[i].family = family;
        int32_t error = read_child(call, &spec, &family->recipes[i], input, &ret_children[i]);
        if (error != 0) {
            return error;
        }
        input += spec.input_size;
    }
    return 0;
}

/* ---- starting ---- */

static int32_t start_supervisor(struct guest *guest, const struct abi_supervisor_spec *spec,
                                struct family *family, const struct supervisor_child *children,
                                uint64_t *ret_pid)
{
    struct process *process = guest_process(guest);
    struct supervisor_options options = {
        .name = family->component,
        .strategy = (enum supervisor_strategy)spec->strategy,
        .max_restarts = spec->max_restarts,
        .window_ns = (uint64_t)spec->window_ms * ABI_MILLISECOND_NS,
        .children = children,
        .child_count = family->count,
        .parent = process,
        .event = family_event,
        .event_argument = family,
        .destroyed = family_end,
    };
    if (!nursery_enter(family->nursery)) {
        return ABI_LIMIT;
    }
    struct process *supervisor = NULL;
    struct err *err = scratch_err();
    if (!supervisor_start(process->node, &options, &supervisor, err)) {
        nursery_leave(family->nursery);
        return spawn_error(guest, err);
    }
    *ret_pid = supervisor->pid.raw;
    process_release(supervisor);
    return 0;
}

static int32_t start_family(struct engine_call *call, const struct abi_supervisor_spec *spec,
                            const uint8_t *specs, size_t count, size_t input_bytes,
                            uint64_t *ret_pid)
{
    struct guest *guest = guest_of_call(call);
    struct family *family = family_create(guest, count, input_bytes);
    struct supervisor_child *children = calloc(count + 1, sizeof *children);
    int32_t error = family == NULL || children == NULL ? ABI_NO_MEMORY : 0;
    if (error == 0) {
        error = family_read(call, family, specs, children);
    }
    if (error == 0) {
        error = start_supervisor(guest, spec, family, children, ret_pid);
    }
    if (error != 0 && family != NULL) {
        family_destroy(family);
    }
    free(children);
    return error;
}

enum engine_call_result abi_supervisor_start(struct engine_call *call)
{
    uint64_t count = (uint32_t)call->arguments[2];
    struct abi_supervisor_spec spec;
    const uint8_t *spec_window = guest_window(call, call->arguments[0], sizeof spec);
    if (count > SUPERVISOR_CHILDREN_MAX) {
        return guest_answer(call, ABI_LIMIT);
    }
    const uint8_t *specs = guest_window(call, call->arguments[1],
                                        count * sizeof(struct abi_child_spec));
    uint8_t *pid_window = (uint32_t)call->arguments[3] == 0
                              ? NULL
                              : guest_window(call, call->arguments[3], sizeof(uint64_t));
    if (spec_window == NULL || specs == NULL ||
        (pid_window == NULL && (uint32_t)call->arguments[3] != 0)) {
        return ENGINE_CALL_TRAP;
    }
    memcpy(&spec, spec_window, sizeof spec);
    bool trap = false;
    size_t input_bytes = 0;
    int32_t error = measure(call, specs, count, &input_bytes, &trap);
    if (trap) {
        return ENGINE_CALL_TRAP;
    }
    /* Restarts within no time are never too many. */
    bool endless = spec.max_restarts > 0 && spec.window_ms == 0;
    if (error == 0 && (spec.strategy > REST_FOR_ONE || endless)) {
        error = ABI_INVALID;
    }
    uint64_t pid = 0;
    if (error == 0) {
        error = start_family(call, &spec, specs, count, input_bytes, &pid);
    }
    if (error == 0 && pid_window != NULL) {
        memcpy(pid_window, &pid, sizeof pid);
    }
    return guest_answer(call, error);
}

/* ---- looking ---- */

/* A supervisor that this guest may look at, with a reference for the caller; NULL: `*ret_error` says why. */
static struct process *find_supervisor(struct guest *guest, uint64_t raw, int32_t *ret_error)
{
    struct process *self = guest_process(guest);
    struct process *supervisor = node_find(self->node, (struct pid){raw});
    *ret_error = ABI_NOT_FOUND;
    if (supervisor == NULL) {
        return NULL;
    }
    bool is_one = strcmp(supervisor->kind, "supervisor") == 0;
    bool is_near = supervisor->parent.raw == self->pid.raw || self->parent.raw == raw;
    bool reaches = is_near || guest_reaches(guest, supervisor);
    if (is_one && reaches && (is_near || guest_grant(guest)->allow_process_control)) {
        return supervisor;
    }
    if (is_one && reaches) {
        *ret_error = ABI_DENIED;
        guest_log_denied(guest, "supervisor_children", "allow-process-control = true");
    }
    process_release(supervisor);
    return NULL;
}

enum engine_call_result abi_supervisor_children(struct engine_call *call)
{
    uint64_t capacity = (uint32_t)call->arguments[2];
    uint64_t size = capacity * sizeof(struct abi_child_state); /* a window has 32 bits */
    uint8_t *window = guest_window(call, call->arguments[1], size < UINT32_MAX ? size : UINT32_MAX);
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    int32_t error = 0;
    struct process *supervisor = find_supervisor(guest_of_call(call), call->arguments[0], &error);
    if (supervisor == NULL) {
        return guest_answer(call, error);
    }
    struct supervisor_line *lines = calloc(SUPERVISOR_CHILDREN_MAX, sizeof *lines);
    if (lines == NULL) {
        process_release(supervisor);
        return guest_answer(call, ABI_NO_MEMORY);
    }
    size_t count = supervisor_list(supervisor, lines, SUPERVISOR_CHILDREN_MAX);
    process_release(supervisor);
    for (size_t i = 0; i < count && i < capacity; i++) {
        struct abi_child_state state = {.pid = lines[i].pid.raw, .restarts = lines[i].restarts};
        memcpy(state.name, lines[i].name, sizeof state.name);
        memcpy(window + i * sizeof state, &state, sizeof state);
    }
    free(lines);
    return guest_answer(call, (int32_t)count);
}
