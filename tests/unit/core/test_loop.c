/* A worker's thread with descriptors: each test works on the loop's own thread by loop_call(). */
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct world {
    struct node *node;
    struct loop *loop;
    struct latch latch;
    struct tally tally;
    struct task task;
};

static int world_create(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct err err;
    const struct node_options options = {.workers = 1, .env = env_system()};
    world->node = node_create(&options, &err);
    world->loop = node_loop(world->node, 0);
    latch_init(&world->latch);
    tally_init(&world->tally);
    *state = world;
    return node_start(world->node, &err) ? 0 : -1;
}

static int world_destroy(void **state)
{
    struct world *world = *state;
    node_stop(world->node);
    node_destroy(world->node);
    latch_fini(&world->latch);
    tally_fini(&world->tally);
    free(world);
    return 0;
}

struct line {
    struct source source;
    struct world *world;
    struct line *victim; /* removed and closed when this one is ready */
    int other;           /* the descriptor at the far end */
    unsigned ready;
    uint32_t events;
};

static void line_open(struct line *line, struct world *world,
                      void (*ready)(struct source *, uint32_t))
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *line =
        (struct line){.source = {.fd = fds[0], .ready = ready}, .world = world, .other = fds[1]};
}

static void line_close(struct line *line)
{
    close(line->source.fd);
    close(line->other);
}

static void line_ready(struct source *source, uint32_t events)
{
    struct line *line = CONTAINER_OF(source, struct line, source);
    char data[16];
    ssize_t got = read(source->fd, data, sizeof(data));
    INVARIANT(got >= 0 || errno == EAGAIN);
    line->ready++;
    line->events = events;
    latch_post(&line->world->latch);
}

static void line_add(struct loop *loop, void *argument)
{
    struct line *line = argument;
    struct err err;
    INVARIANT(loop_add(loop, &line->source, EPOLLIN, &err));
}

static void line_remove(struct loop *loop, void *argument)
{
    struct line *line = argument;
    loop_remove(loop, &line->source);
}

static void line_watch_for_room(struct loop *loop, void *argument)
{
    struct line *line = argument;
    loop_modify(loop, &line->source, EPOLLOUT | EPOLLONESHOT);
}

static void input_calls_its_source(void **state)
{
    struct world *world = *state;
    struct line line;
    line_open(&line, world, line_ready);
    loop_call(world->loop, line_add, &line);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(line.other, "x", 1), 1);
        latch_wait(&world->latch, 1);
    }
    loop_call(world->loop, line_remove, &line);
    assert_int_equal(line.ready, 3);
    assert_int_equal(line.events, EPOLLIN);
    line_close(&line);
}

static void what_is_watched_for_can_be_changed(void **state)
{
    struct world *world = *state;
    struct line line;
    line_open(&line, world, line_ready);
    loop_call(world->loop, line_add, &line);
    loop_call(world->loop, line_watch_for_room, &line);
    latch_wait(&world->latch, 1);
    loop_call(world->loop, line_remove, &line);
    assert_int_equal(line.events, EPOLLOUT);
    line_close(&line);
}

static void a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    struct world *world = *state;
    struct source source = {.fd = -1, .ready = line_ready};
    struct err err;
    assert_false(loop_add(world->loop, &source, EPOLLIN, &err));
    assert_int_equal(err.code, ERR_OS);
    assert_int_equal(err.os, EBADF);
}

static void line_ready_removes_its_victim(struct source *source, uint32_t events)
{
    struct line *line = CONTAINER_OF(source, struct line, source);
    struct line *victim = line->victim;
    if (victim != NULL) {
        loop_remove(line->world->loop, &victim->source);
        line->victim = NULL;
        victim->victim = NULL;
        victim->source.ready = NULL; /* As good as freed. */
    }
    line_ready(source, events);
}

struct pair {
    struct line a, b;
};

static void both_become_ready_in_one_batch(struct loop *loop, void *argument)
{
    struct pair *pair = argument;
    line_add(loop, &pair->a);
    line_add(loop, &pair->b);
    /* On the loop's thread, so that it sees both with its next look. */
    INVARIANT(write(pair->a.other, "x", 1) == 1);
    INVARIANT(write(pair->b.other, "x", 1) == 1);
}

static void remove_the_survivor(struct loop *loop, void *argument)
{
    struct pair *pair = argument;
    loop_remove(loop, pair->a.source.ready != NULL ? &pair->a.source : &pair->b.source);
}

static void a_source_removed_by_another_of_the_same_batch_is_not_called(void **state)
{
    struct world *world = *state;
    struct pair pair;
    line_open(&pair.a, world, line_ready_removes_its_victim);
    line_open(&pair.b, world, line_ready_removes_its_victim);
    pair.a.victim = &pair.b;
    pair.b.victim = &pair.a;
    loop_call(world->loop, both_become_ready_in_one_batch, &pair);
    latch_wait(&world->latch, 1);
    loop_call(world->loop, remove_the_survivor, &pair);
    assert_int_equal(pair.a.ready + pair.b.ready, 1);
    line_close(&pair.a);
    line_close(&pair.b);
}

static void note_thread(struct loop *loop, void *argument)
{
    INVARIANT(worker_current() == &loop->worker);
    *(pthread_t *)argument = pthread_self();
}

static void a_call_runs_on_the_loops_thread_and_is_waited_for(void **state)
{
    struct world *world = *state;
    pthread_t thread = pthread_self();
    loop_call(world->loop, note_thread, &thread);
    assert_true(pthread_equal(thread, world->loop->thread));
    assert_false(pthread_equal(thread, pthread_self()));
}

static enum turn turn_sleep_20_ms(struct native *native, struct exit *ret_exit)
{
    struct node *node = native->process.node;
    if (native->number == 0) {
        native->number = node_now_ns(node) + 20000000;
        process_wake_at(&native->process, native->number);
        return TURN_PARKED;
    }
    ret_exit->exit_class = node_now_ns(node) >= native->number ? EXIT_NORMAL : EXIT_CRASHED;
    return TURN_ENDED;
}

static void a_loop_without_input_wakes_for_its_timers(void **state)
{
    struct world *world = *state;
    struct native *native = native_start(world->node, &world->loop->worker, &world->tally,
                                         turn_sleep_20_ms);
    process_release(&native->process);
    latch_wait(&world->tally.exits, 1);
    assert_int_equal(world->tally.last.exit_class, EXIT_NORMAL);
}

static void flush(struct task *task)
{
    latch_post(&CONTAINER_OF(task, struct world, task)->latch);
}

static void defer_flush(struct loop *loop, void *argument)
{
    struct world *world = argument;
    world->task.run = flush;
    worker_defer(&loop->worker, &world->task);
}

static void what_is_deferred_is_done_before_the_loop_sleeps(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 100; i++) {
        loop_call(world->loop, defer_flush, world);
        latch_wait(&world->latch, 1);
    }
}

static void input_is_served_while_a_process_spins(void **state)
{
    struct world *world = *state;
    struct line line;
    line_open(&line, world, line_ready);
    loop_call(world->loop, line_add, &line);
    struct native *spinner = native_start(world->node, &world->loop->worker, &world->tally,
                                          turn_spin);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(write(line.other, "x", 1), 1);
        latch_wait(&world->latch, 1);
    }
    process_stop(&spinner->process, STOP_KILL, NULL);
    process_release(&spinner->process);
    latch_wait(&world->tally.exits, 1);
    loop_call(world->loop, line_remove, &line);
    line_close(&line);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_create, world_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(input_calls_its_source),
        IN_A_WORLD(what_is_watched_for_can_be_changed),
        IN_A_WORLD(a_descriptor_that_cannot_be_watched_is_an_error),
        IN_A_WORLD(a_source_removed_by_another_of_the_same_batch_is_not_called),
        IN_A_WORLD(a_call_runs_on_the_loops_thread_and_is_waited_for),
        IN_A_WORLD(a_loop_without_input_wakes_for_its_timers),
        IN_A_WORLD(what_is_deferred_is_done_before_the_loop_sleeps),
        IN_A_WORLD(input_is_served_while_a_process_spins),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
