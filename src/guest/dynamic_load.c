/* From a source to editions. On a thread that may wait. */
#include "guest/dynamic.h"

#include "guest/dynamic_table.h"

#include "base/log.h"
#include "guest/component_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is not in the cache is not mapped but copied, for each worker: no more than this for one source. */
enum { UNSTORED_BYTES_MAX = 8 << 20 };

/* Code, and where its artefact is. */
struct load {
    struct dynamic *dynamic;
    const struct dynamic_code *code;
    struct dynamic_compiled compiled; /* of what the cache has: without the artefact */
    char path[CACHE_PATH_BYTES];      /* "": not in the cache */
    struct edition **editions;
    unsigned done;
};

static const char *default_entry(const struct engine_inspection *inspection)
{
    bool module = inspection->kind == ENGINE_MODULE;
    return !inspection->command ? "run" : module ? "_start" : "wasi:cli/run";
}

/* What is in the cache was compiled here, which means that it was found valid: no harm to look at it here. */
static bool find_in_cache(struct load *load, const struct bytes *wasm)
{
    struct dynamic *dynamic = load->dynamic;
    struct err ignored = {0};
    struct engine_inspection *inspection = &load->compiled.inspection;
    for (enum pool_class cls = 0; dynamic->options.cache != NULL && cls < POOL_CLASSES; cls++) {
        struct engine *engine = pool_engine(dynamic->options.pool, 0, cls);
        if (engine == NULL) {
            continue;
        }
        cache_path(dynamic->options.cache, wasm->data, wasm->size, engine_fingerprint(engine),
                   load->path);
        if (!cache_has(load->path) ||
            !engine_inspect(wasm->data, wasm->size, inspection, &ignored)) {
            continue;
        }
        const struct grant *grant = component_grant(load->code->shelf->component);
        if (capacity_class(inspection->memory_min_bytes, grant->memory_max_bytes) == cls) {
            load->compiled.cls = cls;
            return true;
        }
    }
    load->path[0] = '\0';
    return false;
}

static bool is_admitted(const struct load *load, struct err *err)
{
    const struct engine_inspection *inspection = &load->compiled.inspection;
    struct capacity_need need = {.used = true,
                                 .memories = inspection->memories,
                                 .tables = inspection->tables,
                                 .core_instances = inspection->core_instances};
    if (inspection->rusm != component_is_rusm(load->code->shelf->component)) {
        return err_set(err, ERR_INPUT, "it is made for %s, and the template is not",
                       inspection->rusm ? "RUSM" : "mote");
    }
    return dynamic_compiler_checks(inspection, err) &&
           (pool_admits(load->dynamic->options.pool, load->compiled.cls, &need, err) ||
            err_set(
                err, ERR_LIMIT,
                "an instance takes %u memories of at least %llu KiB, %u tables and %u core "
                "instances: no template of this node takes so much; a template's own source may "
                "be one that does",
                (unsigned)inspection->memories,
                (unsigned long long)inspection->memory_min_bytes / 1024,
                (unsigned)inspection->tables, (unsigned)inspection->core_instances));
}

static bool compile(struct load *load, const struct bytes *wasm, int cancel, bool *ret_again,
                    struct err *err)
{
    struct dynamic *dynamic = load->dynamic;
    const struct component *component = load->code->shelf->component;
    struct dynamic_compiler_options options = {
        .program = dynamic->options.program,
        .memory_max_bytes = component_grant(component)->memory_max_bytes,
        .cancel = cancel};
    log_printf(LOG_INFO, "compiling code for template '%s' (%zu KiB)", component_name(component),
               wasm->size / 1024);
    atomic_fetch_add_explicit(&dynamic->compiled, 1, memory_order_relaxed);
    switch (dynamic_compiler_run(&options, wasm, &load->compiled, err)) {
    case DYNAMIC_COMPILED:
        break;
    case DYNAMIC_REFUSED:
        return false;
    case DYNAMIC_CANCELLED:
    case DYNAMIC_UNABLE:
        *ret_again = true;
        return false;
    }
    if (!is_admitted(load, err)) {
        return false;
    }
    const struct engine *engine = pool_engine(dynamic->options.pool, 0, load->compiled.cls);
    if (load->compiled.fingerprint != engine_fingerprint(engine)) {
        *ret_again = true;
        return err_set(err, ERR_OS, "the program that compiles is another one than this");
    }
    return true;
}

static bool store(struct load *load, const struct bytes *wasm)
{
    struct cache *cache = load->dynamic->options.cache;
    struct err why = {0};
    if (cache == NULL) {
        return false;
    }
    cache_path(cache, wasm->data, wasm->size, load->compiled.fingerprint, load->path);
    if (!cache_store(cache, load->path, &load->compiled.artefact, &why)) {
        log_printf(LOG_WARN, "code for template '%s' will be compiled again: %s",
                   component_name(load->code->shelf->component), why.text);
        load->path[0] = '\0';
    }
    return load->path[0] != '\0';
}

static struct edition *make_edition(const struct load *load, struct engine_image *image,
                                    struct err *err)
{
    const struct dynamic_shelf *shelf = load->code->shelf;
    const char *entry = shelf->entry != NULL ? shelf->entry
                                             : default_entry(&load->compiled.inspection);
    struct edition *edition = edition_create(image, load->compiled.cls, 1);
    struct err ignored = {0};
    if (edition == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    if (!engine_image_entry(image, entry, &edition->entries[0], &ignored)) {
        edition->entries[0] = EDITION_NO_ENTRY;
    }
    return edition;
}

static bool load_all(struct load *load, struct err *err)
{
    const struct dynamic_options *options = &load->dynamic->options;
    struct engine_link link = {
        .imports = options->imports, .import_count = options->import_count, .wasi = true};
    unsigned workers = pool_workers(options->pool);
    load->editions = calloc(workers, sizeof *load->editions);
    if (load->editions == NULL) {
        return err_set_memory(err);
    }
    for (unsigned i = 0; i < workers; i++) {
        struct engine_image *image = engine_load(
            pool_engine(options->pool, i, load->compiled.cls), load->compiled.inspection.kind,
            load->path[0] != '\0' ? load->path : NULL, &load->compiled.artefact, &link, err);
        load->editions[i] = image == NULL ? NULL : make_edition(load, image, err);
        if (load->editions[i] == NULL) {
            return false;
        }
        load->done++;
    }
    return true;
}

static void unload(struct load *load)
{
    for (unsigned i = 0; i < load->done; i++) {
        edition_release(load->editions[i]);
    }
    load->done = 0;
    free(TAKE(load->editions));
}

static bool make(struct load *load, const struct bytes *wasm, int cancel, bool *ret_again,
                 struct err *err)
{
    if (find_in_cache(load, wasm)) {
        if (!is_admitted(load, err)) {
            return false;
        }
        if (load_all(load, err)) {
            return true;
        }
        unload(load);
        cache_remove(load->path); /* it may be damaged */
        load->path[0] = '\0';
    }
    if (!compile(load, wasm, cancel, ret_again, err)) {
        return false;
    }
    unsigned workers = pool_workers(load->dynamic->options.pool);
    bool stored = store(load, wasm);
    if (!stored && load->compiled.artefact.size > UNSTORED_BYTES_MAX / workers) {
        *ret_again = true;
        return err_set(err, ERR_LIMIT, "%zu KiB of compiled code, and no cache that takes it",
                       load->compiled.artefact.size / 1024);
    }
    if (load_all(load, err)) {
        return true;
    }
    unload(load);
    *ret_again = err->code == ERR_MEMORY;
    if (stored) {
        cache_remove(load->path);
    }
    return false;
}

bool dynamic_make(struct dynamic *dynamic, struct dynamic_code *code, int cancel, bool *ret_again,
                  struct err *err)
{
    struct load load = {.dynamic = dynamic, .code = code};
    *ret_again = false;
    bool good = make(&load, &code->wasm, cancel, ret_again, err);
    bytes_fini(&load.compiled.artefact);
    code->editions = load.editions;
    return good;
}
