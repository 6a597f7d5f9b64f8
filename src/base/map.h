/**
 * @file
 * Intrusive hash table from 64-bit keys to members that its user embeds in objects of his own.
 *
 * Inserting never fails: when there is no memory to grow, chains get longer. A zeroed map is empty and holds
 * no memory. Keys are spread by a fixed mix: for keys that a hostile guest cannot choose (pids,
 * references), or tables whose size a quota bounds.
 *
 * Threads: none of its own; the owner serialises.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct map_member {
    struct map_member *next;
    uint64_t key;
};

struct map {
    struct map_member **buckets; /* NULL: `few` is the only chain */
    struct map_member *few;
    uint32_t bits;        /* 2^bits buckets */
    uint32_t count;       /* members */
    uint32_t next_bucket; /* where map_take_any() found its last one */
};

/** Give the memory of the table back; the members are their owner's. BUG when one is left. */
void map_fini(struct map *map);

/** Add a member under `key`, which must not be there yet. */
void map_insert(struct map *map, struct map_member *member, uint64_t key);

/** The member of that key, or NULL. */
struct map_member *map_find(const struct map *map, uint64_t key);

/** Take the member of that key out and return it, or NULL. */
struct map_member *map_remove(struct map *map, uint64_t key);

/** Take any member out and return it; NULL: empty. For taking all, in linear time. */
struct map_member *map_take_any(struct map *map);

/** Call `visit` for each; it must not change the map. */
void map_visit(const struct map *map, void (*visit)(struct map_member *member, void *argument),
               void *argument);
