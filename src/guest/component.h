/**
 * @file
 * A registered component: Wasm that was inspected, compiled or taken from the cache, loaded once per
 * worker, linked, with its grant.
 *
 * Life:    component_open() (reads and inspects: no engine needed) -> pool_create() with what
 *          all of them need -> component_prepare() -> processes of it -> component_destroy() after the last.
 * Threads: constant once prepared, but for its counts.
 */
#pragma once

#include "guest/cache.h"
#include "guest/grant.h"
#include "guest/pool.h"

struct component;

struct component_options {
    const char *name;             /**< Copied. */
    const char *path;             /**< Of the Wasm file; copied. */
    const struct grant *grant;    /**< Borrowed. */
    const char *const *arguments; /**< For commands, after the program's name; borrowed; or NULL. */
    uint32_t max_processes;       /**< At once; 0: no limit of its own. */
    bool
        lends; /**< It is a template: other code runs under its name (guest/dynamic.h), for which pools leave room. */
};

enum { COMPONENT_FILE_BYTES_MAX = 256 << 20 };

/** Read and inspect. NULL: ERR_NOT_FOUND, ERR_INPUT ("component 'api': api.wasm: truncated ..."),
 *  ERR_LIMIT (an instance of it takes more memories, tables or instances than a pool gives one). */
struct component *component_open(const struct component_options *options, struct err *err) MUST_USE;
void component_destroy(struct component *component);
DEFINE_AUTO_DESTROY(component)

/** Add what it takes to the needs of its pool class. */
void component_add_need(const struct component *component,
                        struct capacity_need needs[POOL_CLASSES]);

/** Compile (or find in `cache`; NULL: none), load and link for every worker.
 *  @param imports  what C offers to core modules: host functions of all layers; borrowed
 *  @return false: ERR_INPUT, naming file, import and remedy. */
bool component_prepare(struct component *component, struct pool *pool, struct cache *cache,
                       const struct engine_import *imports, size_t import_count, struct err *err)
    MUST_USE;

/** What came of component_swap(). */
enum swap_result {
    SWAP_SAME,    /**< The file holds what runs already. */
    SWAP_DONE,    /**< Processes that begin from now on run what it holds. */
    SWAP_REFUSED, /**< What it holds does not run here: `err`. All is as it was. */
};

/** Look at its file again, and put what it holds now in the place of what it held: for processes that begin from now on. Those
 *  that live go on with what they began with, whose memory is given back with the last of them. One thread at a time, of any kind; slow
 *  as a compilation is; between component_prepare() and component_destroy(). `cache`, `imports` as there.
 *  SWAP_REFUSED: ERR_NOT_FOUND, ERR_INPUT as component_open(), component_prepare() and component_entry() say it; ERR_LIMIT: it is
 *  nothing that the node was started for (another kind, larger than its pool): a new node takes it. */
enum swap_result component_swap(struct component *component, struct cache *cache,
                                const struct engine_import *imports, size_t import_count,
                                struct err *err);

/** How often it got new code. In one order with component_swap(): when this has not changed over the start of a process, whoever looks
 *  for processes after a swap finds that one, or it has the new code. Any thread. */
unsigned component_swaps(const struct component *component);

/** Find an entry to run ("show", "_start", "wasi:cli/run", "wasi:http/incoming-handler"); NULL: the only
 *  sensible one: of a command that, of another component, or one made for RUSM, `run`.
 *  False: ERR_NOT_FOUND, listing what is exported. The number is good for all of the component's life: code that is swapped
 *  in must have the entry too. Before the first process only. */
bool component_entry(struct component *component, const char *name, uint32_t *ret, struct err *err)
    MUST_USE;

/** The same of an entry that code which is swapped in may lack: a spawn of it fails then. */
bool component_entry_maybe(struct component *component, const char *name, uint32_t *ret,
                           struct err *err) MUST_USE;

const char *component_name(const struct component *component);
enum engine_kind component_kind(const struct component *component);

/** Whether it is a command: exports `_start`, or wasi:cli/run. */
bool component_is_command(const struct component *component);

/** Whether it answers requests by itself: exports wasi:http/incoming-handler. */
bool component_is_http(const struct component *component);

/** Whether it was made for RUSM: imports the module "rusm" or its interfaces. Its only entry is `run` then, its mail and its
 *  requests are as that runtime has them (guest/rusm.h, serve/handler_rusm.h). */
bool component_is_rusm(const struct component *component);
const struct grant *component_grant(const struct component *component);

/** Processes of it that live now, and ever. */
uint64_t component_processes(const struct component *component);
uint64_t component_spawned(const struct component *component);
