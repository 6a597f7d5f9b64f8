/* Processes on several workers' threads, and what threads do to each other. */
#include "native.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000, WORKERS = 3 };

struct world {
    struct node *node;
    struct tally tally;
    struct latch latch, ticks;
};

static void count_tick(void *argument)
{
    struct world *world = argument;
    latch_post(&world->ticks);
}

static int world_create_with(void **state, uint32_t max_processes)
{
    struct world *world = calloc(1, sizeof(*world));
    struct err err;
    const struct node_options options = {.workers = WORKERS,
                                         .max_processes = max_processes,
                                         .env = env_system(),
                                         .on_tick = count_tick,
                                         .tick_argument = world};
    world->node = node_create(&options, &err);
    tally_init(&world->tally);
    latch_init(&world->latch);
    latch_init(&world->ticks);
    *state = world;
    return node_start(world->node, &err) ? 0 : -1;
}

static int world_create(void **state)
{
    return world_create_with(state, 0);
}

static int world_create_small(void **state)
{
    return world_create_with(state, 1000);
}

static int world_destroy(void **state)
{
    struct world *world = *state;
    node_stop(world->node);
    struct node_counts counts = node_counts(world->node);
    uint64_t exits = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(counts.exits); i++) {
        exits += counts.exits[i];
    }
    bool clean = counts.processes == 0 && counts.timers == 0 && counts.spawned == exits &&
                 world->tally.exited == exits && world->tally.reclaimed == exits;
    node_destroy(world->node);
    tally_fini(&world->tally);
    latch_fini(&world->latch);
    latch_fini(&world->ticks);
    free(world);
    return clean ? 0 : -1;
}

static struct native *start(struct world *world, native_turn *turn)
{
    return native_start(world->node, NULL, &world->tally, turn);
}

static void a_node_without_workers_or_with_too_many_is_refused(void **state)
{
    (void)state;
    struct err err;
    struct node_options options = {.workers = 0, .env = env_system()};
    assert_null(node_create(&options, &err));
    assert_int_equal(err.code, ERR_INPUT);
    options.workers = WORKERS_MAX + 1;
    assert_null(node_create(&options, &err));
    assert_int_equal(err.code, ERR_INPUT);
}

static void ten_thousand_processes_end_and_leave_the_counts_where_they_were(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 10000; i++) {
        process_release(&start(world, turn_end)->process);
    }
    latch_wait(&world->tally.destroys, 10000);
    struct node_counts counts = node_counts(world->node);
    assert_int_equal(counts.processes, 0);
    assert_int_equal(counts.exits[EXIT_NORMAL], 10000);
    assert_int_equal(counts.timers, 0);
}

enum { ROUND_TRIPS = 20000 };

/* Answers each message with the next number, until that is reached. */
static enum turn turn_ping_pong(struct native *native, struct exit *ret_exit)
{
    struct native *peer = native->argument;
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        uint64_t number = message->label;
        message_destroy(message);
        if (number != native->number) {
            ret_exit->exit_class = EXIT_CRASHED;
            return TURN_ENDED;
        }
        native->number += 2;
        if (peer != NULL && number < ROUND_TRIPS) {
            struct message *answer = message_create(0, number + 1, NULL, 0);
            INVARIANT(answer != NULL);
            if (process_push(&peer->process, &answer->entry) != PUSH_ACCEPTED) {
                message_destroy(answer);
            }
        }
        if (number + 1 >= ROUND_TRIPS) {
            return TURN_ENDED;
        }
    }
    return TURN_PARKED;
}

static void two_processes_on_two_workers_play_ping_pong_by_mailbox(void **state)
{
    struct world *world = *state;
    struct native *ping = native_create(world->node, &world->tally, turn_ping_pong, NULL);
    struct native *pong = native_create(world->node, &world->tally, turn_ping_pong, NULL);
    ping->argument = pong;
    pong->argument = ping;
    pong->number = 1;
    process_retain(&ping->process);
    process_retain(&pong->process);
    struct err err;
    assert_true(process_start(&ping->process, worker_of(world->node, 0), &err));
    assert_true(process_start(&pong->process, worker_of(world->node, 1), &err));
    struct message *first = message_create(0, 0, NULL, 0);
    assert_int_equal(process_push(&ping->process, &first->entry), PUSH_ACCEPTED);
    latch_wait(&world->tally.exits, 2);
    assert_int_equal(node_counts(world->node).exits[EXIT_NORMAL], 2);
    process_release(&ping->process);
    process_release(&pong->process);
}

enum { SENDERS = 4, SENT_EACH = 5000 };

static enum turn turn_collect(struct native *native, struct exit *ret_exit)
{
    uint64_t *next = native->argument;
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        bool in_order = message->label == next[message->sender]++;
        message_destroy(message);
        if (!in_order) {
            ret_exit->exit_class = EXIT_CRASHED;
            return TURN_ENDED;
        }
        native->number++;
    }
    return native->number == SENDERS * SENT_EACH ? TURN_ENDED : TURN_PARKED;
}

struct sender {
    struct process *to;
    uint64_t number;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    for (uint64_t i = 0; i < SENT_EACH; i++) {
        struct message *message = message_create(sender->number, i, NULL, 0);
        INVARIANT(message != NULL);
        enum push_result result = process_push(sender->to, &message->entry);
        INVARIANT(result == PUSH_ACCEPTED);
    }
    return NULL;
}

static void no_wake_is_lost_when_many_threads_send_to_one_process(void **state)
{
    struct world *world = *state;
    uint64_t next[SENDERS] = {0};
    struct native *native = native_create(world->node, &world->tally, turn_collect, NULL);
    native->argument = next;
    process_retain(&native->process);
    struct err err;
    assert_true(process_start(&native->process, NULL, &err));
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    for (uint64_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.to = &native->process, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    latch_wait(&world->tally.exits, 1);
    assert_int_equal(world->tally.last.exit_class, EXIT_NORMAL);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    process_release(&native->process);
}

static enum turn turn_spin_and_tell(struct native *native, struct exit *ret_exit)
{
    if (native->number++ == 0) {
        latch_post(native->argument);
    }
    return turn_spin(native, ret_exit);
}

static void a_spinning_process_is_killed(void **state)
{
    struct world *world = *state;
    struct native *native = native_create(world->node, &world->tally, turn_spin_and_tell, NULL);
    native->argument = &world->latch;
    process_retain(&native->process);
    struct err err;
    assert_true(process_start(&native->process, NULL, &err));
    latch_wait(&world->latch, 1);
    process_stop(&native->process, STOP_KILL, "enough");
    latch_wait(&world->tally.exits, 1);
    assert_int_equal(world->tally.last.exit_class, EXIT_KILLED);
    assert_string_equal(world->tally.last.reason, "enough");
    process_release(&native->process);
}

static void spinners_leave_room_for_others_and_ticks_come(void **state)
{
    struct world *world = *state;
    struct native *spinners[2 * WORKERS];
    for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++) {
        spinners[i] = start(world, turn_spin);
    }
    for (int i = 0; i < 200; i++) {
        process_release(&start(world, turn_end)->process);
        latch_wait(&world->tally.exits, 1);
    }
    latch_wait(&world->ticks, 3);
    for (size_t i = 0; i < ARRAY_LENGTH(spinners); i++) {
        process_stop(&spinners[i]->process, STOP_KILL, NULL);
        process_release(&spinners[i]->process);
    }
    latch_wait(&world->tally.exits, ARRAY_LENGTH(spinners));
}

/* Tells once that it runs somewhere else than where it was put. */
static enum turn turn_spin_until_stolen(struct native *native, struct exit *ret_exit)
{
    if (worker_current() != native->argument) {
        ret_exit->exit_class = EXIT_SHUTDOWN;
        return TURN_ENDED;
    }
    return turn_spin(native, ret_exit);
}

static void idle_workers_steal_from_a_busy_one(void **state)
{
    struct world *world = *state;
    struct worker *first = worker_of(world->node, 0);
    for (int i = 0; i < 5; i++) {
        struct native *native = native_create(world->node, &world->tally, turn_spin_until_stolen,
                                              NULL);
        native->argument = first;
        struct err err;
        assert_true(process_start(&native->process, first, &err));
    }
    /* One alone on its worker is nobody's loot, so four of the five move. */
    latch_wait(&world->tally.exits, 4);
    struct node_counts counts = node_counts(world->node);
    assert_true(counts.steals >= 4);
    assert_true(counts.exits[EXIT_SHUTDOWN] >= 4);
}

static void the_deadline_ends_spinners_and_sleepers(void **state)
{
    struct world *world = *state;
    const struct process_options options = {.kind = "test", .deadline_ns = 30 * MS};
    native_turn *turns[] = {turn_spin, turn_park};
    struct err err;
    for (size_t i = 0; i < 20; i++) {
        struct native *native = native_create(world->node, &world->tally, turns[i % 2], &options);
        assert_true(process_start(&native->process, NULL, &err));
    }
    latch_wait(&world->tally.exits, 20);
    assert_int_equal(node_counts(world->node).exits[EXIT_CRASHED_TIMEOUT], 20);
}

static void the_cpu_budget_ends_a_spinner(void **state)
{
    struct world *world = *state;
    const struct process_options options = {.kind = "test", .cpu_budget_ns = 10 * MS};
    struct native *native = native_create(world->node, &world->tally, turn_spin, &options);
    struct err err;
    assert_true(process_start(&native->process, NULL, &err));
    latch_wait(&world->tally.exits, 1);
    assert_int_equal(world->tally.last.exit_class, EXIT_CRASHED_CPU);
}

static enum turn turn_sleep_a_little(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    uint64_t now = node_now_ns(native->process.node);
    process_wake_at(&native->process, now + (native->number++ % 3) * MS);
    return native->number > 5 ? TURN_ENDED : TURN_PARKED;
}

/* Everything a stranger's thread may do to a process of which it holds a reference. */
struct tormentor {
    struct world *world;
    struct native *natives[64];
    unsigned seed;
    atomic_bool *done;
};

static void *torment(void *argument)
{
    struct tormentor *tormentor = argument;
    unsigned number = tormentor->seed;
    while (!atomic_load(tormentor->done)) {
        number = number * 1103515245U + 12345U;
        struct native *native = tormentor->natives[(number >> 16) % 64];
        switch ((number >> 24) % 4) {
        case 0:
            process_stop(&native->process, STOP_KILL, "tormented");
            break;
        case 1: {
            struct process *found = node_find(tormentor->world->node, native->process.pid);
            if (found != NULL) {
                process_release(found);
            }
            break;
        }
        default:
            process_wake(&native->process);
            break;
        }
    }
    return NULL;
}

static void processes_are_killed_in_whatever_state_they_are(void **state)
{
    struct world *world = *state;
    native_turn *turns[] = {turn_park, turn_spin, turn_end, turn_sleep_a_little};
    struct err err;
    for (unsigned round = 0; round < 30; round++) {
        atomic_bool done = false;
        struct tormentor tormentors[2];
        pthread_t threads[2];
        for (size_t i = 0; i < 64; i++) {
            struct native *native = native_create(world->node, &world->tally, turns[i % 4], NULL);
            tormentors[0].natives[i] = tormentors[1].natives[i] = native;
            process_retain(&native->process);
            assert_true(process_start(&native->process, NULL, &err));
        }
        for (unsigned i = 0; i < 2; i++) {
            tormentors[i].world = world;
            tormentors[i].seed = round * 2 + i;
            tormentors[i].done = &done;
            assert_int_equal(pthread_create(&threads[i], NULL, torment, &tormentors[i]), 0);
        }
        latch_wait(&world->tally.exits, 64);
        atomic_store(&done, true);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        for (size_t i = 0; i < 64; i++) {
            process_release(&tormentors[0].natives[i]->process);
        }
    }
    assert_int_equal(node_counts(world->node).processes, 0);
    assert_int_equal(world->tally.reclaimed, 30 * 64);
    latch_wait(&world->tally.destroys, 30 * 64);
}

static void *start_many(void *argument)
{
    struct world *world = argument;
    struct err err;
    for (int i = 0; i < 3000; i++) {
        struct native *native = native_create(world->node, &world->tally, turn_end, NULL);
        while (!process_start(&native->process, NULL, &err)) {
            INVARIANT(err.code == ERR_LIMIT);
            sched_yield();
        }
    }
    return NULL;
}

static void the_limit_holds_while_many_threads_start_processes(void **state)
{
    struct world *world = *state;
    struct native *parked[990];
    for (size_t i = 0; i < ARRAY_LENGTH(parked); i++) {
        parked[i] = start(world, turn_park);
    }
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, start_many, world), 0);
    }
    latch_wait(&world->tally.exits, 9000);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    /* All that is left can be used, to the last place, wherever it lies. */
    struct native *rest[10];
    for (size_t i = 0; i < ARRAY_LENGTH(rest); i++) {
        rest[i] = start(world, turn_park);
    }
    struct err err;
    struct native *late = native_create(world->node, &world->tally, turn_end, NULL);
    assert_false(process_start(&late->process, NULL, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    process_release(&late->process);
    assert_int_equal(node_counts(world->node).processes, 1000);
    for (size_t i = 0; i < ARRAY_LENGTH(parked); i++) {
        process_release(&parked[i]->process);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(rest); i++) {
        process_release(&rest[i]->process);
    }
}

enum { CHILDREN = 2000 };

static enum turn turn_spawn(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    for (int i = 0; i < CHILDREN; i++) {
        struct native *child = native_create(native->process.node, native->tally, turn_park, NULL);
        struct err err;
        bool started = process_start(&child->process, worker_current(), &err);
        INVARIANT(started);
    }
    return TURN_ENDED;
}

static int compare_pids(const void *a, const void *b)
{
    uint64_t x = ((const struct process_info *)a)->pid.raw;
    uint64_t y = ((const struct process_info *)b)->pid.raw;
    return x < y ? -1 : x > y;
}

static void workers_that_spawn_at_the_same_time_draw_different_pids(void **state)
{
    struct world *world = *state;
    struct err err;
    for (unsigned i = 0; i < WORKERS; i++) {
        struct native *spawner = native_create(world->node, &world->tally, turn_spawn, NULL);
        assert_true(process_start(&spawner->process, worker_of(world->node, i), &err));
    }
    latch_wait(&world->tally.exits, WORKERS);
    static struct process_info infos[WORKERS * CHILDREN + 1];
    size_t count = node_list(world->node, infos, ARRAY_LENGTH(infos));
    assert_int_equal(count, WORKERS * CHILDREN);
    qsort(infos, count, sizeof(infos[0]), compare_pids);
    for (size_t i = 1; i < count; i++) {
        assert_true(infos[i - 1].pid.raw != infos[i].pid.raw);
    }
}

enum { CROWD = 100000 };

static enum turn turn_park_then_end(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    if (native->number++ == 0) {
        latch_post(native->argument);
        return TURN_PARKED;
    }
    return TURN_ENDED;
}

static void a_hundred_thousand_processes_are_parked_found_woken_and_stopped(void **state)
{
    struct world *world = *state;
    struct native **crowd = malloc(CROWD * sizeof(struct native *));
    struct process_info *infos = malloc(CROWD * sizeof(*infos));
    assert_non_null(crowd);
    assert_non_null(infos);
    struct err err;
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = native_create(world->node, &world->tally, turn_park_then_end, NULL);
        crowd[i]->argument = &world->latch;
        process_retain(&crowd[i]->process);
        assert_true(process_start(&crowd[i]->process, NULL, &err));
    }
    latch_wait(&world->latch, CROWD);
    assert_int_equal(node_counts(world->node).processes, CROWD);
    assert_int_equal(node_list(world->node, infos, CROWD), CROWD);
    for (size_t i = 0; i < CROWD; i += 2) {
        struct process *found = node_find(world->node, crowd[i]->process.pid);
        assert_ptr_equal(found, &crowd[i]->process);
        process_wake(found);
        process_release(found);
    }
    latch_wait(&world->tally.exits, CROWD / 2);
    assert_int_equal(node_counts(world->node).processes, CROWD / 2);
    node_stop(world->node);
    assert_int_equal(node_counts(world->node).exits[EXIT_KILLED], CROWD / 2);
    for (size_t i = 0; i < CROWD; i++) {
        process_release(&crowd[i]->process);
    }
    assert_int_equal(world->tally.destroyed, CROWD);
    free(crowd);
    free(infos);
}

struct waker {
    struct process *process;
    atomic_bool *done;
};

static void *wake_until_done(void *argument)
{
    struct waker *waker = argument;
    while (!atomic_load(waker->done)) {
        process_wake(waker->process);
    }
    return NULL;
}

static void a_node_stops_and_goes_while_strangers_still_wake_its_processes(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct err err;
        struct tally tally;
        tally_init(&tally);
        const struct node_options options = {.workers = 2, .env = env_system()};
        struct node *node = node_create(&options, &err);
        assert_non_null(node);
        assert_true(node_start(node, &err));
        struct native *native = native_start(node, NULL, &tally, turn_park);
        atomic_bool done = false;
        struct waker waker = {.process = &native->process, .done = &done};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wake_until_done, &waker), 0);
        while (atomic_load(&tally.turns) < 10) {
            sched_yield();
        }
        node_stop(node);
        node_destroy(node);
        assert_int_equal(tally.exited, 1);
        atomic_store(&done, true);
        pthread_join(thread, NULL);
        process_release(&native->process);
        assert_int_equal(tally.destroyed, 1);
        tally_fini(&tally);
    }
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_without_workers_or_with_too_many_is_refused),
        IN_A_WORLD(ten_thousand_processes_end_and_leave_the_counts_where_they_were),
        IN_A_WORLD(two_processes_on_two_workers_play_ping_pong_by_mailbox),
        IN_A_WORLD(no_wake_is_lost_when_many_threads_send_to_one_process),
        IN_A_WORLD(a_spinning_process_is_killed),
        IN_A_WORLD(spinners_leave_room_for_others_and_ticks_come),
        IN_A_WORLD(idle_workers_steal_from_a_busy_one),
        IN_A_WORLD(the_deadline_ends_spinners_and_sleepers),
        IN_A_WORLD(the_cpu_budget_ends_a_spinner),
        IN_A_WORLD(processes_are_killed_in_whatever_state_they_are),
        cmocka_unit_test_setup_teardown(the_limit_holds_while_many_threads_start_processes,
                                        world_create_small, world_destroy),
        IN_A_WORLD(workers_that_spawn_at_the_same_time_draw_different_pids),
        IN_A_WORLD(a_hundred_thousand_processes_are_parked_found_woken_and_stopped),
        cmocka_unit_test(a_node_stops_and_goes_while_strangers_still_wake_its_processes),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
