#include "guest/abi_spawn.h"

#include "base/log.h"
#include "guest/abi_internal.h"
#include "guest/scratch.h"

#include <stdio.h>
#include <string.h>

enum { MEBIBYTE = 1 << 20 };

/* Whether allow-spawn has that name or "*". */
static bool is_allowed(const struct grant *grant, const char *name, size_t name_bytes)
{
    const char *const *allowed = grant->allow_spawn;
    for (; allowed != NULL && *allowed != NULL; allowed++) {
        if (strcmp(*allowed, "*") == 0 ||
            (strlen(*allowed) == name_bytes && memcmp(*allowed, name, name_bytes) == 0)) {
            return true;
        }
    }
    return false;
}

int32_t spawn_target_find(struct guest *guest, const char *what, const char *text,
                          size_t size_bytes, struct spawn_target *ret)
{
    if (size_bytes == 0 || size_bytes > SPAWN_NAME_BYTES_MAX ||
        memchr(text, '\0', size_bytes) != NULL) {
        return ABI_INVALID;
    }
    ret->editions = NULL;
    const char *mark = memchr(text, '#', size_bytes);
    size_t name_bytes = mark != NULL ? (size_t)(mark - text) : size_bytes;
    if (!is_allowed(guest_grant(guest), text, name_bytes)) {
        char line[SPAWN_NAME_BYTES_MAX + 20];
        snprintf(line, sizeof line, "allow-spawn = [\"%.*s\"]", (int)name_bytes, text);
        guest_log_denied(guest, what, line);
        return ABI_DENIED;
    }
    const struct catalog *catalog = actor_catalog(guest_process(guest)->node);
    ret->line = catalog != NULL ? catalog_find(catalog, text, name_bytes) : NULL;
    if (ret->line == NULL) {
        return ABI_NOT_FOUND;
    }
    size_t entry_bytes = mark != NULL ? size_bytes - name_bytes - 1 : 0;
    if (mark != NULL && entry_bytes == 0) {
        return ABI_INVALID;
    }
    if (entry_bytes > 0) {
        memcpy(ret->entry, mark + 1, entry_bytes);
    }
    ret->entry[entry_bytes] = '\0';
    return 0;
}

struct nursery *spawn_nursery(struct guest *guest)
{
    if (guest->nursery == NULL) {
        guest->nursery = nursery_create(guest_grant(guest)->children_max);
    }
    return guest->nursery;
}

int32_t spawn_error(struct guest *guest, const struct err *err)
{
    if (err->code == ERR_DENIED) {
        guest_log_refused(guest, "spawn", err->text);
    } else if (err->code != ERR_LIMIT && err->code != ERR_MEMORY) {
        guest_log(guest, LOG_WARN, "spawn", err->text, strlen(err->text));
    }
    return abi_error_of(err);
}

bool spawn_read_options(struct engine_call *call, uint64_t options, uint64_t result,
                        struct abi_spawn_options *ret_options, uint8_t **ret_window)
{
    *ret_options = (struct abi_spawn_options){0};
    *ret_window = NULL;
    if (options != 0) {
        const uint8_t *window = guest_window(call, options, sizeof *ret_options);
        if (window == NULL) {
            return false;
        }
        memcpy(ret_options, window, sizeof *ret_options);
    }
    if (result != 0) {
        *ret_window = guest_window(call, result, sizeof(struct abi_spawned));
        return *ret_window != NULL;
    }
    return true;
}

bool spawn_options_valid(const struct abi_spawn_options *options)
{
    return (options->flags & ~(uint32_t)(ABI_SPAWN_LINK | ABI_SPAWN_MONITOR)) == 0;
}

int32_t spawn_now(struct guest *guest, const struct spawn_target *target,
                  const struct abi_spawn_options *asked, const uint8_t *input, size_t input_bytes,
                  struct abi_spawned *ret)
{
    struct nursery *nursery = spawn_nursery(guest);
    if (nursery == NULL) {
        return ABI_NO_MEMORY;
    }
    struct process *process = guest_process(guest);
    struct actor_options options = {
        .kind = "worker",
        .entry = target->entry[0] != '\0' ? target->entry : NULL,
        .editions = target->editions,
        .input = input,
        .input_bytes = input_bytes,
        .spawner = process,
        .spawner_component = component_name(guest_component(guest)),
        .link = (asked->flags & ABI_SPAWN_LINK) != 0,
        .monitor = (asked->flags & ABI_SPAWN_MONITOR) != 0,
        .limits = {.memory_max_bytes = (uint64_t)asked->max_memory_mb * MEBIBYTE,
                   .cpu_max_ns = (uint64_t)asked->max_cpu_ms * ABI_MILLISECOND_NS,
                   .deadline_ns = (uint64_t)asked->deadline_ms * ABI_MILLISECOND_NS},
        .nursery = nursery,
    };
    struct pid pid = {0};
    struct err *err = scratch_err();
    if (!actor_spawn(process->node, target->line, &options, &pid, &ret->reference, err)) {
        return spawn_error(guest, err);
    }
    ret->pid = pid.raw;
    return 0;
}

enum engine_call_result abi_spawn(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    const uint8_t *name = guest_window(call, call->arguments[0], call->arguments[1]);
    const uint8_t *input = guest_window(call, call->arguments[2], call->arguments[3]);
    struct abi_spawn_options asked;
    uint8_t *window = NULL;
    if (name == NULL || input == NULL ||
        !spawn_read_options(call, call->arguments[4], call->arguments[5], &asked, &window)) {
        return ENGINE_CALL_TRAP;
    }
    if (!spawn_options_valid(&asked)) {
        return guest_answer(call, ABI_INVALID);
    }
    struct spawn_target target;
    int32_t error = spawn_target_find(guest, "spawn", (const char *)name,
                                      (uint32_t)call->arguments[1], &target);
    if (error != 0) {
        return guest_answer(call, error);
    }
    size_t input_bytes = (uint32_t)call->arguments[3];
    if (input_bytes > guest_grant(guest)->message_bytes_max) {
        return guest_answer(call, ABI_LIMIT);
    }
    struct abi_spawned spawned = {0};
    error = spawn_now(guest, &target, &asked, input, input_bytes, &spawned);
    if (error == 0 && window != NULL) {
        memcpy(window, &spawned, sizeof spawned);
    }
    return guest_answer(call, error);
}

enum engine_call_result abi_input_get(struct engine_call *call)
{
    size_t size = 0;
    const uint8_t *input = actor_input(guest_of_call(call), &size);
    return guest_answer_text(call, input, size, call->arguments[0], call->arguments[1]);
}

enum engine_call_result abi_spawner(struct engine_call *call)
{
    const char *name = actor_spawner(guest_of_call(call));
    return guest_answer_text(call, name, strlen(name), call->arguments[0], call->arguments[1]);
}
