#include "guest/component_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool copy_arguments(struct component *component, const struct component_options *options)
{
    size_t count = 0;
    while (options->arguments != NULL && options->arguments[count] != NULL) {
        count++;
    }
    component->arguments = calloc(count + 2, sizeof *component->arguments);
    if (component->arguments == NULL) {
        return false;
    }
    component->arguments[0] = component->path;
    for (size_t i = 0; i < count; i++) {
        component->arguments[i + 1] = options->arguments[i];
    }
    return true;
}

/* Folders are opened once, before any guest runs, and guests get what was opened: whoever may write
 * to a folder above cannot put another one, or a link, in its place. */
static bool pin_preopens(struct component *component, struct err *err)
{
    size_t count = component->grant->preopen_count;
    component->pins = calloc(count + 1, sizeof *component->pins);
    if (component->pins == NULL) {
        return err_set_memory(err);
    }
    for (; component->pin_count < count; component->pin_count++) {
        struct pin *pin = &component->pins[component->pin_count];
        pin->preopen = component->grant->preopens[component->pin_count];
        pin->fd = open(pin->preopen.host_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (pin->fd < 0) {
            return err_set_os(err, errno, "component '%s': folder %s", component->name,
                              pin->preopen.host_path);
        }
        snprintf(pin->path, sizeof pin->path, "/proc/self/fd/%d", pin->fd);
        pin->preopen.host_path = pin->path;
    }
    component->preopens = calloc(count + 1, sizeof *component->preopens);
    for (size_t i = 0; component->preopens != NULL && i < count; i++) {
        component->preopens[i] = component->pins[i].preopen;
    }
    return component->preopens != NULL || err_set_memory(err);
}

static void unpin_preopens(struct component *component)
{
    for (size_t i = 0; i < component->pin_count; i++) {
        close(component->pins[i].fd);
    }
    free(component->pins);
    free(component->preopens);
}

static void describe_wasi(struct component *component)
{
    const struct grant *grant = component->grant;
    component->wasi = (struct engine_wasi){
        .arguments = component->arguments,
        .environment = grant->environment,
        .preopens = component->preopens,
        .preopen_count = grant->preopen_count,
        .inherit_stdin = grant->inherit_stdio,
        .inherit_stdout = grant->inherit_stdio,
        .inherit_stderr = grant->inherit_stdio,
        .output = guest_output,
        .denied = guest_denied,
    };
}

static bool check_kind(const struct engine_inspection *inspection, struct err *err)
{
    if (inspection->imports_wasi_p3) {
        return err_set(err, ERR_INPUT,
                       "it is a WASI 0.3 component, which this version does not run: build it for "
                       "WASI 0.2 (wasm32-wasip2) or preview 1 (wasm32-wasip1)");
    }
    return true;
}

/* Said here, where the component has a name, and before anything is multiplied by these. */
static bool check_parts(const struct engine_inspection *inspection, struct err *err)
{
    bool module = inspection->kind == ENGINE_MODULE;
    uint32_t most = module ? CAPACITY_MODULE_PARTS_MAX : CAPACITY_PARTS_MAX;
    if (inspection->memories <= most && inspection->tables <= most &&
        inspection->core_instances <= most) {
        return true;
    }
    return err_set(err, ERR_LIMIT,
                   "one instance takes %u memories, %u tables and %u core instances; a %s may have "
                   "%u of each",
                   (unsigned)inspection->memories, (unsigned)inspection->tables,
                   (unsigned)inspection->core_instances, module ? "module" : "component",
                   (unsigned)most);
}

bool component_code_read(const struct component *component, struct component_code *ret,
                         struct err *err)
{
    *ret = (struct component_code){0};
    if (!bytes_read_file(&ret->wasm, component->path, COMPONENT_FILE_BYTES_MAX, err)) {
        return err_wrap(err, "component '%s'", component->name);
    }
    if (!engine_inspect(ret->wasm.data, ret->wasm.size, &ret->inspection, err) ||
        !check_kind(&ret->inspection, err) || !check_parts(&ret->inspection, err)) {
        bytes_fini(&ret->wasm);
        return err_wrap(err, "component '%s': %s", component->name, component->path);
    }
    ret->cls = capacity_class(ret->inspection.memory_min_bytes, component->grant->memory_max_bytes);
    cache_digest(ret->wasm.data, ret->wasm.size, ret->digest);
    return true;
}

struct component *component_open(const struct component_options *options, struct err *err)
{
    AUTO(component_destroyp) struct component *component = calloc(1, sizeof *component);
    if (component == NULL || (component->path = strdup(options->path)) == NULL) {
        err_set_memory(err);
        return NULL;
    }
    snprintf(component->name, sizeof component->name, "%s", options->name);
    component->grant = options->grant;
    component->max_processes = options->max_processes;
    component->lends = options->lends;
    if (!copy_arguments(component, options)) {
        err_set_memory(err);
        return NULL;
    }
    if (!pin_preopens(component, err)) {
        return NULL;
    }
    describe_wasi(component);

    if (!component_code_read(component, &component->code, err)) {
        return NULL;
    }
    return TAKE(component);
}

void component_destroy(struct component *component)
{
    if (component == NULL) {
        return;
    }
    for (unsigned i = 0; component->seats != NULL && i < pool_workers(component->pool); i++) {
        edition_release(component->seats[i].edition);
        lock_fini(&component->seats[i].lock);
    }
    free(component->seats);
    for (size_t i = 0; i < component->slot_count; i++) {
        free(component->slots[i].name);
    }
    free(component->slots);
    unpin_preopens(component);
    free(component->arguments);
    free(component->path);
    bytes_fini(&component->code.wasm);
    free(component);
}

static void at_least(uint32_t *value, uint32_t wanted)
{
    *value = wanted > *value ? wanted : *value;
}

static void add_need(const struct engine_inspection *inspection, struct capacity_need *need)
{
    need->used = true;
    at_least(&need->memories, 1);
    at_least(&need->tables, 1);
    at_least(&need->core_instances, 1);
    at_least(&need->memories, inspection->memories);
    at_least(&need->tables, inspection->tables);
    at_least(&need->core_instances, inspection->core_instances);
}

/* Of code that is not there yet: as much as the template's own, in any class that its ceiling leaves. */
void component_add_need(const struct component *component, struct capacity_need needs[POOL_CLASSES])
{
    const struct engine_inspection *inspection = &component->code.inspection;
    add_need(inspection, &needs[component->code.cls]);
    if (component->lends) {
        add_need(inspection, &needs[POOL_LARGE]);
    }
    if (component->lends && capacity_class(0, component->grant->memory_max_bytes) == POOL_SMALL) {
        add_need(inspection, &needs[POOL_SMALL]);
    }
}

bool component_prepare(struct component *component, struct pool *pool, struct cache *cache,
                       const struct engine_import *imports, size_t import_count, struct err *err)
{
    unsigned workers = pool_workers(pool);
    struct engine_link link = {.imports = imports, .import_count = import_count, .wasi = true};
    component->pool = pool;
    struct component_seat *seats = aligned_alloc(64, workers * sizeof *seats);
    component->seats = seats;
    if (seats == NULL) {
        return err_set_memory(err);
    }
    for (unsigned i = 0; i < workers; i++) {
        atomic_init(&seats[i].processes, 0);
        atomic_init(&seats[i].spawned, 0);
        lock_init(&seats[i].lock, LOCK_EDITION);
        seats[i].edition = NULL;
    }
    struct edition **editions = calloc(workers, sizeof *editions);
    if (editions == NULL) {
        return err_set_memory(err);
    }
    bool good = component_code_load(component, &component->code, cache, &link, editions, err);
    for (unsigned i = 0; good && i < workers; i++) {
        seats[i].edition = editions[i];
    }
    free(editions);
    return good;
}

struct edition *component_edition(struct component *component, unsigned worker)
{
    struct component_seat *seat = &component->seats[worker];
    lock_take(&seat->lock);
    struct edition *edition = seat->edition;
    edition_retain(edition);
    lock_release(&seat->lock);
    return edition;
}

/* ---- entries ---- */

static const char *default_entry(const struct engine_inspection *inspection)
{
    return inspection->rusm                       ? "run"
           : inspection->kind != ENGINE_COMPONENT ? "_start"
           : inspection->command                  ? "wasi:cli/run"
                                                  : "run";
}

static bool add_slot(struct component *component, const char *name, uint32_t number)
{
    size_t count = component->slot_count;
    struct component_slot *slots = realloc(component->slots, (count + 1) * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    component->slots = slots;
    slots[count] = (struct component_slot){.name = strdup(name)};
    if (slots[count].name == NULL) {
        return false;
    }
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        struct edition *edition = component->seats[i].edition;
        uint32_t *entries = realloc(edition->entries, (count + 1) * sizeof *entries);
        if (entries == NULL) {
            free(slots[count].name);
            return false;
        }
        edition->entries = entries;
        entries[count] = number;
    }
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        component->seats[i].edition->entry_count = count + 1;
    }
    component->slot_count = count + 1;
    return true;
}

static bool find_slot(const struct component *component, const char *name, uint32_t *ret)
{
    for (size_t i = 0; i < component->slot_count; i++) {
        if (strcmp(component->slots[i].name, name) == 0) {
            *ret = (uint32_t)i;
            return true;
        }
    }
    return false;
}

bool component_entry_maybe(struct component *component, const char *name, uint32_t *ret,
                           struct err *err)
{
    if (name == NULL) {
        name = default_entry(&component->code.inspection);
    }
    if (find_slot(component, name, ret)) {
        return true;
    }
    uint32_t first = 0;
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        uint32_t number = 0;
        if (!engine_image_entry(component->seats[i].edition->image, name, &number, err)) {
            return err_wrap(err, "component '%s': %s", component->name, component->path);
        }
        INVARIANT(i == 0 || number == first);
        first = number;
    }
    *ret = (uint32_t)component->slot_count;
    return add_slot(component, name, first) || err_set_memory(err);
}

bool component_entry(struct component *component, const char *name, uint32_t *ret, struct err *err)
{
    if (!component_entry_maybe(component, name, ret, err)) {
        return false;
    }
    component->slots[*ret].needed = true;
    return true;
}

const char *component_name(const struct component *component)
{
    return component->name;
}

enum engine_kind component_kind(const struct component *component)
{
    return component->code.inspection.kind;
}

bool component_is_command(const struct component *component)
{
    return component->code.inspection.command;
}

bool component_is_http(const struct component *component)
{
    return component->code.inspection.http;
}

bool component_is_rusm(const struct component *component)
{
    return component->code.inspection.rusm;
}

const struct grant *component_grant(const struct component *component)
{
    return component->grant;
}

uint64_t component_processes(const struct component *component)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        sum += atomic_load_explicit(&component->seats[i].processes, memory_order_relaxed);
    }
    return sum;
}

uint64_t component_spawned(const struct component *component)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        sum += atomic_load_explicit(&component->seats[i].spawned, memory_order_relaxed);
    }
    return sum;
}
