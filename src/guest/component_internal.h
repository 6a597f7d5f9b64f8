/**
 * @file
 * The layout of a component, for guest.c, which spawns from it.
 */
#pragma once

#include "guest/component.h"

#include <stdatomic.h>

enum { COMPONENT_NAME_BYTES = 65 };

/** A folder that guests may see, held open from the start. */
struct pin {
    int fd;
    char path[32]; /* "/proc/self/fd/N" */
    struct engine_preopen preopen;
};

/** Counts of one worker's own, in a cache line of their own: all spawns write to them. */
struct component_count {
    _Alignas(64) atomic_uint processes; /* any thread: born in this worker's engine, alive */
    atomic_uint_least64_t spawned;      /* any thread */
};

struct component {
    char name[COMPONENT_NAME_BYTES];
    char *path;
    const struct grant *grant;
    struct engine_inspection inspection;
    struct bytes wasm; /* until prepared */
    enum pool_class cls;
    uint32_t max_processes;
    const char **arguments;          /* program name first, NULL-terminated */
    struct pin *pins;                /* constant after open */
    size_t pin_count;                /* constant after open */
    struct engine_preopen *preopens; /* constant after open: the pinned ones */
    struct engine_wasi wasi;         /* constant after open */
    struct pool *pool;               /* constant after prepare */
    struct engine_image **images;    /* constant after prepare: one per worker */
    struct component_count *counts;  /* constant after prepare: one per worker */
    atomic_uint places;              /* any thread: taken of max_processes, when there is one */
};

/** Where output of its guests goes (guest.c). */
bool guest_output(void *process, int fd, const uint8_t *data, size_t size_bytes);

/** Likewise: what WASI refused it. */
void guest_denied(void *process, const char *call, int wasi_errno);
