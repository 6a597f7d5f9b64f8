#include "guest/component_internal.h"

#include <stdlib.h>
#include <string.h>

/* What the node is made for: routes by its kind, pools by what an instance takes. */
static bool fits(const struct component *component, const struct component_code *code,
                 struct err *err)
{
    const struct engine_inspection *old = &component->code.inspection, *new = &code->inspection;
    if (old->kind != new->kind || old->http != new->http || old->command != new->command ||
        old->rusm != new->rusm) {
        return err_set(err, ERR_LIMIT,
                       "it is another kind of file than the one that this node was started with; "
                       "`mote reload` takes it");
    }
    struct capacity_need need = {.used = true,
                                 .memories = new->memories,
                                 .tables = new->tables,
                                 .core_instances = new->core_instances};
    return pool_admits(component->pool, code->cls, &need, err);
}

/* From here on nothing fails. */
static void put_in_place(struct component *component, const struct component_code *code,
                         struct edition **editions)
{
    for (unsigned i = 0; i < pool_workers(component->pool); i++) {
        struct component_seat *seat = &component->seats[i];
        lock_take(&seat->lock);
        struct edition *old = seat->edition;
        seat->edition = editions[i];
        lock_release(&seat->lock);
        edition_release(old);
    }
    /* Behind the editions, and before anybody looks for processes of the old ones: component_swaps(). */
    atomic_fetch_add_explicit(&component->swaps, 1, memory_order_seq_cst);
    /* All that anybody else reads of it is the same as before: fits(). */
    memcpy(component->code.digest, code->digest, sizeof code->digest);
}

unsigned component_swaps(const struct component *component)
{
    return atomic_load_explicit(&component->swaps, memory_order_seq_cst);
}

enum swap_result component_swap(struct component *component, struct cache *cache,
                                const struct engine_import *imports, size_t import_count,
                                struct err *err)
{
    struct engine_link link = {.imports = imports, .import_count = import_count, .wasi = true};
    struct component_code code;
    if (!component_code_read(component, &code, err)) {
        return SWAP_REFUSED;
    }
    if (memcmp(code.digest, component->code.digest, sizeof code.digest) == 0) {
        bytes_fini(&code.wasm);
        return SWAP_SAME;
    }
    struct edition **editions = calloc(pool_workers(component->pool), sizeof *editions);
    if (editions == NULL) {
        bytes_fini(&code.wasm);
        (void)err_set_memory(err);
        return SWAP_REFUSED;
    }
    bool good = fits(component, &code, err) ||
                err_wrap(err, "component '%s': %s", component->name, component->path);
    if (!good) {
        bytes_fini(&code.wasm);
    }
    good = good && component_code_load(component, &code, cache, &link, editions, err);
    if (good) {
        put_in_place(component, &code, editions);
    }
    free(editions);
    return good ? SWAP_DONE : SWAP_REFUSED;
}
