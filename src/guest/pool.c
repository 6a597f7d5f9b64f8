#include "guest/pool.h"

#include "base/log.h"

#include <stdlib.h>

/* One engine with its own cache line for the count that every spawn and exit touches. */
struct seat {
    _Alignas(64) atomic_uint in_use; /* any thread */
    uint32_t fibers;                 /* constant after create */
    struct engine *engine;           /* constant after create */
};

struct pool {
    unsigned workers;
    uint32_t stack_bytes;
    bool fresh; /* constant: no spares */
    struct capacity_limits limits;
    struct capacity_plan plan;
    struct capacity_need
        needs[POOL_CLASSES];          /* constant after create: at least 1 each where used */
    struct seat *seats[POOL_CLASSES]; /* an array of `workers`, or NULL */
};

enum { TABLE_ELEMENTS = 20000 };

static struct engine *engine_of_class(const struct pool *pool, enum pool_class cls,
                                      const struct capacity_need *need, uint32_t fibers,
                                      struct err *err)
{
    bool small = cls == POOL_SMALL;
    /* capacity_plan() refused everything larger. */
    _Static_assert((uint64_t)CAPACITY_FIBERS_MAX * CAPACITY_PARTS_MAX <= UINT32_MAX,
                   "the products below fit");
    INVARIANT(fibers <= CAPACITY_FIBERS_MAX && need->core_instances <= CAPACITY_PARTS_MAX &&
              need->memories <= CAPACITY_PARTS_MAX && need->tables <= CAPACITY_PARTS_MAX);
    struct engine_options options = {
        .fibers = fibers,
        .core_instances = fibers * need->core_instances,
        .component_instances = fibers,
        .memories = fibers * need->memories,
        .tables = fibers * need->tables,
        .memory_reservation_bytes = small ? CAPACITY_SMALL_RESERVATION : CAPACITY_LARGE_RESERVATION,
        .memory_keep_bytes = small ? CAPACITY_SMALL_INITIAL_MAX : UINT64_C(16) << 20,
        .table_keep_bytes = UINT64_C(64) << 10,
        .table_elements = TABLE_ELEMENTS,
        .stack_bytes = small || pool->stack_bytes > POOL_LARGE_STACK_BYTES ? pool->stack_bytes
                                                                           : POOL_LARGE_STACK_BYTES,
        .pagemap_scan = !small,
        .spares = small && !pool->fresh ? CAPACITY_SPARES : 0,
    };
    return engine_create(&options, err);
}

struct engine *pool_compiling_engine(enum pool_class cls, struct err *err)
{
    const struct pool pool = {.stack_bytes = POOL_STACK_BYTES};
    const struct capacity_need need = {
        .used = true, .memories = 1, .tables = 1, .core_instances = 1};
    return engine_of_class(&pool, cls, &need, 1, err);
}

/* The limits may be in use by others, or not what they say: then fewer is better than none. */
static bool create_class(struct pool *pool, enum pool_class cls, const struct capacity_need *need,
                         struct err *err)
{
    struct seat *seats = aligned_alloc(64, sizeof(struct seat) * pool->workers);
    if (seats == NULL) {
        return err_set_memory(err);
    }
    pool->seats[cls] = seats;
    for (unsigned i = 0; i < pool->workers; i++) {
        seats[i].engine = NULL;
        atomic_init(&seats[i].in_use, 0);
    }
    uint32_t fibers = pool->plan.fibers[cls];
    for (unsigned i = 0; i < pool->workers; i++) {
        while ((seats[i].engine = engine_of_class(pool, cls, need, fibers, err)) == NULL) {
            if (fibers / 2 < CAPACITY_FIBERS_MIN) {
                return err_wrap(err, "pool of %u processes", (unsigned)fibers);
            }
            log_printf(LOG_WARN, "pool of %u processes refused (%s): trying %u", (unsigned)fibers,
                       err->text, (unsigned)(fibers / 2));
            fibers /= 2;
        }
        seats[i].fibers = fibers;
    }
    return true;
}

struct pool *pool_create(const struct pool_options *options, struct err *err)
{
    const struct capacity_need *needs = options->needs;
    unsigned workers = options->workers;
    AUTO(pool_destroyp) struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        err_set_memory(err);
        return NULL;
    }
    pool->workers = workers;
    pool->fresh = options->fresh;
    pool->stack_bytes = options->stack_bytes != 0 ? options->stack_bytes : POOL_STACK_BYTES;
    capacity_read_limits(&pool->limits);
    if (!capacity_plan(&pool->limits, needs, workers, options->max_processes, &pool->plan, err)) {
        return NULL;
    }
    uint64_t total = 0;
    for (enum pool_class cls = 0; cls < POOL_CLASSES; cls++) {
        if (!needs[cls].used) {
            continue;
        }
        if (!create_class(pool, cls, &needs[cls], err)) {
            return NULL;
        }
        pool->needs[cls] = needs[cls];
        for (unsigned i = 0; i < workers; i++) {
            total += pool->seats[cls][i].fibers;
        }
    }
    if (total < pool->plan.processes) {
        pool->plan.processes = (uint32_t)total;
        pool->plan.limited_by = "what the system gave";
    }
    return TAKE(pool);
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (enum pool_class cls = 0; cls < POOL_CLASSES; cls++) {
        for (unsigned i = 0; pool->seats[cls] != NULL && i < pool->workers; i++) {
            engine_destroy(pool->seats[cls][i].engine);
        }
        free(pool->seats[cls]);
    }
    free(pool);
}

void pool_tick(void *pool_argument)
{
    struct pool *pool = pool_argument;
    for (enum pool_class cls = 0; cls < POOL_CLASSES; cls++) {
        for (unsigned i = 0; pool->seats[cls] != NULL && i < pool->workers; i++) {
            engine_tick(pool->seats[cls][i].engine);
        }
    }
}

struct engine *pool_engine(const struct pool *pool, unsigned worker, enum pool_class cls)
{
    return pool->seats[cls] == NULL ? NULL : pool->seats[cls][worker].engine;
}

bool pool_admits(const struct pool *pool, enum pool_class cls, const struct capacity_need *need,
                 struct err *err)
{
    const struct capacity_need *planned = &pool->needs[cls];
    if (!planned->used) {
        return err_set(err, ERR_LIMIT,
                       "its memory begins with, or may grow to, %s than any at this node's start; "
                       "`mote reload` takes it",
                       cls == POOL_LARGE ? "more" : "less");
    }
    if (need->memories > planned->memories || need->tables > planned->tables ||
        need->core_instances > planned->core_instances) {
        return err_set(err, ERR_LIMIT,
                       "an instance takes %u memories, %u tables and %u core instances, more than "
                       "any at this node's start; `mote reload` takes it",
                       (unsigned)need->memories, (unsigned)need->tables,
                       (unsigned)need->core_instances);
    }
    return true;
}

unsigned pool_workers(const struct pool *pool)
{
    return pool->workers;
}

const struct capacity_plan *pool_plan(const struct pool *pool)
{
    return &pool->plan;
}

const struct capacity_limits *pool_limits(const struct pool *pool)
{
    return &pool->limits;
}

static bool seat_take(struct seat *seat)
{
    /* Relaxed: a count; what it guards is inside the engine, which has its own locks. */
    if (atomic_fetch_add_explicit(&seat->in_use, 1, memory_order_relaxed) < seat->fibers) {
        return true;
    }
    atomic_fetch_sub_explicit(&seat->in_use, 1, memory_order_relaxed);
    return false;
}

bool pool_take(struct pool *pool, enum pool_class cls, unsigned worker, unsigned *ret_worker)
{
    struct seat *seats = pool->seats[cls];
    *ret_worker = worker;
    if (LIKELY(seat_take(&seats[worker]))) {
        return true;
    }
    for (unsigned tries = 0; tries < pool->workers; tries++) {
        unsigned best = 0;
        uint32_t room = 0;
        for (unsigned i = 0; i < pool->workers; i++) {
            unsigned used = atomic_load_explicit(&seats[i].in_use, memory_order_relaxed);
            if (used < seats[i].fibers && seats[i].fibers - used > room) {
                best = i;
                room = seats[i].fibers - used;
            }
        }
        if (room == 0) {
            return false;
        }
        if (seat_take(&seats[best])) {
            *ret_worker = best;
            return true;
        }
    }
    return false;
}

void pool_give(struct pool *pool, enum pool_class cls, unsigned worker)
{
    atomic_fetch_sub_explicit(&pool->seats[cls][worker].in_use, 1, memory_order_relaxed);
}

uint64_t pool_in_use(const struct pool *pool)
{
    uint64_t sum = 0;
    for (enum pool_class cls = 0; cls < POOL_CLASSES; cls++) {
        for (unsigned i = 0; pool->seats[cls] != NULL && i < pool->workers; i++) {
            sum += atomic_load_explicit(&pool->seats[cls][i].in_use, memory_order_relaxed);
        }
    }
    return sum;
}

struct engine_usage pool_usage(const struct pool *pool)
{
    struct engine_usage sum = {0};
    for (enum pool_class cls = 0; cls < POOL_CLASSES; cls++) {
        for (unsigned i = 0; pool->seats[cls] != NULL && i < pool->workers; i++) {
            struct engine_usage one = engine_usage(pool->seats[cls][i].engine);
            sum.core_instances += one.core_instances;
            sum.component_instances += one.component_instances;
            sum.memories += one.memories;
            sum.tables += one.tables;
            sum.stacks += one.stacks;
            sum.spares += one.spares;
        }
    }
    return sum;
}
