/**
 * @file
 * The places of the registry: what stands under one name, tag or group, and the hash tables of them. For
 * core/registry.c alone, which takes the locks.
 *
 * Threads: with the lock of the place's shard, but where a field says otherwise.
 */
#pragma once

#include "base/list.h"
#include "base/lock.h"
#include "core/registry.h"

enum { REGISTRY_SHARDS = 64 };

/* One process under one name, tag or group. */
struct registration {
    struct list link; /* owner of the process only: in its `registrations` */
    struct place *place;
    struct process *process;
    uint64_t serial; /* of its joining: rises with every registration of the registry */
};

/* What a place's list has of a member: rising serials, NULL where one has left. */
struct member {
    uint64_t serial;
    struct registration *registration;
};

/* A name, tag or group that has members, or is reserved. */
struct place {
    struct place *next; /* guarded by the shard, as all that follows but the key */
    uint64_t hash;      /* constant */
    enum registry_kind kind;
    bool reserved;
    struct member *members; /* in order of joining */
    size_t length, capacity;
    size_t gone; /* members that have left and are still on the list */
    size_t namespace_bytes, name_bytes;
    char text[]; /* the namespace, then the name */
};

struct shard {
    _Alignas(64) struct lock lock;
    struct place **buckets; /* guarded by lock; NULL until the first place */
    size_t bucket_count;    /* guarded by lock; a power of two, or 0 */
    size_t count;           /* guarded by lock */
};

bool place_has_key(const struct place *place, enum registry_kind kind,
                   const struct registry_key *key);

/** NULL: nobody is there, and nothing reserved. */
struct place *place_find(const struct shard *shard, uint64_t hash, enum registry_kind kind,
                         const struct registry_key *key);

/** Find a place or make it. NULL: no memory. */
struct place *place_get(struct shard *shard, uint64_t hash, enum registry_kind kind,
                        const struct registry_key *key) MUST_USE;

/** Let go of a place that stands for nothing: without members, and not reserved. */
void place_settle(struct shard *shard, struct place *place);

/** Room for one more member. False: no memory. */
bool place_make_room(struct place *place) MUST_USE;

/** The first member on the list whose serial is `serial` or higher. */
size_t place_search(const struct place *place, uint64_t serial);

/** The member that joined first; there is one. */
const struct registration *place_oldest(const struct place *place);

/** Take a member off the list. */
void place_take_off(struct place *place, const struct registration *registration);

/** Free one, with all else of its shard. */
void place_destroy(struct place *place);
