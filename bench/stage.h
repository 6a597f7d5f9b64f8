/**
 * @file
 * What the drivers of this folder share: a node that runs guests of one component, which may spawn each other, with the limits
 * that a manifest gives when it says nothing.
 *
 * Threads: the one that made it.
 */
#pragma once

#include "core/node.h"
#include "guest/actor.h"

#include <semaphore.h>

enum { STAGE_STREAM_BYTES = 256 * 1024 };

struct stage {
    struct pool *pool;
    struct component *component;
    struct catalog *catalog;
    struct dynamic *dynamic; /* NULL: no template */
    struct node *node;
    sem_t done;  /* posted at the exit of each guest of stage_spawn() */
    bool failed; /* one of them did not end normally */
    atomic_bool dropped;
};

struct stage_options {
    const char *name; /**< Of the component; borrowed. */
    const char *path; /**< Of the Wasm file. */
    unsigned workers;
    uint32_t processes; /**< Most at once. */
    const char *
        compiler; /**< The component is a template, of the entry "child", for whose code this program is the compiler; NULL: none. */
};

/** Put it together and start its threads. False: said why to standard error; stage_drop() is due nevertheless. */
bool stage_make(struct stage *stage, const struct stage_options *options) MUST_USE;
void stage_drop(struct stage *stage);

/** A guest's entry, and on which worker it begins. */
struct stage_guest {
    const char *entry;
    const void *input;
    size_t input_bytes;
    unsigned worker;
};

/** Spawn one. `*ret_pid` may be NULL. */
bool stage_spawn(struct stage *stage, const struct stage_guest *guest, struct pid *ret_pid)
    MUST_USE;

/** Wait for the exits of so many. False: one of them failed. */
bool stage_wait(struct stage *stage, unsigned guests) MUST_USE;

/** Processor time of this program, all threads, user and system. */
uint64_t stage_cpu_ns(void);
