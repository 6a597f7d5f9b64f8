#include "native.h"

#include <sched.h>
#include <stdlib.h>

enum { MS = 1000000 };
static const uint64_t START = 5000000123;

struct alarm_clock {
    struct timer timer;
    uint64_t *now_ns;
    uint64_t due_ns, fired_ns, looked_ns;
    unsigned fired;
};

static void alarm_fire(struct timer *timer)
{
    struct alarm_clock *alarm = CONTAINER_OF(timer, struct alarm_clock, timer);
    alarm->fired++;
    alarm->fired_ns = *alarm->now_ns;
}

static void alarm_start(struct timer_wheel *wheel, struct alarm_clock *alarm, uint64_t *now_ns,
                        uint64_t due_ns)
{
    *alarm = (struct alarm_clock){.now_ns = now_ns, .due_ns = due_ns};
    timer_start(wheel, &alarm->timer, due_ns, alarm_fire);
}

static void a_timer_fires_at_its_time_or_within_a_millisecond_never_earlier(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, START);
    uint64_t now = START;
    struct alarm_clock alarm;
    alarm_start(&wheel, &alarm, &now, START + 5 * MS + 1);
    for (now = START; now <= START + 5 * MS; now += MS / 10) {
        timer_wheel_advance(&wheel, now);
        assert_int_equal(alarm.fired, 0);
    }
    now = START + 6 * MS;
    timer_wheel_advance(&wheel, now);
    assert_int_equal(alarm.fired, 1);
    timer_wheel_advance(&wheel, now + 1000 * (uint64_t)MS);
    assert_int_equal(alarm.fired, 1);
    assert_false(timer_cancel(&alarm.timer));
    timer_wheel_fini(&wheel);
}

static void a_time_that_is_past_fires_at_the_next_look(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, START);
    uint64_t now = START + 100 * MS;
    timer_wheel_advance(&wheel, now);
    struct alarm_clock past, zero;
    alarm_start(&wheel, &past, &now, START + 50 * MS);
    alarm_start(&wheel, &zero, &now, 0);
    assert_true(timer_wheel_next_ns(&wheel) <= now);
    timer_wheel_advance(&wheel, now);
    assert_int_equal(past.fired, 1);
    assert_int_equal(zero.fired, 1);
    timer_wheel_fini(&wheel);
}

static void a_cancelled_timer_does_not_fire(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, START);
    uint64_t now = START;
    struct alarm_clock a, b;
    alarm_start(&wheel, &a, &now, START + 5 * MS);
    alarm_start(&wheel, &b, &now, START + 5 * MS);
    assert_int_equal(atomic_load(&wheel.running), 2);
    assert_true(timer_cancel(&a.timer));
    assert_false(timer_cancel(&a.timer));
    now += 10 * MS;
    timer_wheel_advance(&wheel, now);
    assert_int_equal(a.fired, 0);
    assert_int_equal(b.fired, 1);
    struct timer never = {0};
    assert_false(timer_cancel(&never));
    timer_wheel_fini(&wheel);
}

static void a_timer_can_be_started_again(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, START);
    uint64_t now = START;
    struct alarm_clock alarm;
    alarm_start(&wheel, &alarm, &now, START + 5 * MS);
    timer_cancel(&alarm.timer);
    timer_start(&wheel, &alarm.timer, START + 3 * MS, alarm_fire);
    now += 3 * MS;
    timer_wheel_advance(&wheel, now);
    assert_int_equal(alarm.fired, 1);
    timer_start(&wheel, &alarm.timer, START + 4 * MS, alarm_fire);
    now += MS;
    timer_wheel_advance(&wheel, now);
    assert_int_equal(alarm.fired, 2);
    timer_wheel_fini(&wheel);
}

static void the_next_look_is_never_announced_too_late(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, START);
    uint64_t now = START;
    assert_true(timer_wheel_next_ns(&wheel) == UINT64_MAX);
    /* Look only when told to, and each timer is still in time; with few looks in between. */
    static const uint64_t delays_ms[] = {1,        63,         64,        65,     4095,
                                         4096,     4097,       262144,    300000, 16777216,
                                         86400000, 1073741824, 2000000000};
    for (size_t i = 0; i < ARRAY_LENGTH(delays_ms); i++) {
        struct alarm_clock alarm;
        uint64_t began = now;
        alarm_start(&wheel, &alarm, &now, now + delays_ms[i] * MS);
        unsigned looks = 0;
        while (alarm.fired == 0) {
            uint64_t next = timer_wheel_next_ns(&wheel);
            assert_true(next > now && next != UINT64_MAX);
            now = next;
            timer_wheel_advance(&wheel, now);
            looks++;
        }
        assert_true(now >= alarm.due_ns && now < alarm.due_ns + MS);
        assert_true(looks <= 2 + TIMER_LEVELS);
        assert_true(now - began < (delays_ms[i] + 1) * MS);
        assert_true(timer_wheel_next_ns(&wheel) == UINT64_MAX);
    }
    timer_wheel_fini(&wheel);
}

static uint64_t draw(struct env *env, uint64_t below)
{
    uint64_t number;
    env->random(env, &number, sizeof(number));
    return number % below;
}

enum { ALARMS = 500, ROUNDS = 20000 };

static void any_mixture_of_timers_fires_each_in_time_exactly_once(void **state)
{
    (void)state;
    struct still_env still;
    still_env_init(&still, 11);
    struct env *env = &still.env;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, START);
    uint64_t now = START;
    static struct alarm_clock alarms[ALARMS];
    static bool running[ALARMS];
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = draw(env, ALARMS);
        if (!running[i]) {
            uint64_t span = (uint64_t)1 << draw(env, 44);
            alarm_start(&wheel, &alarms[i], &now, now + draw(env, span));
            alarms[i].looked_ns = now;
            running[i] = true;
        } else if (draw(env, 4) == 0) {
            assert_true(timer_cancel(&alarms[i].timer));
            assert_int_equal(alarms[i].fired, 0);
            running[i] = false;
        }
        if (draw(env, 4) != 0) {
            continue;
        }
        uint64_t before = now;
        now += draw(env, (uint64_t)1 << draw(env, 36));
        timer_wheel_advance(&wheel, now);
        for (size_t k = 0; k < ALARMS; k++) {
            if (running[k] && alarms[k].fired > 0) {
                assert_int_equal(alarms[k].fired, 1);
                assert_true(alarms[k].fired_ns >= alarms[k].due_ns);
                /* It was not due, to the millisecond, at the look before. */
                assert_true(before < alarms[k].due_ns + MS || before == alarms[k].looked_ns);
                running[k] = false;
            } else if (running[k]) {
                assert_true(now < alarms[k].due_ns + MS);
            }
        }
    }
    unsigned left = 0;
    for (size_t k = 0; k < ALARMS; k++) {
        left += running[k];
    }
    assert_int_equal(atomic_load(&wheel.running), left);
    for (size_t k = 0; k < ALARMS; k++) {
        assert_int_equal(timer_cancel(&alarms[k].timer), running[k]);
    }
    assert_true(timer_wheel_next_ns(&wheel) == UINT64_MAX);
    timer_wheel_fini(&wheel);
}

struct race {
    struct timer_wheel wheel;
    atomic_bool done;
    atomic_uint_least64_t now_ns;
};

/* What a callback touches: gone the moment timer_cancel() has returned. */
struct racing {
    struct timer timer;
    unsigned fired;
};

static void racing_fire(struct timer *timer)
{
    sched_yield(); /* Lets the canceller come while this runs. */
    CONTAINER_OF(timer, struct racing, timer)->fired++;
}

static void *advance_until_done(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->done)) {
        timer_wheel_advance(&race->wheel, atomic_fetch_add(&race->now_ns, MS / 4));
    }
    return NULL;
}

static void after_a_cancel_on_another_thread_the_timer_can_be_freed(void **state)
{
    (void)state;
    static struct race race;
    timer_wheel_init(&race.wheel, START);
    atomic_store(&race.now_ns, START);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, advance_until_done, &race), 0);
    unsigned fired = 0;
    unsigned cancelled = 0;
    for (int i = 0; i < 20000; i++) {
        struct racing *racing = calloc(1, sizeof(*racing));
        assert_non_null(racing);
        uint64_t due = atomic_load(&race.now_ns) + (uint64_t)(i % 4) * MS;
        timer_start(&race.wheel, &racing->timer, due, racing_fire);
        if (i % 2 == 0) {
            sched_yield();
        }
        bool in_time = timer_cancel(&racing->timer);
        assert_int_equal(racing->fired, in_time ? 0 : 1);
        fired += racing->fired;
        cancelled += in_time;
        free(racing);
    }
    atomic_store(&race.done, true);
    pthread_join(thread, NULL);
    assert_int_equal(fired + cancelled, 20000);
    timer_wheel_fini(&race.wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_at_its_time_or_within_a_millisecond_never_earlier),
        cmocka_unit_test(a_time_that_is_past_fires_at_the_next_look),
        cmocka_unit_test(a_cancelled_timer_does_not_fire),
        cmocka_unit_test(a_timer_can_be_started_again),
        cmocka_unit_test(the_next_look_is_never_announced_too_late),
        cmocka_unit_test(any_mixture_of_timers_fires_each_in_time_exactly_once),
        cmocka_unit_test(after_a_cancel_on_another_thread_the_timer_can_be_freed),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
