#include "core/registry_place.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 16, MEMBERS_MIN = 4 };

void place_destroy(struct place *place)
{
    free(place->members);
    free(place);
}

static struct place **bucket_of(const struct shard *shard, uint64_t hash)
{
    return &shard->buckets[hash / REGISTRY_SHARDS & (shard->bucket_count - 1)];
}

bool place_has_key(const struct place *place, enum registry_kind kind,
                   const struct registry_key *key)
{
    return place->kind == kind && place->name_bytes == key->name_bytes &&
           place->namespace_bytes == strlen(key->namespace) &&
           memcmp(place->text, key->namespace, place->namespace_bytes) == 0 &&
           memcmp(place->text + place->namespace_bytes, key->name, key->name_bytes) == 0;
}

struct place *place_find(const struct shard *shard, uint64_t hash, enum registry_kind kind,
                         const struct registry_key *key)
{
    struct place *place = shard->bucket_count == 0 ? NULL : *bucket_of(shard, hash);
    while (place != NULL && !(place->hash == hash && place_has_key(place, kind, key))) {
        place = place->next;
    }
    return place;
}

/* False: no memory, nothing changed. */
static bool shard_resize(struct shard *shard, size_t bucket_count)
{
    struct place **buckets = calloc(bucket_count, sizeof(struct place *));
    if (buckets == NULL) {
        return false;
    }
    struct place **old = shard->buckets;
    size_t old_count = shard->bucket_count;
    shard->buckets = buckets;
    shard->bucket_count = bucket_count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct place *place = old[i], *next; place != NULL; place = next) {
            next = place->next;
            struct place **bucket = bucket_of(shard, place->hash);
            place->next = *bucket;
            *bucket = place;
        }
    }
    free(old);
    return true;
}

struct place *place_get(struct shard *shard, uint64_t hash, enum registry_kind kind,
                        const struct registry_key *key)
{
    struct place *place = place_find(shard, hash, kind, key);
    if (place != NULL) {
        return place;
    }
    if (shard->count >= shard->bucket_count) {
        size_t wanted = shard->bucket_count == 0 ? BUCKETS_MIN : shard->bucket_count * 2;
        if (!shard_resize(shard, wanted) && shard->bucket_count == 0) {
            return NULL;
        }
    }
    size_t namespace_bytes = strlen(key->namespace);
    place = calloc(1, sizeof(*place) + namespace_bytes + key->name_bytes);
    if (place == NULL) {
        return NULL;
    }
    place->hash = hash;
    place->kind = kind;
    place->namespace_bytes = namespace_bytes;
    place->name_bytes = key->name_bytes;
    memcpy(place->text, key->namespace, namespace_bytes);
    memcpy(place->text + namespace_bytes, key->name, key->name_bytes);
    struct place **bucket = bucket_of(shard, hash);
    place->next = *bucket;
    *bucket = place;
    shard->count++;
    return place;
}

void place_settle(struct shard *shard, struct place *place)
{
    if (place->length > place->gone || place->reserved) {
        return;
    }
    struct place **link = bucket_of(shard, place->hash);
    while (*link != place) {
        link = &(*link)->next;
    }
    *link = place->next;
    place_destroy(place);
    shard->count--;
    if (shard->bucket_count > BUCKETS_MIN && shard->count < shard->bucket_count / 8) {
        /* Without memory for the smaller array the larger one stays, which is as good. */
        (void)shard_resize(shard, shard->bucket_count / 2);
    }
}

/* Close the gaps: when there is no room, or when most of the list is gaps. */
static void place_compact(struct place *place)
{
    size_t kept = 0;
    for (size_t i = 0; i < place->length; i++) {
        if (place->members[i].registration != NULL) {
            place->members[kept++] = place->members[i];
        }
    }
    place->length = kept;
    place->gone = 0;
}

bool place_make_room(struct place *place)
{
    if (place->length < place->capacity) {
        return true;
    }
    if (place->gone > place->length / 4) {
        place_compact(place);
        return true;
    }
    size_t wanted = place->capacity == 0 ? (place->kind == REGISTRY_NAME ? 1 : MEMBERS_MIN)
                                         : place->capacity * 2;
    struct member *members = realloc(place->members, wanted * sizeof(*members));
    if (members == NULL) {
        return false;
    }
    place->members = members;
    place->capacity = wanted;
    return true;
}

size_t place_search(const struct place *place, uint64_t serial)
{
    size_t low = 0;
    size_t high = place->length;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (place->members[middle].serial < serial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct registration *place_oldest(const struct place *place)
{
    size_t at = 0;
    while (place->members[at].registration == NULL) {
        at++;
    }
    return place->members[at].registration;
}

void place_take_off(struct place *place, const struct registration *registration)
{
    size_t at = place_search(place, registration->serial);
    INVARIANT(at < place->length && place->members[at].registration == registration);
    place->members[at].registration = NULL;
    place->gone++;
    if (place->gone > MEMBERS_MIN && place->gone > place->length / 2) {
        place_compact(place);
    }
}
