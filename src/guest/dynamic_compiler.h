/**
 * @file
 * Compiling code that a guest has brought, in a process of its own: what hostile bytes do to a compiler, they do there. The
 * child is this program again, with one source to read and one result to write, no other descriptor, no variables, and
 * bounded memory, time and size of what it writes; it is killed when its parent ends.
 *
 * Threads: any, but each call waits for its child.
 */
#pragma once

#include "guest/dynamic_source.h"
#include "guest/pool.h"

/** The hidden command of the program that is the child: "mote compile-dynamic MEMORY_MAX_BYTES PARENT". */
#define DYNAMIC_COMPILER_COMMAND "compile-dynamic"

enum {
    DYNAMIC_COMPILER_S = 30, /**< Of a processor, and twice that of a clock. */
    DYNAMIC_COMPILER_BYTES = 1 << 30,
    DYNAMIC_ARTEFACT_BYTES_MAX = 64 << 20,
};

struct dynamic_compiled {
    struct engine_inspection inspection;
    enum pool_class cls;
    uint64_t fingerprint; /**< Of the engine that compiled it. */
    struct bytes artefact;
};

enum dynamic_compiler_end {
    DYNAMIC_COMPILED,
    DYNAMIC_REFUSED,   /**< It is the source: `err` says why, and it would be so again. */
    DYNAMIC_CANCELLED, /**< `cancel` became readable: ERR_DENIED. */
    DYNAMIC_UNABLE,    /**< There was no child, or no memory for one. */
};

struct dynamic_compiler_options {
    const char *program; /**< What is executed; NULL: this very program. */
    uint64_t
        memory_max_bytes; /**< Of the template's grant: decides the class, with what the code says. */
    int cancel;           /**< A descriptor to look at. */
};

/** Compile. Returns after the child's end. `ret` is the caller's to free when it is DYNAMIC_COMPILED. */
enum dynamic_compiler_end dynamic_compiler_run(const struct dynamic_compiler_options *options,
                                               const struct bytes *wasm,
                                               struct dynamic_compiled *ret, struct err *err);

/** What the code takes that nobody has: of WASI 0.3, more parts than any pool gives one instance. */
bool dynamic_compiler_checks(const struct engine_inspection *inspection, struct err *err) MUST_USE;

/** The child: source on descriptor 0, result to 1. The status to end with. */
int dynamic_compiler_main(int argc, char **argv);
