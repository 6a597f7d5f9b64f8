/**
 * @file
 * The code of a component as one worker's engine has it. A component has one current edition a worker; a process holds
 * the one it was born with, so that new code can take the place of code that still runs.
 *
 * Life:    edition_create() -> current -> another one is -> freed with the reference of its last process.
 * Threads: any; constant but for its count.
 */
#pragma once

#include "engine/engine.h"
#include "guest/capacity.h"

/** The number of an entry that this code does not have. */
#define EDITION_NO_ENTRY UINT32_MAX

struct edition {
    atomic_uint references;     /* any thread */
    enum pool_class cls;        /* constant: of the engine that it is loaded into */
    struct engine_image *image; /* constant, owned */
    uint32_t *entries;          /* the image's numbers, by slot of component_entry(); constant once
                                   processes of it begin */
    size_t entry_count;
};

/** Takes the image, also when it fails: out of memory. The caller has the one reference. */
struct edition *edition_create(struct engine_image *image, enum pool_class cls, size_t entry_count)
    MUST_USE;

void edition_retain(struct edition *edition);
void edition_release(struct edition *edition); /**< NULL is allowed. */
