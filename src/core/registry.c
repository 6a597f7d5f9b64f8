#include "core/registry.h"

#include "core/node.h"
#include "core/registry_place.h"

#include <stdlib.h>
#include <string.h>

enum { PUBLISH_BATCH = 64 /* members that are retained under the lock at once */ };

struct registry {
    uint64_t key[2];              /* constant: of the hash */
    atomic_uint_least64_t serial; /* any thread: the last one given */
    struct shard shards[REGISTRY_SHARDS];
};

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

/* Bytes in words of eight, the last one filled up with zeros. */
static void sip_bytes(uint64_t v[4], const char *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, size - at < sizeof(word) ? size - at : sizeof(word));
        sip_word(v, word);
    }
}

/* SipHash-1-3 (J.-P. Aumasson, D. Bernstein, 2012) of kind, lengths and both texts: guests choose names, and must not
 * be able to choose a hash. */
static uint64_t registry_hash(const struct registry *registry, enum registry_kind kind,
                              const struct registry_key *key)
{
    size_t namespace_bytes = strlen(key->namespace);
    uint64_t v[4] = {registry->key[0] ^ 0x736f6d6570736575U, registry->key[1] ^ 0x646f72616e646f6dU,
                     registry->key[0] ^ 0x6c7967656e657261U,
                     registry->key[1] ^ 0x7465646279746573U};
    sip_word(v, (uint64_t)kind << 60 ^ (uint64_t)namespace_bytes << 30 ^ key->name_bytes);
    sip_bytes(v, key->namespace, namespace_bytes);
    sip_bytes(v, key->name, key->name_bytes);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 3; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct registry *registry_create(struct err *err)
{
    struct registry *registry = aligned_alloc(_Alignof(struct registry), sizeof(*registry));
    if (registry == NULL) {
        err_set_memory(err);
        return NULL;
    }
    memset(registry, 0, sizeof(*registry));
    struct env *env = env_system();
    env->random(env, registry->key, sizeof(registry->key));
    atomic_init(&registry->serial, 0);
    for (unsigned i = 0; i < REGISTRY_SHARDS; i++) {
        lock_init(&registry->shards[i].lock, LOCK_REGISTRY);
    }
    return registry;
}

void registry_destroy(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (unsigned i = 0; i < REGISTRY_SHARDS; i++) {
        struct shard *shard = &registry->shards[i];
        for (size_t b = 0; b < shard->bucket_count; b++) {
            for (struct place *place = shard->buckets[b], *next; place != NULL; place = next) {
                next = place->next;
                INVARIANT(place->length == place->gone);
                place_destroy(place);
            }
        }
        free(shard->buckets);
        lock_fini(&shard->lock);
    }
    free(registry);
}

static struct shard *shard_of(struct registry *registry, uint64_t hash)
{
    return &registry->shards[hash % REGISTRY_SHARDS];
}

static bool key_check(const struct registry_key *key, struct err *err)
{
    if (key->name_bytes == 0) {
        return err_set(err, ERR_INPUT, "a name may not be empty");
    }
    if (key->name_bytes > REGISTRY_NAME_BYTES_MAX) {
        return err_set(err, ERR_INPUT, "a name may have %d bytes, not %zu", REGISTRY_NAME_BYTES_MAX,
                       key->name_bytes);
    }
    if (memchr(key->name, '\0', key->name_bytes) != NULL) {
        return err_set(err, ERR_INPUT, "a name may not hold a zero byte");
    }
    return true;
}

static const char *kind_name(enum registry_kind kind)
{
    switch (kind) {
    case REGISTRY_NAME:
        return "name";
    case REGISTRY_TAG:
        return "tag";
    case REGISTRY_GROUP:
        return "group";
    }
    BUG("kind %d", (int)kind);
}

/* With the shard's lock: whether `process` may come to the place, or is there already (`*ret_there`). */
static bool place_admit(const struct place *place, const struct process *process, bool platform,
                        bool *ret_there, struct pid *ret_holder, struct err *err)
{
    *ret_there = false;
    if (place == NULL) {
        return true;
    }
    if (place->length > place->gone && place->kind == REGISTRY_NAME) {
        if (ret_holder != NULL) {
            *ret_holder = place_oldest(place)->process->pid;
        }
        return err_set(err, ERR_EXISTS, "the name is taken");
    }
    if (place->reserved && !platform) {
        return err_set(err, ERR_DENIED, "the name is reserved by the manifest");
    }
    for (struct list *at = process->registrations.next; at != &process->registrations;
         at = at->next) {
        if (CONTAINER_OF(at, struct registration, link)->place == place) {
            *ret_there = true;
            return true;
        }
    }
    return true;
}

/* With the shard's lock. False: no memory. */
static bool shard_register(struct registry *registry, struct shard *shard, uint64_t hash,
                           enum registry_kind kind, const struct registry_key *key,
                           struct registration *registration)
{
    struct place *place = place_get(shard, hash, kind, key);
    if (place == NULL) {
        return false;
    }
    if (!place_make_room(place)) {
        place_settle(shard, place);
        return false;
    }
    /* Under the lock, so that serials rise along each list. */
    registration->serial = atomic_fetch_add_explicit(&registry->serial, 1, memory_order_relaxed) +
                           1;
    registration->place = place;
    place->members[place->length++] = (struct member){.serial = registration->serial,
                                                      .registration = registration};
    return true;
}

bool registry_add(struct registry *registry, struct process *process, enum registry_kind kind,
                  const struct registry_key *key, bool platform, struct pid *ret_holder,
                  struct err *err)
{
    if (!key_check(key, err)) {
        return false;
    }
    struct registration *registration = malloc(sizeof(*registration));
    if (registration == NULL) {
        return err_set_memory(err);
    }
    *registration = (struct registration){.process = process};
    list_init(&registration->link);
    uint32_t most = process->quotas == NULL ? 0 : process->quotas->registered_max[kind];
    uint64_t hash = registry_hash(registry, kind, key);
    struct shard *shard = shard_of(registry, hash);
    bool there;
    lock_take(&shard->lock);
    bool done = place_admit(place_find(shard, hash, kind, key), process, platform, &there,
                            ret_holder, err);
    if (done && !there && !platform && process->registered[kind] >= most) {
        done = err_set(err, ERR_LIMIT, "a process may have %u %ss", (unsigned)most,
                       kind_name(kind));
    }
    if (done && !there && !shard_register(registry, shard, hash, kind, key, registration)) {
        done = err_set_memory(err);
    }
    lock_release(&shard->lock);
    if (!done || there) {
        free(registration);
        return done;
    }
    list_append(&process->registrations, &registration->link);
    process->registered[kind]++;
    return true;
}

/* Owner of the process: end one of its registrations. */
static void registration_end(struct registry *registry, struct registration *registration)
{
    struct place *place = registration->place;
    struct shard *shard = shard_of(registry, place->hash);
    registration->process->registered[place->kind]--;
    lock_take(&shard->lock);
    place_take_off(place, registration);
    place_settle(shard, place);
    lock_release(&shard->lock);
    list_remove(&registration->link);
    free(registration);
}

bool registry_remove(struct registry *registry, struct process *process, enum registry_kind kind,
                     const struct registry_key *key)
{
    /* Its own places stand as long as it is there: their keys need no lock. */
    for (struct list *at = process->registrations.next; at != &process->registrations;
         at = at->next) {
        struct registration *registration = CONTAINER_OF(at, struct registration, link);
        if (place_has_key(registration->place, kind, key)) {
            registration_end(registry, registration);
            return true;
        }
    }
    return false;
}

void registry_visit_own(const struct process *process, enum registry_kind kind,
                        registry_visitor *visit, void *argument)
{
    for (struct list *at = process->registrations.next; at != &process->registrations;
         at = at->next) {
        const struct place *place = CONTAINER_OF(at, struct registration, link)->place;
        if (place->kind == kind) {
            struct registry_key key = {.namespace = process->namespace,
                                       .name = place->text + place->namespace_bytes,
                                       .name_bytes = place->name_bytes};
            visit(argument, &key, process->pid);
        }
    }
}

void registry_leave(struct registry *registry, struct process *process)
{
    while (!list_is_empty(&process->registrations)) {
        struct list *first = process->registrations.next;
        registration_end(registry, CONTAINER_OF(first, struct registration, link));
    }
}

bool registry_reserve(struct registry *registry, const struct registry_key *key, struct err *err)
{
    if (!key_check(key, err)) {
        return false;
    }
    uint64_t hash = registry_hash(registry, REGISTRY_NAME, key);
    struct shard *shard = shard_of(registry, hash);
    lock_take(&shard->lock);
    struct place *place = place_get(shard, hash, REGISTRY_NAME, key);
    bool taken = place != NULL && (place->reserved || place->length > place->gone);
    if (place != NULL && !taken) {
        place->reserved = true;
    }
    lock_release(&shard->lock);
    if (place == NULL) {
        return err_set_memory(err);
    }
    return !taken ||
           err_set(err, ERR_EXISTS, "the name '%.*s' is taken", (int)key->name_bytes, key->name);
}

struct pid registry_whereis(struct registry *registry, const struct registry_key *key)
{
    struct pid pid = {0};
    (void)registry_members(registry, REGISTRY_NAME, key, &pid, 1);
    return pid;
}

static void place_visit(const struct place *place, registry_visitor *visit, void *argument)
{
    struct registry_key key = {.name = place->text + place->namespace_bytes,
                               .name_bytes = place->name_bytes};
    for (size_t i = 0; i < place->length; i++) {
        if (place->members[i].registration != NULL) {
            visit(argument, &key, place->members[i].registration->process->pid);
        }
    }
}

void registry_visit(struct registry *registry, enum registry_kind kind, registry_visitor *visit,
                    void *argument)
{
    for (unsigned i = 0; i < REGISTRY_SHARDS; i++) {
        struct shard *shard = &registry->shards[i];
        lock_take(&shard->lock);
        for (size_t b = 0; b < shard->bucket_count; b++) {
            for (struct place *place = shard->buckets[b]; place != NULL; place = place->next) {
                if (place->kind == kind) {
                    place_visit(place, visit, argument);
                }
            }
        }
        lock_release(&shard->lock);
    }
}

size_t registry_members(struct registry *registry, enum registry_kind kind,
                        const struct registry_key *key, struct pid *ret, size_t max)
{
    uint64_t hash = registry_hash(registry, kind, key);
    struct shard *shard = shard_of(registry, hash);
    lock_take(&shard->lock);
    const struct place *place = place_find(shard, hash, kind, key);
    size_t length = place == NULL ? 0 : place->length;
    size_t copied = 0;
    for (size_t i = 0; i < length && copied < max; i++) {
        if (place->members[i].registration != NULL) {
            ret[copied++] = place->members[i].registration->process->pid;
        }
    }
    size_t all = place == NULL ? 0 : place->length - place->gone;
    lock_release(&shard->lock);
    return all;
}

/* The next members of a publication, with a reference each; 0: there are none. */
static size_t publishing_take(struct registry *registry, uint64_t hash,
                              const struct registry_key *key, struct publishing *publishing,
                              struct process **ret, size_t max)
{
    struct shard *shard = shard_of(registry, hash);
    lock_take(&shard->lock);
    const struct place *place = place_find(shard, hash, REGISTRY_GROUP, key);
    size_t taken = 0;
    if (place != NULL) {
        for (size_t i = place_search(place, publishing->position + 1);
             i < place->length && taken < max && place->members[i].serial <= publishing->end; i++) {
            if (place->members[i].registration != NULL) {
                /* It leaves before the node drops its reference: the count is at least one here. */
                ret[taken] = place->members[i].registration->process;
                process_retain(ret[taken++]);
                publishing->position = place->members[i].serial;
            }
        }
    }
    lock_release(&shard->lock);
    return taken;
}

bool registry_publish(struct registry *registry, struct node *node, const struct registry_key *key,
                      uint64_t sender, uint64_t label, struct payload *payload, unsigned most,
                      struct publishing *publishing)
{
    (void)node;
    if (publishing->end == 0) {
        publishing->end = atomic_load_explicit(&registry->serial, memory_order_relaxed);
    }
    uint64_t hash = registry_hash(registry, REGISTRY_GROUP, key);
    while (most > 0) {
        struct process *batch[PUBLISH_BATCH];
        size_t wanted = most < PUBLISH_BATCH ? most : PUBLISH_BATCH;
        size_t count = publishing_take(registry, hash, key, publishing, batch, wanted);
        for (size_t i = 0; i < count; i++) {
            struct message *message = message_create_shared(sender, label, payload);
            if (message != NULL && process_push(batch[i], &message->entry) == PUSH_ACCEPTED) {
                publishing->sum.reached++;
            } else {
                publishing->sum.skipped++;
                message_destroy(message);
            }
            process_release(batch[i]);
        }
        if (count < wanted) {
            return true;
        }
        most -= (unsigned)count;
    }
    return false;
}
