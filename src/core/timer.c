#include "core/timer.h"

#include "base/base.h"

enum {
    TICK_NS = 1000000,
    SLOT_BITS = 6,
    FIRE_BATCH = 64, /* callbacks in a row before a canceller gets its chance */
    SLOT_NONE = 255, /* timer->slot of what is in `firing` */
};

static const uint64_t HORIZON_TICKS = (uint64_t)1 << (SLOT_BITS * TIMER_LEVELS);

/* The first tick at which `ns` has come. */
static uint64_t tick_due(const struct timer_wheel *wheel, uint64_t ns)
{
    if (ns <= wheel->origin_ns) {
        return 0;
    }
    uint64_t since = ns - wheel->origin_ns;
    return since / TICK_NS + (since % TICK_NS != 0);
}

static uint64_t tick_ns(const struct timer_wheel *wheel, uint64_t tick)
{
    return wheel->origin_ns + tick * TICK_NS;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns)
{
    lock_init(&wheel->lock, LOCK_TIMERS);
    wheel->origin_ns = now_ns;
    wheel->now_tick = 0;
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned slot = 0; slot < TIMER_SLOTS; slot++) {
            list_init(&wheel->slots[level][slot]);
        }
    }
    list_init(&wheel->firing);
    atomic_init(&wheel->next_ns, UINT64_MAX);
    atomic_init(&wheel->running, 0);
}

void timer_wheel_fini(struct timer_wheel *wheel)
{
    INVARIANT(atomic_load_explicit(&wheel->running, memory_order_relaxed) == 0);
    lock_fini(&wheel->lock);
}

/* Level l holds what is due in less than 64^(l+1) ticks; all of one of its slots is due within the
 * same 64^l ticks, and is placed again, finer, when these begin. */
static void wheel_place(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t due = tick_due(wheel, timer->due_ns);
    if (due <= wheel->now_tick) {
        timer->slot = SLOT_NONE;
        list_append(&wheel->firing, &timer->link);
        return;
    }
    uint64_t after = due - wheel->now_tick;
    if (after >= HORIZON_TICKS) {
        after = HORIZON_TICKS - 1; /* Placed again, as far as it then is, when that is reached. */
        due = wheel->now_tick + after;
    }
    unsigned level = (63U - (unsigned)__builtin_clzll(after)) / SLOT_BITS;
    unsigned slot = (unsigned)(due >> (SLOT_BITS * level)) % TIMER_SLOTS;
    timer->level = (uint8_t)level;
    timer->slot = (uint8_t)slot;
    wheel->occupied[level] |= (uint64_t)1 << slot;
    list_append(&wheel->slots[level][slot], &timer->link);
}

/* The next tick at which a slot in use begins; UINT64_MAX: none. The slots of a level stand for
 * the 64 stretches of time after the current one, so a rotation puts the nearest lowest. */
static uint64_t wheel_next_tick(const struct timer_wheel *wheel)
{
    if (!list_is_empty(&wheel->firing)) {
        return wheel->now_tick;
    }
    uint64_t next = UINT64_MAX;
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        uint64_t occupied = wheel->occupied[level];
        if (occupied == 0) {
            continue;
        }
        uint64_t following = (wheel->now_tick >> (SLOT_BITS * level)) + 1;
        unsigned by = (unsigned)following % TIMER_SLOTS;
        if (by > 0) {
            occupied = occupied >> by | occupied << (TIMER_SLOTS - by);
        }
        uint64_t tick = (following + (unsigned)__builtin_ctzll(occupied)) << (SLOT_BITS * level);
        if (tick < next) {
            next = tick;
        }
    }
    return next;
}

static void wheel_set_next(struct timer_wheel *wheel)
{
    uint64_t next = wheel_next_tick(wheel);
    atomic_store_explicit(&wheel->next_ns, next == UINT64_MAX ? UINT64_MAX : tick_ns(wheel, next),
                          memory_order_relaxed);
}

void timer_start(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ns,
                 void (*fire)(struct timer *timer))
{
    INVARIANT(atomic_load_explicit(&timer->wheel, memory_order_acquire) == NULL);
    timer->due_ns = due_ns;
    timer->fire = fire;
    lock_take(&wheel->lock);
    wheel_place(wheel, timer);
    atomic_store_explicit(&timer->wheel, wheel, memory_order_relaxed);
    atomic_fetch_add_explicit(&wheel->running, 1, memory_order_relaxed);
    /* Only the slot that was just used can be nearer than what was next. */
    uint64_t next = timer->slot == SLOT_NONE ? wheel->now_tick : tick_due(wheel, due_ns);
    if (timer->slot != SLOT_NONE && timer->level > 0) {
        next = next >> (SLOT_BITS * timer->level) << (SLOT_BITS * timer->level);
    }
    if (tick_ns(wheel, next) < atomic_load_explicit(&wheel->next_ns, memory_order_relaxed)) {
        wheel_set_next(wheel);
    }
    lock_release(&wheel->lock);
}

/* Take it off its slot, or off `firing`. */
static void wheel_unlink(struct timer_wheel *wheel, struct timer *timer)
{
    list_remove(&timer->link);
    if (timer->slot != SLOT_NONE && list_is_empty(&wheel->slots[timer->level][timer->slot])) {
        wheel->occupied[timer->level] &= ~((uint64_t)1 << timer->slot);
    }
}

bool timer_cancel(struct timer *timer)
{
    /* Acquire: pairs with the release after the callback; who sees NULL sees what it did. */
    struct timer_wheel *wheel = atomic_load_explicit(&timer->wheel, memory_order_acquire);
    if (wheel == NULL) {
        return false;
    }
    lock_take(&wheel->lock);
    /* It may have fired while we waited for the lock. */
    bool running = atomic_load_explicit(&timer->wheel, memory_order_relaxed) == wheel;
    if (running) {
        wheel_unlink(wheel, timer);
        atomic_store_explicit(&timer->wheel, NULL, memory_order_relaxed);
        atomic_fetch_sub_explicit(&wheel->running, 1, memory_order_relaxed);
    }
    lock_release(&wheel->lock);
    return running;
}

static void wheel_fire(struct timer_wheel *wheel)
{
    unsigned fired = 0;
    while (!list_is_empty(&wheel->firing)) {
        struct timer *timer = CONTAINER_OF(list_take_first(&wheel->firing), struct timer, link);
        timer->fire(timer);
        atomic_fetch_sub_explicit(&wheel->running, 1, memory_order_relaxed);
        /* Only now, and last: a canceller that still sees the wheel waits for the lock, one that
         * sees NULL may free the timer at once. */
        atomic_store_explicit(&timer->wheel, NULL, memory_order_release);
        if (++fired % FIRE_BATCH == 0) {
            lock_release(&wheel->lock);
            lock_take(&wheel->lock);
        }
    }
}

/* Go to `tick`, where at least one slot in use begins. */
static void wheel_turn(struct timer_wheel *wheel, uint64_t tick)
{
    wheel->now_tick = tick;
    for (unsigned level = TIMER_LEVELS; level-- > 0;) {
        unsigned shift = SLOT_BITS * level;
        unsigned slot = (unsigned)(tick >> shift) % TIMER_SLOTS;
        uint64_t bit = (uint64_t)1 << slot;
        if (tick % ((uint64_t)1 << shift) != 0 || (wheel->occupied[level] & bit) == 0) {
            continue;
        }
        struct list due;
        list_init(&due);
        list_splice(&due, &wheel->slots[level][slot]);
        wheel->occupied[level] &= ~bit;
        while (!list_is_empty(&due)) {
            wheel_place(wheel, CONTAINER_OF(list_take_first(&due), struct timer, link));
        }
    }
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ns)
{
    uint64_t target = now_ns < wheel->origin_ns ? 0 : (now_ns - wheel->origin_ns) / TICK_NS;
    /* An idle wheel is moved on now and then, so that new timers are placed by a current time. */
    if (now_ns < atomic_load_explicit(&wheel->next_ns, memory_order_relaxed) &&
        target < wheel->now_tick + TIMER_SLOTS) {
        return;
    }
    lock_take(&wheel->lock);
    wheel_fire(wheel);
    for (;;) {
        uint64_t next = wheel_next_tick(wheel);
        if (next > target) {
            break;
        }
        wheel_turn(wheel, next);
        wheel_fire(wheel);
    }
    if (target > wheel->now_tick) {
        wheel->now_tick = target;
    }
    wheel_set_next(wheel);
    lock_release(&wheel->lock);
}

uint64_t timer_wheel_next_ns(struct timer_wheel *wheel)
{
    if (atomic_load_explicit(&wheel->running, memory_order_relaxed) == 0) {
        return UINT64_MAX;
    }
    return atomic_load_explicit(&wheel->next_ns, memory_order_relaxed);
}
