/* What guests can do to each other and what not: actors.c says so from the inside; and every pointer of every host
 * function, bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "core/node.h"
#include "guest/abi.h"
#include "guest/guest.h"

#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRANT                                                                                      \
    .name = "test", .memory_max_bytes = 1 << 20, .mailbox.messages = 10, .mailbox.bytes = 1000000, \
    .message_bytes_max = 100000, .streams_max = 4, .stream_buffer_bytes = 4096,                    \
    .quotas = {.ties_max = 20, .timers_max = 2, .registered_max = {2, 1, 1}}

static const struct grant grant = {GRANT, .namespace = "main"};
static const char *const neighbours[] = {"third", NULL};
static const struct grant far_grant = {GRANT, .namespace = "other", .allow_process_control = true,
                                       .allow_namespaces = neighbours};

static const char *const everywhere[] = {"*", NULL};
static const struct grant visitor_grant = {GRANT, .namespace = "other",
                                           .allow_namespaces = everywhere};
static const struct grant dropping_grant = {GRANT, .namespace = "main",
                                            .mailbox.policy = MAILBOX_DROP_NEW};
static const struct grant killing_grant = {GRANT, .namespace = "main",
                                           .mailbox.policy = MAILBOX_KILL};

/* Which grant the actors have; the hostile guest has the first one's. */
enum which { ACTORS, FAR, VISITOR, DROPPING, KILLING, HOSTILE };
enum { COMPONENTS = HOSTILE + 1 };

/* One node with the actors under several grants, and the hostile guest. */
struct fixture {
    struct component *components[COMPONENTS];
    struct pool *pool;
    struct node *node;
};

static struct component *open_component(const char *name, const char *file,
                                        const struct grant *granted)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("WASM_FOLDER"), file);
    struct component_options options = {.name = name, .path = path, .grant = granted};
    struct err err = {0};
    struct component *component = component_open(&options, &err);
    assert_non_null(component);
    return component;
}

static void start(struct fixture *fixture)
{
    struct err err = {0};
    guest_start();
    static const struct grant *const grants[COMPONENTS] = {
        &grant, &far_grant, &visitor_grant, &dropping_grant, &killing_grant, &grant};
    struct component **all = fixture->components;
    struct capacity_need needs[POOL_CLASSES] = {0};
    for (size_t i = 0; i < COMPONENTS; i++) {
        all[i] = open_component("actors", i == HOSTILE ? "hostile.wasm" : "actors.wasm", grants[i]);
        component_add_need(all[i], needs);
    }
    struct pool_options pool = {.workers = 2, .needs = needs, .max_processes = 32};
    fixture->pool = pool_create(&pool, &err);
    assert_non_null(fixture->pool);
    size_t count = 0;
    const struct engine_import *imports = abi_imports(&count);
    for (size_t i = 0; i < COMPONENTS; i++) {
        assert_true(component_prepare(all[i], fixture->pool, NULL, imports, count, &err));
    }
    struct node_options options = {.workers = 2,
                                   .tick_ns = 1000000,
                                   .env = env_system(),
                                   .on_tick = pool_tick,
                                   .tick_argument = fixture->pool};
    fixture->node = node_create(&options, &err);
    assert_non_null(fixture->node);
    assert_true(node_start(fixture->node, &err));
}

static void finish(struct fixture *fixture)
{
    node_stop(fixture->node);
    assert_int_equal(pool_in_use(fixture->pool), 0);
    assert_int_equal(node_counts(fixture->node).processes, 0);
    assert_int_equal(node_counts(fixture->node).timers, 0);
    node_destroy(fixture->node);
    for (size_t i = 0; i < COMPONENTS; i++) {
        component_destroy(fixture->components[i]);
    }
    pool_destroy(fixture->pool);
}

/* How a guest ended. */
struct ending {
    sem_t done;
    enum exit_class exit_class;
    char reason[EXIT_REASON_BYTES];
};

static void note_ending(struct guest *guest, void *context, const struct exit *exit)
{
    (void)guest;
    struct ending *ending = context;
    ending->exit_class = exit->exit_class;
    snprintf(ending->reason, sizeof ending->reason, "%s", exit->reason);
    sem_post(&ending->done);
}

static const struct guest_role role = {.kind = "worker", .exited = note_ending};
static const struct guest_role service = {
    .kind = "service", .service = true, .exited = note_ending};

/* With a reference for the caller. */
static struct process *spawn(struct fixture *fixture, enum which which, const char *entry,
                             struct pid parent, struct ending *ending)
{
    struct component *component = fixture->components[which];
    *ending = (struct ending){0};
    sem_init(&ending->done, 0, 0);
    struct err err = {0};
    struct guest_options options = {
        .role = &role, .context = ending, .parent = parent, .deadline_ns = 20000000000};
    if (strcmp(entry, "counter") == 0 || strcmp(entry, "stops") == 0) {
        options.role = &service;
    }
    assert_true(component_entry(component, entry, &options.entry, &err));
    struct process *process = NULL;
    assert_true(guest_spawn(fixture->node, component, &options, NULL, &process, &err));
    return process;
}

static void wait_for(struct ending *ending)
{
    while (sem_wait(&ending->done) != 0) {
    }
    sem_destroy(&ending->done);
}

static void must_end(struct ending *ending, const char *entry, enum exit_class exit_class)
{
    wait_for(ending);
    if (ending->exit_class != exit_class) {
        fail_msg("%s: %s: %s", entry, exit_class_name(ending->exit_class), ending->reason);
    }
}

/* Has a service run beside it, which is its parent unless it is a stranger to it. */
static void run_beside_a_service(const char *entry, enum which which, bool is_parent)
{
    struct fixture fixture;
    start(&fixture);
    struct ending counter, ending;
    struct process *process = spawn(&fixture, ACTORS, "counter", (struct pid){0}, &counter);
    struct pid parent = is_parent ? process->pid : (struct pid){0};
    process_release(spawn(&fixture, which, entry, parent, &ending));
    must_end(&ending, entry, EXIT_NORMAL);
    (void)process_kill(fixture.node, process->pid, "the test");
    process_release(process);
    wait_for(&counter);
    finish(&fixture);
}

/* By itself, with a parent that stays. */
static void run_alone(const char *entry)
{
    run_beside_a_service(entry, ACTORS, true);
}

static void a_receive_selects_by_label_and_kind_and_leaves_the_rest_in_order(void **state)
{
    (void)state;
    run_alone("selects");
}

static void a_body_that_does_not_fit_is_read_on(void **state)
{
    (void)state;
    run_alone("reads_on");
}

static void a_filter_or_timeout_that_makes_no_sense_is_invalid(void **state)
{
    (void)state;
    run_alone("bad_receives");
}

static void messages_have_a_size_and_mailboxes_are_full_but_timers_always_come(void **state)
{
    (void)state;
    run_alone("sends_too_much");
}

static void a_full_mailbox_does_what_the_receivers_grant_says(void **state)
{
    (void)state;
    run_beside_a_service("floods_itself", DROPPING, false);
    struct fixture fixture;
    start(&fixture);
    struct ending ending;
    process_release(spawn(&fixture, KILLING, "floods_itself", (struct pid){0}, &ending));
    must_end(&ending, "floods_itself", EXIT_KILLED);
    assert_string_equal(ending.reason, "mailbox full");
    finish(&fixture);
}

static void a_call_ends_with_its_answer_its_error_its_deadline_or_the_others_death(void **state)
{
    (void)state;
    run_beside_a_service("calls", ACTORS, false);
}

static void links_monitors_and_signals_answer_for_who_is_gone_and_have_a_limit(void **state)
{
    (void)state;
    run_alone("ties");
}

static void who_is_neither_parent_nor_child_may_only_be_monitored(void **state)
{
    (void)state;
    run_beside_a_service("touches_others", ACTORS, false);
}

static void what_is_in_another_namespace_does_not_exist(void **state)
{
    (void)state;
    run_beside_a_service("reaches_out", FAR, true);
}

static void who_may_look_into_other_namespaces_finds_and_calls_what_is_there(void **state)
{
    (void)state;
    run_beside_a_service("visits", VISITOR, false);
}

static void names_tags_and_groups_are_kept_to_their_rules_and_limits(void **state)
{
    (void)state;
    run_alone("names");
    run_alone("groups");
}

static void timers_fire_repeat_and_can_be_cancelled(void **state)
{
    (void)state;
    run_alone("timers");
}

static void a_wait_tells_what_is_ready(void **state)
{
    (void)state;
    run_alone("waits");
}

static void a_poll_tells_what_is_ready_and_takes_no_pointer_that_reaches_outside(void **state)
{
    (void)state;
    run_alone("polls");
    static const char *const outside[] = {"polls_from_outside", "polls_into_the_outside",
                                          "polls_and_counts_outside"};
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(outside); i++) {
        struct ending ending;
        process_release(spawn(&fixture, ACTORS, outside[i], (struct pid){0}, &ending));
        must_end(&ending, outside[i], EXIT_CRASHED);
        assert_non_null(strstr(ending.reason, "outside the memory"));
    }
    finish(&fixture);
}

static void exits_have_the_class_that_their_reason_says(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        enum exit_class exit_class;
        const char *reason;
    } rows[] = {{"exits", EXIT_EXITED, "had enough"},
                {"exits_normally", EXIT_NORMAL, ""},
                {"exits_by_shutdown", EXIT_SHUTDOWN, ""},
                {"kills_itself", EXIT_KILLED, "actors"}};
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ending ending;
        process_release(spawn(&fixture, ACTORS, rows[i].entry, (struct pid){0}, &ending));
        must_end(&ending, rows[i].entry, rows[i].exit_class);
        assert_non_null(strstr(ending.reason, rows[i].reason));
    }
    finish(&fixture);
}

/* Wait until the process has mail, or who should have sent it has ended. */
static void await_mail(const struct process *process, struct ending *sender)
{
    int ended = 0;
    while (mailbox_messages(&process->mailbox) == 0 && ended == 0) {
        sched_yield();
        sem_getvalue(&sender->done, &ended);
    }
}

static void a_process_knows_itself_and_its_label_is_listed(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    struct ending parent_ending, ending;
    /* A parent that leaves its mail unread. */
    struct process *parent = spawn(&fixture, ACTORS, "hears_nothing", (struct pid){0},
                                   &parent_ending);
    struct process *process = spawn(&fixture, ACTORS, "knows", parent->pid, &ending);
    await_mail(parent, &ending);
    if (mailbox_messages(&parent->mailbox) == 0) {
        must_end(&ending, "knows", EXIT_NORMAL);
    }
    char note[PROCESS_NOTE_BYTES];
    process_note(process, note);
    assert_string_equal(note, "shelf 12 \xc3\xa4");
    struct process_info lines[8];
    size_t count = node_list(fixture.node, lines, ARRAY_LENGTH(lines));
    bool listed = false;
    for (size_t i = 0; i < count; i++) {
        listed |= pid_equal(lines[i].pid, process->pid) && strcmp(lines[i].note, note) == 0;
    }
    assert_true(listed);
    struct message *message = message_create(0, 0, NULL, 0);
    assert_non_null(message);
    assert_true(process_send(fixture.node, process->pid, message));
    must_end(&ending, "knows", EXIT_NORMAL);
    (void)process_kill(fixture.node, parent->pid, "the test");
    wait_for(&parent_ending);
    process_release(process);
    process_release(parent);
    finish(&fixture);
}

static void a_service_that_is_asked_to_stop_and_returns_has_shut_down(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    struct ending ending;
    struct process *process = spawn(&fixture, ACTORS, "stops", (struct pid){0}, &ending);
    assert_true(
        process_ask_stop(fixture.node, (struct pid){0}, process->pid, reason_of(REASON_SHUTDOWN)));
    process_release(process);
    must_end(&ending, "stops", EXIT_SHUTDOWN);
    finish(&fixture);
}

static void no_pointer_of_any_host_function_reaches_outside_the_memory(void **state)
{
    (void)state;
    static const char *const entries[] = {
#include "hostile.inc"
    };
    struct fixture fixture;
    start(&fixture);
    assert_true(ARRAY_LENGTH(entries) > 100);
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
        struct ending ending;
        process_release(spawn(&fixture, HOSTILE, entries[i], (struct pid){0}, &ending));
        must_end(&ending, entries[i], EXIT_CRASHED);
        if (strstr(ending.reason, "outside the memory of 65536 bytes") == NULL) {
            fail_msg("%s: %s", entries[i], ending.reason);
        }
    }
    finish(&fixture);
}

int main(void)
{
    log_configure(LOG_TEXT, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receive_selects_by_label_and_kind_and_leaves_the_rest_in_order),
        cmocka_unit_test(a_body_that_does_not_fit_is_read_on),
        cmocka_unit_test(a_filter_or_timeout_that_makes_no_sense_is_invalid),
        cmocka_unit_test(messages_have_a_size_and_mailboxes_are_full_but_timers_always_come),
        cmocka_unit_test(a_full_mailbox_does_what_the_receivers_grant_says),
        cmocka_unit_test(a_call_ends_with_its_answer_its_error_its_deadline_or_the_others_death),
        cmocka_unit_test(links_monitors_and_signals_answer_for_who_is_gone_and_have_a_limit),
        cmocka_unit_test(who_is_neither_parent_nor_child_may_only_be_monitored),
        cmocka_unit_test(what_is_in_another_namespace_does_not_exist),
        cmocka_unit_test(who_may_look_into_other_namespaces_finds_and_calls_what_is_there),
        cmocka_unit_test(names_tags_and_groups_are_kept_to_their_rules_and_limits),
        cmocka_unit_test(timers_fire_repeat_and_can_be_cancelled),
        cmocka_unit_test(a_wait_tells_what_is_ready),
        cmocka_unit_test(a_poll_tells_what_is_ready_and_takes_no_pointer_that_reaches_outside),
        cmocka_unit_test(exits_have_the_class_that_their_reason_says),
        cmocka_unit_test(a_process_knows_itself_and_its_label_is_listed),
        cmocka_unit_test(a_service_that_is_asked_to_stop_and_returns_has_shut_down),
        cmocka_unit_test(no_pointer_of_any_host_function_reaches_outside_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
