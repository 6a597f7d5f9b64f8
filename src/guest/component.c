#include "guest/component_internal.h"

#include "base/log.h"

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

static bool check_kind(const struct component *component, struct err *err)
{
    if (component->inspection.imports_wasi_p3) {
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
    if (!copy_arguments(component, options)) {
        err_set_memory(err);
        return NULL;
    }
    if (!pin_preopens(component, err)) {
        return NULL;
    }
    describe_wasi(component);

    if (!bytes_read_file(&component->wasm, component->path, COMPONENT_FILE_BYTES_MAX, err)) {
        err_wrap(err, "component '%s'", component->name);
        return NULL;
    }
    if (!engine_inspect(component->wasm.data, component->wasm.size, &component->inspection, err) ||
        !check_kind(component, err) || !check_parts(&component->inspection, err)) {
        err_wrap(err, "component '%s': %s", component->name, component->path);
        return NULL;
    }
    component->cls = capacity_class(component->inspection.memory_min_bytes,
                                    component->grant->memory_max_bytes);
    return TAKE(component);
}

void component_destroy(struct component *component)
{
    if (component == NULL) {
        return;
    }
    for (unsigned i = 0; component->images != NULL && i < pool_workers(component->pool); i++) {
        engine_image_destroy(component->images[i]);
    }
    free(component->images);
    free(component->counts);
    unpin_preopens(component);
    free(component->arguments);
    free(component->path);
    bytes_fini(&component->wasm);
    free(component);
}

static void at_least(uint32_t *value, uint32_t wanted)
{
    *value = wanted > *value ? wanted : *value;
}

void component_add_need(const struct component *component, struct capacity_need needs[POOL_CLASSES])
{
    struct capacity_need *need = &needs[component->cls];
    need->used = true;
    at_least(&need->memories, 1);
    at_least(&need->tables, 1);
    at_least(&need->core_instances, 1);
    at_least(&need->memories, component->inspection.memories);
    at_least(&need->tables, component->inspection.tables);
    at_least(&need->core_instances, component->inspection.core_instances);
}

/* Code on its way to the workers' engines, which all take the same. */
struct delivery {
    char path[CACHE_PATH_BYTES]; /* in the cache; "": not there */
    struct bytes artefact;       /* empty: what the cache has is good */
};

/* Find or make the artefact: on disk when there is a cache that works, else in memory. */
static bool compile(struct component *component, struct engine *engine, struct cache *cache,
                    struct delivery *ret, struct err *err)
{
    if (ret->artefact.size > 0) {
        return true; /* For an engine before this one. */
    }
    ret->path[0] = '\0';
    if (cache != NULL) {
        cache_path(cache, component->wasm.data, component->wasm.size, engine_fingerprint(engine),
                   ret->path);
        if (cache_has(ret->path)) {
            return true;
        }
    }
    log_printf(LOG_INFO, "compiling component '%s' (%zu KiB)", component->name,
               component->wasm.size / 1024);
    if (!engine_compile(engine, component->wasm.data, component->wasm.size, &ret->artefact, err)) {
        return false;
    }
    struct err why = {0};
    if (cache != NULL && !cache_store(cache, ret->path, &ret->artefact, &why)) {
        log_printf(LOG_WARN, "component '%s' will be compiled again at the next start: %s",
                   component->name, why.text);
        ret->path[0] = '\0';
    }
    return true;
}

/* Whether an image was refused for what it wants, not for what its file is: an import that nobody offers,
 * which engine_load() names, or more than the pool has. Compiled anew it would be the same. */
static bool is_refused_for_good(const struct err *err)
{
    static const char *const begins[] = {"imports ", "component imports ", "incompatible import"};
    for (size_t i = 0; i < ARRAY_LENGTH(begins); i++) {
        if (strncmp(err->text, begins[i], strlen(begins[i])) == 0) {
            return true;
        }
    }
    return err->code == ERR_LIMIT;
}

/* A cached file may be damaged: then it is compiled once more, not given up. */
static struct engine_image *load(struct component *component, struct engine *engine,
                                 struct cache *cache, const struct engine_link *link,
                                 struct delivery *delivery, struct err *err)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!compile(component, engine, cache, delivery, err)) {
            return NULL;
        }
        bool from_cache = delivery->artefact.size == 0;
        struct engine_image *image = engine_load(engine, component->inspection.kind,
                                                 delivery->path[0] != '\0' ? delivery->path : NULL,
                                                 &delivery->artefact, link, err);
        if (image != NULL || !from_cache || is_refused_for_good(err)) {
            return image;
        }
        cache_remove(delivery->path);
    }
    return NULL;
}

bool component_prepare(struct component *component, struct pool *pool, struct cache *cache,
                       const struct engine_import *imports, size_t import_count, struct err *err)
{
    component->pool = pool;
    size_t workers = pool_workers(pool);
    component->images = calloc(workers, sizeof(struct engine_image *));
    component->counts = aligned_alloc(64, workers * sizeof *component->counts);
    if (component->images == NULL || component->counts == NULL) {
        return err_set_memory(err);
    }
    for (size_t i = 0; i < workers; i++) {
        atomic_init(&component->counts[i].processes, 0);
        atomic_init(&component->counts[i].spawned, 0);
    }
    struct engine_link link = {.imports = imports, .import_count = import_count, .wasi = true};
    struct delivery delivery = {0};
    bool good = true;
    for (unsigned i = 0; good && i < pool_workers(pool); i++) {
        struct engine *engine = pool_engine(pool, i, component->cls);
        component->images[i] = load(component, engine, cache, &link, &delivery, err);
        good = component->images[i] != NULL;
    }
    bytes_fini(&delivery.artefact);
    bytes_fini(&component->wasm);
    return good || err_wrap(err, "component '%s': %s", component->name, component->path);
}

bool component_entry(struct component *component, const char *name, uint32_t *ret, struct err *err)
{
    if (name == NULL) {
        bool command = component->inspection.command;
        name = component->inspection.rusm                       ? "run"
               : component->inspection.kind != ENGINE_COMPONENT ? "_start"
               : command                                        ? "wasi:cli/run"
                                                                : "run";
    }
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        uint32_t number = 0;
        if (!engine_image_entry(component->images[i], name, &number, err)) {
            return err_wrap(err, "component '%s': %s", component->name, component->path);
        }
        INVARIANT(i == 0 || number == *ret);
        *ret = number;
    }
    return true;
}

const char *component_name(const struct component *component)
{
    return component->name;
}

enum engine_kind component_kind(const struct component *component)
{
    return component->inspection.kind;
}

bool component_is_command(const struct component *component)
{
    return component->inspection.command;
}

bool component_is_http(const struct component *component)
{
    return component->inspection.http;
}

bool component_is_rusm(const struct component *component)
{
    return component->inspection.rusm;
}

const struct grant *component_grant(const struct component *component)
{
    return component->grant;
}

uint64_t component_processes(const struct component *component)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        sum += atomic_load_explicit(&component->counts[i].processes, memory_order_relaxed);
    }
    return sum;
}

uint64_t component_spawned(const struct component *component)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        sum += atomic_load_explicit(&component->counts[i].spawned, memory_order_relaxed);
    }
    return sum;
}
