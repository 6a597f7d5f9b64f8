/**
 * @file
 * Code that is not in the manifest: what spawn_from() runs, under the name and the grant of a template. Code is known by its
 * digest, for each template apart. What is loaded stays so, the last used DYNAMIC_LOADED_MAX of a template; what was refused is
 * remembered, for a time; what is compiled goes into the cache of the node.
 *
 * Compiling is the affair of DYNAMIC_COMPILERS threads, each with one process at a time (dynamic_compiler.h). Who asks for code that
 * is on its way waits for the same.
 *
 * Life:    dynamic_create(), after the components are prepared -> dynamic_start() -> used -> dynamic_stop(), before the node stops ->
 *          dynamic_destroy(), after the node and before components and pool.
 * Threads: create, start, stop, destroy: the main thread; the rest: any.
 */
#pragma once

#include "core/process.h"
#include "guest/component.h"
#include "guest/dynamic_source.h"
#include "guest/edition.h"

struct dynamic;
struct dynamic_code;

enum {
    DYNAMIC_COMPILERS = 2,
    DYNAMIC_QUEUE_MAX = 64, /**< Sources to compile, with those that are compiled now. */
    DYNAMIC_SHARE_MAX =
        16, /**< Of those, for one template: its code does not keep others waiting. */
    DYNAMIC_HELD_BYTES_MAX = 64 << 20, /**< Of all sources that wait or are on their way. */
    DYNAMIC_LOADED_MAX = 64,           /**< Of a template. */
    DYNAMIC_REFUSED_MAX = 256,         /**< Likewise. */
    DYNAMIC_REFUSED_S = 60,
    DYNAMIC_WHY_BYTES = 320,
};

/** A component that may lend itself. */
struct dynamic_template {
    struct component *component;
    const char *
        entry; /**< What it runs, of any code; NULL: what the code has: `_start`, wasi:cli/run, `run`. */
};

struct dynamic_options {
    const struct dynamic_template *templates; /**< Copied; their members are borrowed. */
    size_t template_count;
    struct pool *pool;
    struct cache *cache;                 /**< NULL: none. */
    const struct engine_import *imports; /**< As component_prepare()'s. */
    size_t import_count;
    const char *program; /**< As dynamic_compiler_options. */
};

/** NULL: ERR_MEMORY, ERR_OS (threads). */
struct dynamic *dynamic_create(const struct dynamic_options *options, struct err *err) MUST_USE;

/** From now on it is dynamic_of() that node; NULL: none. Before the first guest. */
void dynamic_start(const struct node *node, struct dynamic *dynamic);
struct dynamic *dynamic_of(const struct node *node);

/** Kill what compiles, forget what waits. NULL is allowed. */
void dynamic_stop(struct dynamic *dynamic);
void dynamic_destroy(struct dynamic *dynamic); /**< NULL is allowed. */

/** Whether that component is a template. */
bool dynamic_is_template(const struct dynamic *dynamic, const struct component *component);

/** Reserve so much of DYNAMIC_HELD_BYTES_MAX, for a source. False: too much is held. */
bool dynamic_hold(struct dynamic *dynamic, size_t size_bytes) MUST_USE;
void dynamic_let_go(struct dynamic *dynamic, size_t size_bytes);

/** Code that is loaded, refused or on its way, with a reference; NULL: nobody knows it. */
struct dynamic_code *dynamic_find(struct dynamic *dynamic, const struct component *component,
                                  const unsigned char digest[DYNAMIC_DIGEST_BYTES]) MUST_USE;

/** The same; what nobody knows is compiled. `wasm`, of which all is held, is taken in any case. NULL: ERR_LIMIT (the queue),
 *  ERR_MEMORY, ERR_DENIED (it stops). */
struct dynamic_code *dynamic_load(struct dynamic *dynamic, const struct component *component,
                                  const unsigned char digest[DYNAMIC_DIGEST_BYTES],
                                  struct bytes *wasm, struct err *err) MUST_USE;

void dynamic_release(struct dynamic_code *code); /**< NULL is allowed. */

enum dynamic_state {
    DYNAMIC_ON_ITS_WAY,
    DYNAMIC_READY, /**< For good, as the next one. */
    DYNAMIC_FAILED,
};

enum dynamic_state dynamic_poll(const struct dynamic_code *code);

/** DYNAMIC_READY: an edition for each worker, as long as there is a reference. Its entry 0 is the template's, or EDITION_NO_ENTRY. */
struct edition *const *dynamic_editions(const struct dynamic_code *code);

/** DYNAMIC_FAILED: why. ERR_INPUT and ERR_LIMIT: it is the source. */
enum err_code dynamic_error(const struct dynamic_code *code, const char **ret_why);

/** One that is woken once dynamic_poll() says something else. Embedded; on a list while it waits. */
struct dynamic_waiter {
    struct list member;
    struct process *process;
};

/** Wait; the process is retained until it is woken or gives up. False: no need. */
bool dynamic_wait(struct dynamic_code *code, struct dynamic_waiter *waiter, struct process *process)
    MUST_USE;

/** Wait no more; nothing if it does not. With `abandons`, code for which nobody waits then is not compiled. */
void dynamic_wait_no_more(struct dynamic_code *code, struct dynamic_waiter *waiter, bool abandons);

struct dynamic_counts {
    uint64_t loaded;   /**< Now, of all templates. */
    uint64_t compiled; /**< Ever: processes that compiled. */
    uint64_t refused;  /**< Ever: sources. */
    uint64_t queued;   /**< Now, with those that are compiled. */
};

struct dynamic_counts dynamic_counts(struct dynamic *dynamic);
