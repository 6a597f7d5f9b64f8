#include "serve/rate.h"

#include "base/lock.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define NOBODY UINT16_MAX /* no entry */

enum {
    HEADS = RATE_SHARD_ENTRIES,
    LOOKS_MAX = 8, /* for an entry to take that holds no connections */
};

_Static_assert(RATE_SHARD_ENTRIES < NOBODY, "an entry's index has 16 bits");

/* One address. An unused one has the key 0 and is last in the order of use. */
struct entry {
    uint64_t key;
    uint64_t connections_full_ns, requests_full_ns; /* when each bucket is full again */
    uint32_t connections;
    uint32_t generation;
    uint16_t next;         /* of the same head */
    uint16_t newer, older; /* in the order of use */
};

struct shard {
    _Alignas(64) struct lock lock;
    struct entry *entries;     /* all below: guarded by lock */
    uint16_t heads[HEADS];     /* first entry of each chain */
    uint16_t newest, oldest;   /* of all entries, used or not */
    struct rate_counts counts; /* of what was refused */
};

struct rate {
    struct rate_limits limits; /* constant */
    uint64_t secret[2];        /* constant */
    struct entry *entries;     /* of all shards */
    struct shard shards[RATE_SHARDS];
};

/* ---- Life ---- */

static void shard_init(struct shard *shard, struct entry *entries)
{
    lock_init(&shard->lock, LOCK_RATE);
    shard->entries = entries;
    memset(shard->heads, 0xff, sizeof shard->heads);
    for (unsigned i = 0; i < RATE_SHARD_ENTRIES; i++) {
        entries[i].next = NOBODY;
        entries[i].newer = i == 0 ? NOBODY : (uint16_t)(i - 1);
        entries[i].older = i + 1 == RATE_SHARD_ENTRIES ? NOBODY : (uint16_t)(i + 1);
    }
    shard->newest = 0;
    shard->oldest = RATE_SHARD_ENTRIES - 1;
}

struct rate *rate_create(const struct rate_limits *limits, struct env *env)
{
    struct rate *rate = aligned_alloc(_Alignof(struct rate), sizeof *rate);
    if (rate == NULL) {
        return NULL;
    }
    memset(rate, 0, sizeof *rate);
    rate->entries = calloc((size_t)RATE_SHARDS * RATE_SHARD_ENTRIES, sizeof *rate->entries);
    if (rate->entries == NULL) {
        free(rate);
        return NULL;
    }
    rate->limits = *limits;
    if (rate->limits.requests_burst == 0) {
        rate->limits.requests_burst = limits->requests_per_second;
    }
    env->random(env, rate->secret, sizeof rate->secret);
    for (size_t i = 0; i < RATE_SHARDS; i++) {
        shard_init(&rate->shards[i], &rate->entries[i * RATE_SHARD_ENTRIES]);
    }
    return rate;
}

void rate_destroy(struct rate *rate)
{
    if (rate == NULL) {
        return;
    }
    for (size_t i = 0; i < RATE_SHARDS; i++) {
        lock_fini(&rate->shards[i].lock);
    }
    free(rate->entries);
    free(rate);
}

/* ---- Addresses ---- */

/* IPv4 addresses lie where IPv6 has multicast groups (ff00::/8), which nobody calls from. */
static struct rate_key key_of_v4(const unsigned char bytes[4])
{
    return (struct rate_key){0xffffffff00000000U | (uint64_t)bytes[0] << 24 |
                             (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 8 | bytes[3]};
}

static struct rate_key key_of_v6(const unsigned char bytes[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        return key_of_v4(bytes + sizeof mapped);
    }
    uint64_t prefix = 0;
    for (unsigned i = 0; i < 8; i++) {
        prefix = prefix << 8 | bytes[i];
    }
    /* The prefix of ::1 is 0 itself: one bit more, which no other unicast prefix has alone. */
    return (struct rate_key){prefix == 0 ? 1 : prefix};
}

struct rate_key rate_key_parse(const char *text)
{
    char host[INET6_ADDRSTRLEN];
    const char *from = text, *end = NULL;
    if (*text == '[') {
        from = text + 1;
        end = strchr(from, ']');
        if (end == NULL) {
            return (struct rate_key){0};
        }
    } else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
        end = strchr(text, ':');
    }
    size_t size = end == NULL ? strlen(from) : (size_t)(end - from);
    if (size >= sizeof host) {
        return (struct rate_key){0};
    }
    memcpy(host, from, size);
    host[size] = '\0';
    unsigned char bytes[16];
    if (inet_pton(AF_INET, host, bytes) == 1) {
        return key_of_v4(bytes);
    }
    if (inet_pton(AF_INET6, host, bytes) == 1) {
        return key_of_v6(bytes);
    }
    return (struct rate_key){0};
}

/* ---- The table ---- */

/* Multiplied with a secret, both halves of the product folded (after wyhash by Wang Yi). */
static uint64_t spread(const struct rate *rate, struct rate_key key)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(key.raw ^ rate->secret[0]) * (rate->secret[1] | 1);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void take_out_of_order(struct shard *shard, uint16_t index)
{
    struct entry *entry = &shard->entries[index];
    if (entry->newer != NOBODY) {
        shard->entries[entry->newer].older = entry->older;
    } else {
        shard->newest = entry->older;
    }
    if (entry->older != NOBODY) {
        shard->entries[entry->older].newer = entry->newer;
    } else {
        shard->oldest = entry->newer;
    }
}

static void make_newest(struct shard *shard, uint16_t index)
{
    if (shard->newest == index) {
        return;
    }
    take_out_of_order(shard, index);
    struct entry *entry = &shard->entries[index];
    entry->newer = NOBODY;
    entry->older = shard->newest;
    shard->entries[shard->newest].newer = index;
    shard->newest = index;
}

static uint16_t *head_of(const struct rate *rate, struct shard *shard, uint64_t key)
{
    return &shard->heads[spread(rate, (struct rate_key){key}) / RATE_SHARDS % HEADS];
}

static void forget(const struct rate *rate, struct shard *shard, uint16_t index)
{
    struct entry *entry = &shard->entries[index];
    if (entry->key == 0) {
        return;
    }
    uint16_t *at = head_of(rate, shard, entry->key);
    while (*at != index) {
        INVARIANT(*at != NOBODY);
        at = &shard->entries[*at].next;
    }
    *at = entry->next;
}

/* Who is forgotten for a new address. */
static uint16_t choose(const struct shard *shard)
{
    uint16_t index = shard->oldest;
    for (unsigned i = 0; i < LOOKS_MAX; i++) {
        if (shard->entries[index].connections == 0) {
            return index;
        }
        index = shard->entries[index].newer;
    }
    return shard->oldest;
}

/* The entry of that address, now the newest. */
static struct entry *entry_of(struct rate *rate, struct shard *shard, uint64_t key)
{
    uint16_t *head = head_of(rate, shard, key);
    uint16_t index = *head;
    while (index != NOBODY && shard->entries[index].key != key) {
        index = shard->entries[index].next;
    }
    if (index == NOBODY) {
        index = choose(shard);
        forget(rate, shard, index);
        struct entry *entry = &shard->entries[index];
        *entry = (struct entry){.key = key,
                                .generation = entry->generation + 1,
                                .next = *head,
                                .newer = entry->newer,
                                .older = entry->older};
        *head = index;
    }
    make_newest(shard, index);
    return &shard->entries[index];
}

static struct shard *shard_of(struct rate *rate, struct rate_key key)
{
    return &rate->shards[spread(rate, key) % RATE_SHARDS];
}

/* ---- Buckets ---- */

/* Take a token out of a bucket that will be full at `*full_ns`. 0: there was one; else how long until
 * there is one. */
static uint64_t take_token(uint64_t *full_ns, uint32_t per_second, uint32_t burst, uint64_t now_ns)
{
    uint64_t token_ns = SECOND_NS / per_second;
    uint64_t missing_ns = *full_ns > now_ns ? *full_ns - now_ns : 0;
    uint64_t room_ns = token_ns * (burst > 0 ? burst - 1 : 0);
    if (missing_ns > room_ns) {
        return missing_ns - room_ns;
    }
    *full_ns = now_ns + missing_ns + token_ns;
    return 0;
}

static bool admit(struct rate *rate, struct entry *entry, uint64_t now_ns)
{
    const struct rate_limits *limits = &rate->limits;
    uint32_t per_second = limits->connections_per_second;
    if (limits->connections_max > 0 && entry->connections >= limits->connections_max) {
        return false;
    }
    if (per_second > 0 &&
        take_token(&entry->connections_full_ns, per_second, per_second, now_ns) > 0) {
        return false;
    }
    entry->connections++;
    return true;
}

bool rate_connect(struct rate *rate, struct rate_key key, uint64_t now_ns, struct rate_hold *ret)
{
    *ret = (struct rate_hold){0};
    if (key.raw == 0 ||
        (rate->limits.connections_max == 0 && rate->limits.connections_per_second == 0)) {
        return true;
    }
    struct shard *shard = shard_of(rate, key);
    lock_take(&shard->lock);
    struct entry *entry = entry_of(rate, shard, key.raw);
    bool good = admit(rate, entry, now_ns);
    if (good) {
        ret->place = (uint32_t)(entry - rate->entries) + 1;
        ret->generation = entry->generation;
    } else {
        shard->counts.connections++;
    }
    lock_release(&shard->lock);
    return good;
}

void rate_leave(struct rate *rate, struct rate_hold *hold)
{
    if (hold->place == 0) {
        return;
    }
    struct entry *entry = &rate->entries[hold->place - 1];
    struct shard *shard = &rate->shards[(hold->place - 1) / RATE_SHARD_ENTRIES];
    lock_take(&shard->lock);
    if (entry->generation == hold->generation) {
        INVARIANT(entry->connections > 0);
        entry->connections--;
    }
    lock_release(&shard->lock);
    *hold = (struct rate_hold){0};
}

unsigned rate_request(struct rate *rate, struct rate_key key, uint64_t now_ns)
{
    const struct rate_limits *limits = &rate->limits;
    if (key.raw == 0 || limits->requests_per_second == 0) {
        return 0;
    }
    struct shard *shard = shard_of(rate, key);
    lock_take(&shard->lock);
    struct entry *entry = entry_of(rate, shard, key.raw);
    uint64_t wait_ns = take_token(&entry->requests_full_ns, limits->requests_per_second,
                                  limits->requests_burst, now_ns);
    shard->counts.requests += wait_ns > 0;
    lock_release(&shard->lock);
    return (unsigned)((wait_ns + SECOND_NS - 1) / SECOND_NS);
}

struct rate_counts rate_counts(struct rate *rate)
{
    struct rate_counts sum = {0};
    for (size_t i = 0; i < RATE_SHARDS; i++) {
        struct shard *shard = &rate->shards[i];
        lock_take(&shard->lock);
        sum.connections += shard->counts.connections;
        sum.requests += shard->counts.requests;
        lock_release(&shard->lock);
    }
    return sum;
}
