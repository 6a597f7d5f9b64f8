#include "guest/component_internal.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* Code on its way to the workers' engines, which all take the same. */
struct delivery {
    char path[CACHE_PATH_BYTES]; /* in the cache; "": not there */
    struct bytes artefact;       /* empty: what the cache has is good */
};

/* Find or make the artefact: on disk when there is a cache that works, else in memory. */
static bool compile(const struct component *component, const struct component_code *code,
                    struct engine *engine, struct cache *cache, struct delivery *ret,
                    struct err *err)
{
    if (ret->artefact.size > 0) {
        return true; /* For an engine before this one. */
    }
    ret->path[0] = '\0';
    if (cache != NULL) {
        cache_path(cache, code->wasm.data, code->wasm.size, engine_fingerprint(engine), ret->path);
        if (cache_has(ret->path)) {
            return true;
        }
    }
    log_printf(LOG_INFO, "compiling component '%s' (%zu KiB)", component->name,
               code->wasm.size / 1024);
    if (!engine_compile(engine, code->wasm.data, code->wasm.size, &ret->artefact, err)) {
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
static struct engine_image *load(const struct component *component,
                                 const struct component_code *code, struct engine *engine,
                                 struct cache *cache, const struct engine_link *link,
                                 struct delivery *delivery, struct err *err)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!compile(component, code, engine, cache, delivery, err)) {
            return NULL;
        }
        bool from_cache = delivery->artefact.size == 0;
        struct engine_image *image = engine_load(engine, code->inspection.kind,
                                                 delivery->path[0] != '\0' ? delivery->path : NULL,
                                                 &delivery->artefact, link, err);
        if (image != NULL || !from_cache || is_refused_for_good(err)) {
            return image;
        }
        cache_remove(delivery->path);
    }
    return NULL;
}

/* The numbers of what is run, in code that may have been made anew. */
static bool find_entries(const struct component *component, struct edition *edition,
                         struct err *err)
{
    for (size_t i = 0; i < component->slot_count; i++) {
        const struct component_slot *slot = &component->slots[i];
        struct err why = {0};
        if (engine_image_entry(edition->image, slot->name, &edition->entries[i], &why)) {
            continue;
        }
        edition->entries[i] = EDITION_NO_ENTRY;
        if (slot->needed) {
            *err = why;
            return false;
        }
    }
    return true;
}

static struct edition *make_edition(const struct component *component, struct engine_image *image,
                                    enum pool_class cls, struct err *err)
{
    struct edition *edition = edition_create(image, cls, component->slot_count);
    if (edition == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    if (!find_entries(component, edition, err)) {
        edition_release(edition);
        return NULL;
    }
    return edition;
}

bool component_code_load(const struct component *component, struct component_code *code,
                         struct cache *cache, const struct engine_link *link, struct edition **ret,
                         struct err *err)
{
    struct delivery delivery = {0};
    unsigned done = 0;
    for (; done < pool_workers(component->pool); done++) {
        struct engine *engine = pool_engine(component->pool, done, code->cls);
        struct engine_image *image = load(component, code, engine, cache, link, &delivery, err);
        ret[done] = image == NULL ? NULL : make_edition(component, image, code->cls, err);
        if (ret[done] == NULL) {
            break;
        }
    }
    bool good = done == pool_workers(component->pool);
    while (!good && done > 0) {
        edition_release(ret[--done]);
    }
    bytes_fini(&delivery.artefact);
    bytes_fini(&code->wasm);
    return good || err_wrap(err, "component '%s': %s", component->name, component->path);
}
