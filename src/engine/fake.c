/**
 * @file
 * The engine's double, for tests that need no Wasm: runs tiny scripts instead. It keeps engine.h's
 * promises on threads, parking, ticks, pools and exits, so that what stands above it can run under
 * the thread sanitizer. `toml_*` is not here.
 *
 * What it runs are scripts: see fake_script.h.
 */
#include "engine/engine.h"

#include "engine/fake_script.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct engine {
    struct engine_options options;
    _Atomic uint64_t epoch;
    _Atomic uint64_t fibers, memories; /**< In use now. */
};

struct engine_image {
    struct engine *engine;
    struct fake_script script; /**< Constant after load. */
};

struct engine_fiber {
    struct engine_image *image;
    struct engine_spawn_options options;
    uint32_t at; /**< Next step. */
    bool begun, napping;
    uint64_t epoch; /**< The last one it was asked about. */
    uint64_t result, state;
    uint8_t *memory;
    size_t memory_bytes;
};

static struct engine_process_functions process_functions;

/* ---- engine ---- */

struct engine *engine_create(const struct engine_options *options, struct err *err)
{
    if (options->fibers == 0) {
        (void)err_set(err, ERR_INPUT, "engine: a pool for no fibers");
        return NULL;
    }
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    engine->options = *options;
    return engine;
}

void engine_destroy(struct engine *engine)
{
    free(engine);
}

void engine_tick(struct engine *engine)
{
    /* Relaxed: only the number matters, as in the real one. */
    atomic_fetch_add_explicit(&engine->epoch, 1, memory_order_relaxed);
}

uint64_t engine_fingerprint(const struct engine *engine)
{
    return engine->options.memory_reservation_bytes ^ engine->options.stack_bytes;
}

const char *engine_version(void)
{
    return "fake";
}

struct engine_usage engine_usage(const struct engine *engine)
{
    uint64_t fibers = atomic_load(&engine->fibers);
    return (struct engine_usage){
        .core_instances = fibers, .stacks = fibers, .memories = atomic_load(&engine->memories)};
}

bool engine_inspect(const uint8_t *wasm, size_t size_bytes, struct engine_inspection *ret,
                    struct err *err)
{
    struct fake_script *script = calloc(1, sizeof(*script));
    if (script == NULL) {
        return err_set_memory(err);
    }
    bool parsed = fake_script_parse(wasm, size_bytes, script, err);
    uint32_t start = 0;
    *ret = (struct engine_inspection){
        .kind = ENGINE_MODULE,
        .memory_min_bytes = script->memory_bytes,
        .memories = script->memory_bytes > 0,
        .core_instances = 1,
        .command = parsed && fake_script_find(script, OP_ENTRY, "_start", &start),
    };
    free(script);
    return parsed;
}

bool engine_compile(struct engine *engine, const uint8_t *wasm, size_t size_bytes,
                    struct bytes *ret, struct err *err)
{
    (void)engine;
    struct engine_inspection inspection;
    if (!engine_inspect(wasm, size_bytes, &inspection, err)) {
        return false;
    }
    return bytes_append(ret, wasm, size_bytes) || err_set_memory(err);
}

/* ---- images ---- */

static bool image_link(struct engine_image *image, const struct engine_link *link, struct err *err)
{
    uint32_t target = 0;
    for (uint32_t i = 0; i < image->script.step_count; i++) {
        struct fake_step *step = &image->script.steps[i];
        if ((step->op == OP_JUMP || step->op == OP_JUMP_IF) &&
            !fake_script_find(&image->script, OP_LABEL, step->name, &target)) {
            return err_set(err, ERR_INPUT, "invalid: no label %s", step->name);
        }
        step->number = step->op == OP_JUMP || step->op == OP_JUMP_IF ? target : step->number;
        for (size_t j = 0; step->op == OP_CALL && j < link->import_count; j++) {
            const struct engine_import *import = &link->imports[j];
            size_t module_bytes = strlen(import->module);
            if (strncmp(step->name, import->module, module_bytes) == 0 &&
                strncmp(step->name + module_bytes, "::", 2) == 0 &&
                strcmp(step->name + module_bytes + 2, import->name) == 0) {
                step->import = import;
            }
        }
        if (step->op == OP_CALL && step->import == NULL) {
            return err_set(err, ERR_INPUT, "imports %s, which mote does not offer", step->name);
        }
    }
    return true;
}

struct engine_image *engine_load(struct engine *engine, enum engine_kind kind, const char *path,
                                 const struct bytes *bytes, const struct engine_link *link,
                                 struct err *err)
{
    AUTO(bytes_finip) struct bytes file = {0};
    if (kind != ENGINE_MODULE) {
        (void)err_set(err, ERR_INPUT, "the fake engine has no components");
        return NULL;
    }
    if (path != NULL) {
        if (!bytes_read_file(&file, path, FAKE_SCRIPT_BYTES_MAX, err)) {
            return NULL;
        }
        bytes = &file;
    }
    AUTO(engine_image_destroyp) struct engine_image *image = calloc(1, sizeof(*image));
    if (image == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    image->engine = engine;
    if (!fake_script_parse(bytes->data, bytes->size, &image->script, err) ||
        !image_link(image, link, err)) {
        return NULL;
    }
    return TAKE(image);
}

void engine_image_destroy(struct engine_image *image)
{
    free(image);
}

bool engine_image_entry(struct engine_image *image, const char *name, uint32_t *ret,
                        struct err *err)
{
    if (!fake_script_find(&image->script, OP_ENTRY, name, ret)) {
        return err_set(err, ERR_NOT_FOUND, "no export %s", name);
    }
    return true;
}

/* ---- fibers ---- */

void engine_set_process_functions(const struct engine_process_functions *functions)
{
    process_functions = *functions;
}

/* Scripts know no network. */
void engine_set_network(const struct engine_network *network)
{
    (void)network;
}

struct engine_fiber *engine_fiber_create(struct engine_image *image,
                                         const struct engine_spawn_options *options)
{
    struct engine_fiber *fiber = calloc(1, sizeof(*fiber));
    if (fiber != NULL) {
        fiber->image = image;
        fiber->options = *options;
        fiber->at = options->entry;
    }
    return fiber;
}

/** Give back what the pool lent. */
static void fiber_leave(struct engine_fiber *fiber)
{
    struct engine *engine = fiber->image->engine;
    if (fiber->begun) {
        atomic_fetch_sub(&engine->fibers, 1);
        atomic_fetch_sub(&engine->memories, fiber->memory != NULL);
        fiber->begun = false;
    }
    free(fiber->memory);
    fiber->memory = NULL;
}

void engine_fiber_destroy(struct engine_fiber *fiber)
{
    if (fiber != NULL) {
        fiber_leave(fiber);
        free(fiber);
    }
}

void engine_exit_fini(struct engine_exit *exit)
{
    free(exit->backtrace);
    exit->backtrace = NULL;
}

static bool fiber_end(struct engine_fiber *fiber, struct engine_exit *ret,
                      enum engine_exit_kind kind, const char *text)
{
    fiber_leave(fiber);
    ret->kind = kind;
    (void)snprintf(ret->text, sizeof(ret->text), "%s", text);
    return true;
}

static bool fiber_end_memory(struct engine_fiber *fiber, struct engine_exit *ret, uint64_t asked)
{
    ret->asked_bytes = asked;
    ret->ceiling_bytes = fiber->options.memory_max_bytes;
    return fiber_end(fiber, ret, ENGINE_EXIT_MEMORY, "memory would pass its ceiling");
}

/* Relaxed: a number for readers. */
static void fiber_account(const struct engine_fiber *fiber)
{
    if (fiber->options.memory_bytes != NULL) {
        atomic_store_explicit(fiber->options.memory_bytes, fiber->memory_bytes,
                              memory_order_relaxed);
    }
}

/** Instance and memory. True: it ended at once. */
static bool fiber_begin(struct engine_fiber *fiber, struct engine_exit *ret)
{
    struct engine *engine = fiber->image->engine;
    if (atomic_fetch_add(&engine->fibers, 1) >= engine->options.fibers) {
        atomic_fetch_sub(&engine->fibers, 1);
        return fiber_end(fiber, ret, ENGINE_EXIT_FULL, "the pool is full");
    }
    fiber->begun = true;
    fiber->epoch = atomic_load_explicit(&engine->epoch, memory_order_relaxed);
    uint64_t size = fiber->image->script.memory_bytes;
    if (size > fiber->options.memory_max_bytes) {
        return fiber_end_memory(fiber, ret, size);
    }
    if (size > 0) {
        fiber->memory = calloc(1, size);
        if (fiber->memory == NULL) {
            return fiber_end(fiber, ret, ENGINE_EXIT_FAULT, "out of memory");
        }
        fiber->memory_bytes = size;
        fiber_account(fiber);
        atomic_fetch_add(&engine->memories, 1);
    }
    return false;
}

/** What a step leads to. */
enum next { NEXT_STEP, NEXT_WAIT, NEXT_ENDED };

/** Ask the process, if time has passed. */
static enum next fiber_tick(struct engine_fiber *fiber, struct engine_exit *ret)
{
    struct engine *engine = fiber->image->engine;
    uint64_t epoch = atomic_load_explicit(&engine->epoch, memory_order_relaxed);
    if (epoch == fiber->epoch) {
        return NEXT_STEP;
    }
    fiber->epoch = epoch;
    void *process = fiber->options.process;
    switch (process_functions.tick(process)) {
    case ENGINE_TICK_CONTINUE:
        return NEXT_STEP;
    case ENGINE_TICK_YIELD:
        /* From inside the poll, as the real one does. */
        process_functions.retain(process);
        process_functions.wake(process);
        process_functions.release(process);
        return NEXT_WAIT;
    case ENGINE_TICK_STOP:
        (void)fiber_end(fiber, ret, ENGINE_EXIT_STOPPED, "stopped");
        return NEXT_ENDED;
    }
    BUG("tick");
}

static enum next fiber_call(struct engine_fiber *fiber, const struct fake_step *step,
                            struct engine_exit *ret)
{
    struct engine_call call = {.process = fiber->options.process,
                               .memory = fiber->memory,
                               .memory_bytes = fiber->memory_bytes,
                               .state = fiber->state};
    for (uint32_t i = 0; i < step->argument_count; i++) {
        bool last = (step->last_result_mask >> i & 1) != 0;
        call.arguments[i] = last ? fiber->result : step->arguments[i];
    }
    switch (step->import->function(&call)) {
    case ENGINE_CALL_DONE:
        fiber->result = call.result;
        fiber->state = 0;
        return NEXT_STEP;
    case ENGINE_CALL_PARK:
        INVARIANT(step->import->parks);
        fiber->state = call.state;
        return NEXT_WAIT;
    case ENGINE_CALL_TRAP:
        (void)fiber_end(fiber, ret, ENGINE_EXIT_HOST, call.text);
        return NEXT_ENDED;
    case ENGINE_CALL_LEAVE:
        (void)fiber_end(fiber, ret, ENGINE_EXIT_RETURNED, "");
        return NEXT_ENDED;
    }
    BUG("call");
}

static enum next fiber_grow(struct engine_fiber *fiber, uint64_t size, struct engine_exit *ret)
{
    if (size > fiber->options.memory_max_bytes) {
        (void)fiber_end_memory(fiber, ret, size);
        return NEXT_ENDED;
    }
    if (fiber->memory != NULL && size > fiber->memory_bytes) {
        uint8_t *larger = realloc(fiber->memory, size);
        if (larger == NULL) {
            (void)fiber_end(fiber, ret, ENGINE_EXIT_FAULT, "out of memory");
            return NEXT_ENDED;
        }
        memset(larger + fiber->memory_bytes, 0, size - fiber->memory_bytes);
        fiber->memory = larger;
        fiber->memory_bytes = size;
        fiber_account(fiber);
    }
    return NEXT_STEP;
}

static void *nap_end(void *process)
{
    process_functions.wake(process);
    process_functions.release(process);
    return NULL;
}

/** Another thread wakes the process, as the runtime of WASI does. The second time round it is over. */
static enum next fiber_nap(struct engine_fiber *fiber)
{
    fiber->napping = !fiber->napping;
    if (!fiber->napping) {
        return NEXT_STEP;
    }
    process_functions.retain(fiber->options.process);
    pthread_t thread;
    if (pthread_create(&thread, NULL, nap_end, fiber->options.process) != 0) {
        (void)nap_end(fiber->options.process);
        return NEXT_WAIT;
    }
    (void)pthread_detach(thread);
    return NEXT_WAIT;
}

static enum next fiber_print(struct engine_fiber *fiber, const char *text, struct engine_exit *ret)
{
    const struct engine_wasi *wasi = fiber->options.wasi;
    if (wasi == NULL || wasi->output == NULL ||
        !wasi->output(fiber->options.process, 1, (const uint8_t *)text, strlen(text))) {
        (void)fiber_end(fiber, ret, ENGINE_EXIT_TRAP, "output refused");
        ret->trap = ENGINE_TRAP_UNREACHABLE;
        return NEXT_ENDED;
    }
    return NEXT_STEP;
}

/** One step; `fiber->at` still points to it and moves on NEXT_STEP only. */
static enum next fiber_step(struct engine_fiber *fiber, const struct fake_step *step,
                            struct engine_exit *ret)
{
    switch (step->op) {
    case OP_CALL:
        return fiber_call(fiber, step, ret);
    case OP_DATA:
        for (size_t i = 0; step->name[i] != '\0' && step->number + i < fiber->memory_bytes; i++) {
            fiber->memory[step->number + i] = (uint8_t)step->name[i];
        }
        return NEXT_STEP;
    case OP_GROW:
        return fiber_grow(fiber, step->number, ret);
    case OP_JUMP_IF:
    case OP_JUMP:
    case OP_SPIN: {
        enum next next = fiber_tick(fiber, ret);
        bool taken = step->op != OP_JUMP_IF || fiber->result != 0;
        if (next == NEXT_STEP && taken) {
            /* A label and a spin are themselves steps that do nothing. */
            fiber->at = step->op == OP_SPIN ? fiber->at - 1 : (uint32_t)step->number;
        }
        return next;
    }
    case OP_NAP:
        return fiber_nap(fiber);
    case OP_PRINT:
        return fiber_print(fiber, step->name, ret);
    case OP_EXIT:
        (void)fiber_end(fiber, ret, ENGINE_EXIT_STATUS, "");
        ret->status = (int32_t)step->number;
        return NEXT_ENDED;
    case OP_TRAP:
        (void)fiber_end(fiber, ret, ENGINE_EXIT_TRAP, "unreachable code reached");
        ret->trap = ENGINE_TRAP_UNREACHABLE;
        ret->backtrace = strdup("  #0 fake (file offset 0x0)\n");
        return NEXT_ENDED;
    case OP_RETURN:
    case OP_ENTRY: /* The next one: this one ends here. */
        (void)fiber_end(fiber, ret, ENGINE_EXIT_RETURNED, "");
        return NEXT_ENDED;
    case OP_LABEL:
    case OP_MEMORY:
        return NEXT_STEP;
    }
    BUG("op %d", (int)step->op);
}

bool engine_fiber_poll(struct engine_fiber *fiber, struct engine_exit *ret)
{
    *ret = (struct engine_exit){.kind = ENGINE_EXIT_RETURNED, .trap = ENGINE_TRAP_OTHER};
    if (!fiber->begun) {
        if (fiber_begin(fiber, ret)) {
            return true;
        }
        fiber->at++; /* Past the line that names the entry. */
    }
    for (;;) {
        if (fiber->at >= fiber->image->script.step_count) {
            return fiber_end(fiber, ret, ENGINE_EXIT_RETURNED, "");
        }
        switch (fiber_step(fiber, &fiber->image->script.steps[fiber->at], ret)) {
        case NEXT_STEP:
            fiber->at++;
            break;
        case NEXT_WAIT:
            return false;
        case NEXT_ENDED:
            return true;
        }
    }
}
