/**
 * @file
 * The layout of a component, for guest.c, which spawns from it.
 */
#pragma once

#include "base/lock.h"
#include "guest/component.h"
#include "guest/edition.h"

#include <stdatomic.h>

enum { COMPONENT_NAME_BYTES = 65 };

/** A folder that guests may see, held open from the start. */
struct pin {
    int fd;
    char path[32]; /* "/proc/self/fd/N" */
    struct engine_preopen preopen;
};

/** One worker's own, in a cache line of its own: all spawns write to it. */
struct component_seat {
    _Alignas(64) atomic_uint processes; /* any thread: born in this worker's engine, alive */
    atomic_uint_least64_t spawned;      /* any thread */
    struct lock lock;                   /* of the one below, for as long as it is retained */
    struct edition *edition;            /* guarded by lock: what new processes run; a reference */
};

/** What a file holds. */
struct component_code {
    struct bytes wasm; /* until loaded */
    struct engine_inspection inspection;
    enum pool_class cls;
    unsigned char digest[32]; /* SHA-256 of the file */
};

/** An entry that somebody runs, by the number that component_entry() gave. */
struct component_slot {
    char *name;
    bool needed; /* code without it cannot take the place of this one */
};

struct component {
    char name[COMPONENT_NAME_BYTES];
    char *path;
    const struct grant *grant;
    struct component_code code;   /* until prepared the opener's, then whoever swaps */
    struct component_slot *slots; /* constant once the first process begins */
    size_t slot_count;            /* likewise */
    uint32_t max_processes;
    bool lends;                      /* constant */
    const char **arguments;          /* program name first, NULL-terminated */
    struct pin *pins;                /* constant after open */
    size_t pin_count;                /* constant after open */
    struct engine_preopen *preopens; /* constant after open: the pinned ones */
    struct engine_wasi wasi;         /* constant after open */
    struct pool *pool;               /* constant after prepare */
    struct component_seat *seats;    /* constant after prepare: one per worker */
    atomic_uint swaps;  /* any thread: how often other code took the place of its code */
    atomic_uint places; /* any thread: taken of max_processes, when there is one */
};

/** Read its file, inspect and check it. False: nothing is held. */
bool component_code_read(const struct component *component, struct component_code *ret,
                         struct err *err) MUST_USE;

/** Compile or find, load and link that code for every worker: `ret` gets an edition for each; its entries are found. The
 *  Wasm is freed in any case. False: none. Slow. */
bool component_code_load(const struct component *component, struct component_code *code,
                         struct cache *cache, const struct engine_link *link, struct edition **ret,
                         struct err *err) MUST_USE;

/** The current edition of a worker's, with a reference. */
struct edition *component_edition(struct component *component, unsigned worker);

/** Where output of its guests goes (guest.c). */
bool guest_output(void *process, int fd, const uint8_t *data, size_t size_bytes);

/** Likewise: what WASI refused it. */
void guest_denied(void *process, const char *call, int wasi_errno);
