#include "guest/nursery.h"

#include <stdatomic.h>
#include <stdlib.h>

struct nursery {
    atomic_uint holders;   /* any thread */
    atomic_uint children;  /* any thread */
    uint32_t children_max; /* constant */
};

struct nursery *nursery_create(uint32_t children_max)
{
    struct nursery *nursery = malloc(sizeof *nursery);
    if (nursery != NULL) {
        atomic_init(&nursery->holders, 1);
        atomic_init(&nursery->children, 0);
        nursery->children_max = children_max;
    }
    return nursery;
}

struct nursery *nursery_retain(struct nursery *nursery)
{
    atomic_fetch_add_explicit(&nursery->holders, 1, memory_order_relaxed);
    return nursery;
}

void nursery_release(struct nursery *nursery)
{
    /* Release, so that what this holder did comes before the end; acquire, so that whoever frees sees it. */
    if (nursery != NULL &&
        atomic_fetch_sub_explicit(&nursery->holders, 1, memory_order_acq_rel) == 1) {
        free(nursery);
    }
}

bool nursery_enter(struct nursery *nursery)
{
    /* Relaxed: a count. Not above the limit even for a moment: a supervisor and its starter may come together. */
    unsigned children = atomic_load_explicit(&nursery->children, memory_order_relaxed);
    do {
        if (children >= nursery->children_max) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&nursery->children, &children, children + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    (void)nursery_retain(nursery);
    return true;
}

void nursery_leave(struct nursery *nursery)
{
    if (nursery != NULL) {
        atomic_fetch_sub_explicit(&nursery->children, 1, memory_order_relaxed);
        nursery_release(nursery);
    }
}

uint32_t nursery_children(const struct nursery *nursery)
{
    return atomic_load_explicit(&nursery->children, memory_order_relaxed);
}
