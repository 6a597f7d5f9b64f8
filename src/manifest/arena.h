/**
 * @file
 * Memory that lives exactly as long as a manifest: its strings and arrays, freed in one go.
 *
 * Life: a zeroed arena is empty; arena_fini() frees everything that came from it.
 */
#pragma once

#include "base/base.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
};

void arena_fini(struct arena *arena);

/** `count` zeroed objects of `size_bytes` each (a count of 0 gives a valid pointer). NULL: no memory. */
void *arena_alloc(struct arena *arena, size_t count, size_t size_bytes) MUST_USE;

/** A terminated copy. NULL: no memory. */
char *arena_copy(struct arena *arena, const char *text, size_t size_bytes) MUST_USE;
