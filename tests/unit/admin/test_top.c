/* Shares of CPU time between two questions. */
#include "../core/process_world.h"

#include "admin/top.h"

#include <stdio.h>
#include <string.h>

/* Spends as many milliseconds as its number says, then waits. */
static enum turn turn_work(struct native *native, struct exit *ret_exit)
{
    struct still_env *env = native->argument;

    (void)ret_exit;
    env->now_ns += native->number * MS;
    return TURN_PARKED;
}

static struct native *start_worker(struct world *world, uint64_t work_ms)
{
    struct native *native = start(world, turn_work);

    native->argument = &world->env;
    native->number = work_ms;
    return native;
}

static void ask(struct world *world, struct top *top, enum report_form form, size_t rows,
                struct bytes *ret)
{
    const struct admin_options options = {.node = world->node, .node_name = "test"};
    const struct report_source source = {.node = &options, .uptime_ns = 5000000000};

    bytes_clear(ret);
    assert_true(report_top(&source, top, form, rows, ret));
    assert_true(bytes_terminate(ret));
}

static void assert_holds(const struct bytes *text, const char *part)
{
    if (strstr((const char *)text->data, part) == NULL) {
        fail_msg("%s\nis not in\n%s", part, (const char *)text->data);
    }
}

static void the_first_question_counts_from_each_start(void **state)
{
    struct world *world = *state;
    struct native *native = start_worker(world, 30);
    struct top top = {0};
    struct bytes text = {0};

    run_until_idle(world->node);
    world->env.now_ns += 70 * MS;
    ask(world, &top, REPORT_JSON, 0, &text);
    assert_holds(&text, "\"cpu_permille\":300,\"turns_per_s\":10,");
    top_fini(&top);
    bytes_fini(&text);
    process_release(&native->process);
}

static void further_questions_count_from_the_last(void **state)
{
    struct world *world = *state;
    struct native *native = start_worker(world, 30);
    struct top top = {0};
    struct bytes text = {0};

    run_until_idle(world->node);
    ask(world, &top, REPORT_JSON, 0, &text);
    world->env.now_ns += 100 * MS;
    ask(world, &top, REPORT_JSON, 0, &text);
    assert_holds(&text, "\"cpu_permille\":0,\"turns_per_s\":0,");
    native->number = 50;
    process_wake(&native->process);
    run_until_idle(world->node);
    world->env.now_ns += 50 * MS;
    ask(world, &top, REPORT_JSON, 0, &text);
    assert_holds(&text, "\"cpu_permille\":500,\"turns_per_s\":10,");
    top_fini(&top);
    bytes_fini(&text);
    process_release(&native->process);
}

static void a_question_of_long_ago_is_forgotten(void **state)
{
    struct world *world = *state;
    struct native *native = start_worker(world, 100);
    struct top top = {0};
    struct bytes text = {0};

    run_until_idle(world->node);
    ask(world, &top, REPORT_JSON, 0, &text);
    world->env.now_ns += TOP_FORGET_NS + MS;
    ask(world, &top, REPORT_JSON, 0, &text);
    /* 100 ms of 60,101: the whole life again, not the quiet minute. */
    assert_holds(&text, "\"cpu_permille\":1,");
    top_fini(&top);
    bytes_fini(&text);
    process_release(&native->process);
}

static void the_busiest_come_first_and_no_more_than_asked_for(void **state)
{
    struct world *world = *state;
    struct native *natives[] = {start_worker(world, 10), start_worker(world, 40),
                                start_worker(world, 20)};
    struct top top = {0};
    struct bytes text = {0};
    char pid[32];

    run_until_idle(world->node);
    ask(world, &top, REPORT_TEXT, 1, &text);
    assert_holds(&text, "node 'test', up 5 s: 3 processes");
    (void)snprintf(pid, sizeof(pid), "%llu", (unsigned long long)natives[1]->process.pid.raw);
    assert_holds(&text, pid);
    (void)snprintf(pid, sizeof(pid), "%llu", (unsigned long long)natives[2]->process.pid.raw);
    assert_null(strstr((char *)text.data, pid));
    top_fini(&top);
    bytes_fini(&text);
    for (size_t i = 0; i < ARRAY_LENGTH(natives); i++) {
        process_release(&natives[i]->process);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(the_first_question_counts_from_each_start),
        IN_A_WORLD(further_questions_count_from_the_last),
        IN_A_WORLD(a_question_of_long_ago_is_forgotten),
        IN_A_WORLD(the_busiest_come_first_and_no_more_than_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
