/**
 * @file
 * The engines of a node: one per worker and pool class in use, and who has room.
 *
 * Life:    pool_create() once the components' needs are known -> used -> pool_destroy() after the
 *          last process and component.
 * Threads: taking and giving back: any; the rest constant.
 */
#pragma once

#include "core/node.h"
#include "engine/engine.h"
#include "guest/capacity.h"

struct pool;

struct pool_options {
    unsigned workers;
    const struct capacity_need *needs; /**< POOL_CLASSES of them; borrowed for the call. */
    uint32_t max_processes;            /**< 0: as many as the limits in force allow. */
    uint32_t stack_bytes;              /**< Of a fiber; 0: POOL_STACK_BYTES. More for the large. */
    bool fresh; /**< Never use an instance again (engine.h, `spares`): to measure what one costs. */
};

enum { POOL_STACK_BYTES = 128 * 1024 };

/** Of the class of large memories, at least: address space only, and interpreters call deep. */
enum { POOL_LARGE_STACK_BYTES = 4 << 20 };

/** Create the engines. Smaller ones, with a warning, when the system refuses the planned size.
 *  NULL: ERR_LIMIT with the remedy. */
struct pool *pool_create(const struct pool_options *options, struct err *err) MUST_USE;
void pool_destroy(struct pool *pool);
DEFINE_AUTO_DESTROY(pool)

/** Advance every engine's epoch: the node's on_tick. Any thread. */
void pool_tick(void *pool_argument);

/** An engine with room for one fiber, of the settings that those of a class have: what it compiles runs in theirs. The caller's. */
struct engine *pool_compiling_engine(enum pool_class cls, struct err *err) MUST_USE;

/** NULL when the class is not in use. */
struct engine *pool_engine(const struct pool *pool, unsigned worker, enum pool_class cls);
unsigned pool_workers(const struct pool *pool);

/** Whether instances that take so much were planned for. False: ERR_LIMIT: they were not; a new node would. */
bool pool_admits(const struct pool *pool, enum pool_class cls, const struct capacity_need *need,
                 struct err *err) MUST_USE;

/** What was decided, for the start-up line and `stats`. */
const struct capacity_plan *pool_plan(const struct pool *pool);
const struct capacity_limits *pool_limits(const struct pool *pool);

/** Reserve room for one fiber, in `worker`'s engine if it has some, else in the one with most. False:
 *  all are full. `*ret_worker` says which. */
bool pool_take(struct pool *pool, enum pool_class cls, unsigned worker, unsigned *ret_worker)
    MUST_USE;
void pool_give(struct pool *pool, enum pool_class cls, unsigned worker);

/** Room reserved now, over all. */
uint64_t pool_in_use(const struct pool *pool);

/** What the engines say that they have handed out, summed. */
struct engine_usage pool_usage(const struct pool *pool);
