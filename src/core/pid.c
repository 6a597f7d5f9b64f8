#include "core/pid.h"

enum { SPECK_ROUNDS = 27 };

static uint32_t rotate_right(uint32_t word, unsigned by)
{
    return word >> by | word << (32 - by);
}

static uint32_t rotate_left(uint32_t word, unsigned by)
{
    return word << by | word >> (32 - by);
}

void pid_source_init_key(struct pid_source *source, const uint32_t key[4])
{
    /* The key schedule runs the round function itself, with the round's number as its key. */
    uint32_t low = key[3];
    uint32_t high[3] = {key[2], key[1], key[0]};
    for (uint32_t round = 0; round < SPECK_ROUNDS; round++) {
        source->round_keys[round] = low;
        uint32_t mixed = (rotate_right(high[round % 3], 8) + low) ^ round;
        low = rotate_left(low, 3) ^ mixed;
        high[round % 3] = mixed;
    }
    atomic_init(&source->next, 1);
}

void pid_source_init(struct pid_source *source, struct env *env)
{
    uint32_t key[4];
    env->random(env, key, sizeof(key));
    pid_source_init_key(source, key);
}

uint64_t pid_reserve(struct pid_source *source, uint64_t count)
{
    return atomic_fetch_add_explicit(&source->next, count, memory_order_relaxed);
}

struct pid pid_at(const struct pid_source *source, uint64_t counter)
{
    uint32_t x = (uint32_t)(counter >> 32);
    uint32_t y = (uint32_t)counter;
    for (unsigned round = 0; round < SPECK_ROUNDS; round++) {
        x = (rotate_right(x, 8) + y) ^ source->round_keys[round];
        y = rotate_left(y, 3) ^ x;
    }
    return (struct pid){.raw = (uint64_t)x << 32 | y};
}

struct pid pid_next(struct pid_source *source)
{
    for (;;) {
        struct pid pid = pid_at(source, pid_reserve(source, 1));
        if (!pid_is_none(pid)) {
            return pid;
        }
    }
}
