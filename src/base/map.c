#include "base/map.h"

#include <stdlib.h>

enum {
    FEW_MAX = 8,       /* members in the one chain that needs no memory */
    BITS_MIN = 4,      /* of the first table */
    PER_BUCKET_MAX = 2 /* members a bucket, on average, before the table doubles */
};

/* Fibonacci hashing (D. Knuth, The Art of Computer Programming, vol. 3, 6.4): a multiplication whose high bits are
 * the bucket, which also spreads keys that count up. */
static size_t bucket_index(const struct map *map, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15U) >> (64 - map->bits));
}

static size_t bucket_count(const struct map *map)
{
    return map->buckets == NULL ? 1 : (size_t)1 << map->bits;
}

static struct map_member *bucket_first(const struct map *map, size_t index)
{
    return map->buckets == NULL ? map->few : map->buckets[index];
}

static struct map_member **chain_of(struct map *map, uint64_t key)
{
    return map->buckets == NULL ? &map->few : &map->buckets[bucket_index(map, key)];
}

static void map_put(struct map *map, struct map_member *member)
{
    struct map_member **chain = chain_of(map, member->key);
    member->next = *chain;
    *chain = member;
}

/* Without memory the table stays as it is, with longer chains. */
static void map_resize(struct map *map, uint32_t bits)
{
    struct map_member **buckets = calloc((size_t)1 << bits, sizeof(struct map_member *));
    if (buckets == NULL) {
        return;
    }
    struct map old = *map;
    map->buckets = buckets;
    map->few = NULL;
    map->bits = bits;
    for (size_t i = 0; i < bucket_count(&old); i++) {
        for (struct map_member *member = bucket_first(&old, i), *next; member != NULL;
             member = next) {
            next = member->next;
            map_put(map, member);
        }
    }
    free(old.buckets);
}

void map_fini(struct map *map)
{
    INVARIANT(map->count == 0);
    free(map->buckets);
    *map = (struct map){.count = 0};
}

void map_insert(struct map *map, struct map_member *member, uint64_t key)
{
    if (map->buckets == NULL && map->count == FEW_MAX) {
        map_resize(map, BITS_MIN);
    } else if (map->buckets != NULL && map->count >= bucket_count(map) * PER_BUCKET_MAX) {
        map_resize(map, map->bits + 1);
    }
    member->key = key;
    map_put(map, member);
    map->count++;
}

struct map_member *map_find(const struct map *map, uint64_t key)
{
    struct map_member *member = bucket_first(map,
                                             map->buckets == NULL ? 0 : bucket_index(map, key));
    while (member != NULL && member->key != key) {
        member = member->next;
    }
    return member;
}

struct map_member *map_remove(struct map *map, uint64_t key)
{
    struct map_member **link = chain_of(map, key);
    while (*link != NULL && (*link)->key != key) {
        link = &(*link)->next;
    }
    struct map_member *member = *link;
    if (member == NULL) {
        return NULL;
    }
    *link = member->next;
    map->count--;
    if (map->count == 0) {
        map_fini(map); /* Whoever had thousands once keeps nothing of it. */
    } else if (map->bits > BITS_MIN && map->count < bucket_count(map) / 8) {
        map_resize(map, map->bits - 1);
    }
    return member;
}

struct map_member *map_take_any(struct map *map)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t buckets = bucket_count(map);
    for (size_t i = 0; i < buckets; i++) {
        size_t index = (map->next_bucket + i) % buckets;
        struct map_member **chain = map->buckets == NULL ? &map->few : &map->buckets[index];
        struct map_member *member = *chain;
        if (member != NULL) {
            *chain = member->next;
            map->next_bucket = (uint32_t)index;
            if (--map->count == 0) {
                map_fini(map);
            }
            return member;
        }
    }
    BUG("a map counts %u members and has none", map->count);
}

void map_visit(const struct map *map, void (*visit)(struct map_member *member, void *argument),
               void *argument)
{
    size_t buckets = bucket_count(map);
    for (size_t i = 0; i < buckets; i++) {
        for (struct map_member *member = bucket_first(map, i), *next; member != NULL;
             member = next) {
            next = member->next;
            visit(member, argument);
        }
    }
}
