#include "native.h"

#include "core/alarm.h"

#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

static const struct process_quotas three = {.timers_max = 3};

struct clock_room {
    struct still_env env;
    struct node *node;
    struct tally tally;
};

/* What a test lets a process do in its next turn. */
struct deed {
    void (*act)(struct native *native, struct deed *deed);
    uint64_t after_ns, every_ns, reference;
    struct pid target;
    enum alarm_cancelled cancelled;
    struct message *taken; /* The last message; borrowed. */
    bool done;
    struct err err;
};

/* The last message that a process has taken. */
static struct message *held;

static int room_create(void **state)
{
    struct clock_room *room = calloc(1, sizeof(*room));
    still_env_init(&room->env, 1);
    room->node = still_node(&room->env, 2, 0);
    tally_init(&room->tally);
    *state = room;
    return 0;
}

/* No timer may be left behind. */
static int room_destroy(void **state)
{
    struct clock_room *room = *state;
    message_destroy(TAKE(held));
    node_stop(room->node);
    struct node_counts counts = node_counts(room->node);
    node_destroy(room->node);
    tally_fini(&room->tally);
    free(room);
    return counts.timers == 0 && counts.processes == 0 ? 0 : -1;
}

#define IN_A_ROOM(test) cmocka_unit_test_setup_teardown(test, room_create, room_destroy)

static enum turn turn_act(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    struct deed *deed = native->argument;
    if (deed != NULL && deed->act != NULL) {
        void (*act)(struct native *, struct deed *) = deed->act;
        deed->act = NULL;
        act(native, deed);
        deed->done = true;
    }
    return TURN_PARKED;
}

static struct native *actor_within(struct clock_room *room, struct mailbox_limits limits)
{
    const struct process_options options = {.kind = "test", .quotas = &three, .mailbox = limits};
    struct native *native = native_create(room->node, &room->tally, turn_act, &options);
    process_retain(&native->process);
    struct err err;
    assert_true(process_start(&native->process, worker_of(room->node, 0), &err));
    run_until_idle(room->node);
    return native;
}

static struct native *actor(struct clock_room *room, uint32_t messages_max)
{
    return actor_within(room, (struct mailbox_limits){.messages = messages_max});
}

static void let(struct clock_room *room, struct native *native, struct deed *deed,
                void (*act)(struct native *native, struct deed *deed))
{
    deed->act = act;
    deed->done = false;
    native->argument = deed;
    process_wake(&native->process);
    run_until_idle(room->node);
    assert_true(deed->done);
}

static void pass(struct clock_room *room, uint64_t ns)
{
    room->env.now_ns += ns;
    run_until_idle(room->node);
}

static void start(struct native *native, struct deed *deed)
{
    struct process *process = &native->process;
    struct pid target = pid_is_none(deed->target) ? process->pid : deed->target;
    struct message *message = message_create(process->pid.raw, 7, "tick", 4);
    deed->reference = 0;
    if (!alarm_start(process, target, deed->after_ns, deed->every_ns, message, &deed->reference,
                     &deed->err)) {
        message_destroy(message);
    }
}

static void cancel(struct native *native, struct deed *deed)
{
    deed->cancelled = alarm_cancel(&native->process, deed->reference);
}

/* Take one message and keep it until the next is taken. */
static void take(struct native *native, struct deed *deed)
{
    message_destroy(held);
    deed->taken = held = process_receive(&native->process, NULL);
}

static struct message *take_one(struct clock_room *room, struct native *native, struct deed *deed)
{
    let(room, native, deed, take);
    return deed->taken;
}

static void an_alarm_comes_back_as_a_timer_message_with_its_reference(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0);
    struct deed deed = {.after_ns = 5 * MS};
    let(room, native, &deed, start);
    assert_true(deed.reference != 0);
    pass(room, 4 * MS);
    assert_null(take_one(room, native, &deed));
    pass(room, 2 * MS);
    struct message *message = take_one(room, native, &deed);
    assert_non_null(message);
    assert_int_equal(message->kind, MESSAGE_TIMER);
    assert_int_equal(message->reference, deed.reference);
    assert_int_equal(message->label, 1);
    size_t size;
    assert_memory_equal(message_data(message, &size), "tick", 4);
    assert_int_equal(size, 4);
    assert_int_equal(alarm_count(&native->process), 0);
    pass(room, 1000 * (uint64_t)MS);
    assert_null(take_one(room, native, &deed));
    process_release(&native->process);
}

static void to_another_it_is_an_ordinary_message(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0), *other = actor(room, 1);
    struct deed deed = {.after_ns = 5 * MS, .target = other->process.pid}, theirs = {0};
    let(room, native, &deed, start);
    pass(room, 6 * MS);
    struct message *message = take_one(room, other, &theirs);
    assert_int_equal(message->kind, MESSAGE_SEND);
    assert_int_equal(message->label, 7);
    assert_int_equal(message->sender, native->process.pid.raw);
    assert_null(take_one(room, other, &theirs));
    assert_null(take_one(room, native, &deed));
    assert_int_equal(alarm_count(&native->process), 0);
    let(room, native, &deed, cancel);
    assert_int_equal(deed.cancelled, ALARM_UNKNOWN);

    /* Where there is room for one, the second is lost; and so is one to somebody who has gone. */
    let(room, native, &deed, start);
    let(room, native, &deed, start);
    pass(room, 6 * MS);
    assert_non_null(take_one(room, other, &theirs));
    assert_null(take_one(room, other, &theirs));
    let(room, native, &deed, start);
    process_stop(&other->process, STOP_KILL, "test");
    pass(room, 6 * MS);
    assert_int_equal(alarm_count(&native->process), 0);
    process_release(&native->process);
    process_release(&other->process);
}

static void a_firing_is_not_refused_by_a_full_mailbox(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 1);
    struct deed deed = {.after_ns = MS};
    let(room, native, &deed, start);
    assert_true(process_send(room->node, native->process.pid, message_create(0, 0, "x", 1)));
    pass(room, 2 * MS);
    assert_int_equal(take_one(room, native, &deed)->kind, MESSAGE_SEND);
    assert_int_equal(take_one(room, native, &deed)->kind, MESSAGE_TIMER);
    assert_null(take_one(room, native, &deed));
    process_release(&native->process);
}

static void cancelling_tells_whether_it_had_fired(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0);
    struct deed deed = {.after_ns = 5 * MS};
    let(room, native, &deed, start);
    let(room, native, &deed, cancel);
    assert_int_equal(deed.cancelled, ALARM_STOPPED);
    let(room, native, &deed, cancel);
    assert_int_equal(deed.cancelled, ALARM_UNKNOWN);
    pass(room, 10 * MS);
    assert_null(take_one(room, native, &deed));

    let(room, native, &deed, start);
    pass(room, 10 * MS);
    let(room, native, &deed, cancel);
    assert_int_equal(deed.cancelled, ALARM_FIRED);
    assert_null(take_one(room, native, &deed));

    let(room, native, &deed, start);
    pass(room, 10 * MS);
    assert_non_null(take_one(room, native, &deed));
    let(room, native, &deed, cancel);
    assert_int_equal(deed.cancelled, ALARM_UNKNOWN);
    assert_int_equal(alarm_count(&native->process), 0);
    process_release(&native->process);
}

/* The timer fires while its process has a turn: the news of it is on the way, and unseen. */
static void cancel_on_the_way(struct native *native, struct deed *deed)
{
    struct still_env *env = CONTAINER_OF(node_env(native->process.node), struct still_env, env);
    env->now_ns += 10 * MS;
    timer_wheel_advance(&worker_current()->timers, env->now_ns);
    deed->cancelled = alarm_cancel(&native->process, deed->reference);
    deed->taken = process_receive(&native->process, NULL);
}

static void after_a_cancel_nothing_arrives_even_of_what_was_on_the_way(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0);
    for (uint64_t every = 0; every <= MS; every += MS) {
        struct deed deed = {.after_ns = 5 * MS, .every_ns = every};
        let(room, native, &deed, start);
        let(room, native, &deed, cancel_on_the_way);
        assert_int_equal(deed.cancelled, ALARM_STOPPED);
        assert_null(deed.taken);
        pass(room, 10 * MS);
        assert_null(take_one(room, native, &deed));
        assert_int_equal(alarm_count(&native->process), 0);
    }
    process_release(&native->process);
}

static void a_periodic_one_fires_until_it_is_cancelled(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0);
    struct deed deed = {.after_ns = 5 * MS, .every_ns = 10 * MS};
    let(room, native, &deed, start);
    pass(room, 6 * MS);
    for (unsigned i = 0; i < 20; i++) {
        struct message *message = take_one(room, native, &deed);
        assert_non_null(message);
        assert_int_equal(message->kind, MESSAGE_TIMER);
        assert_int_equal(message->reference, deed.reference);
        assert_int_equal(message->label, 1);
        size_t size;
        assert_memory_equal(message_data(message, &size), "tick", 4);
        assert_null(take_one(room, native, &deed));
        pass(room, 10 * MS);
    }
    let(room, native, &deed, cancel);
    assert_int_equal(deed.cancelled, ALARM_FIRED);
    assert_null(take_one(room, native, &deed));
    pass(room, 100 * MS);
    assert_null(take_one(room, native, &deed));
    process_release(&native->process);
}

static void of_a_periodic_one_at_most_one_firing_is_unread_and_counts_the_others(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0);
    struct deed deed = {.after_ns = 10 * MS, .every_ns = 10 * MS};
    let(room, native, &deed, start);
    for (unsigned i = 0; i < 5; i++) {
        pass(room, 10 * MS + (i == 0 ? MS : 0));
    }
    pass(room, 50 * MS); /* A round that comes late counts as well. */
    assert_int_equal(take_one(room, native, &deed)->label, 10);
    /* The one that was taken, and is still held, does not count further. */
    pass(room, 20 * MS);
    assert_int_equal(deed.taken->label, 10);
    assert_int_equal(take_one(room, native, &deed)->label, 2);
    assert_null(take_one(room, native, &deed));
    process_release(&native->process);
}

static void what_alarms_hold_is_bounded_as_the_mailbox_is(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor_within(room, (struct mailbox_limits){.bytes = 9});
    struct deed deed = {.after_ns = MS};
    let(room, native, &deed, start);
    let(room, native, &deed, start);
    assert_true(deed.reference != 0);
    let(room, native, &deed, start);
    assert_true(deed.reference == 0 && deed.err.code == ERR_LIMIT);
    pass(room, 2 * MS);
    assert_non_null(take_one(room, native, &deed));
    let(room, native, &deed, start);
    assert_true(deed.reference != 0);
    process_release(&native->process);
}

static void alarms_have_a_quota_which_counts_unread_firings(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0);
    struct deed deed = {.after_ns = MS};
    for (unsigned i = 0; i < three.timers_max; i++) {
        let(room, native, &deed, start);
        assert_true(deed.reference != 0);
    }
    pass(room, 2 * MS);
    assert_int_equal(alarm_count(&native->process), three.timers_max);
    let(room, native, &deed, start);
    assert_int_equal(deed.reference, 0);
    assert_int_equal(deed.err.code, ERR_LIMIT);
    assert_non_null(take_one(room, native, &deed));
    let(room, native, &deed, start);
    assert_true(deed.reference != 0);
    process_release(&native->process);
}

static void only_to_oneself_may_one_be_periodic(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0), *other = actor(room, 0);
    struct deed deed = {.every_ns = MS, .target = other->process.pid};
    let(room, native, &deed, start);
    assert_int_equal(deed.reference, 0);
    assert_int_equal(deed.err.code, ERR_INPUT);
    assert_int_equal(alarm_count(&native->process), 0);
    process_release(&native->process);
    process_release(&other->process);
}

static void alarms_die_with_their_creator_in_every_state(void **state)
{
    struct clock_room *room = *state;
    struct native *native = actor(room, 0), *other = actor(room, 0);
    struct deed waiting = {.after_ns = 5 * MS, .target = other->process.pid}, theirs = {0};
    struct deed unread = {.after_ns = MS, .every_ns = MS}, forever = {.after_ns = UINT64_MAX};
    let(room, native, &waiting, start);
    let(room, native, &unread, start);
    let(room, native, &forever, start);
    pass(room, 3 * MS);
    assert_int_equal(alarm_count(&native->process), 3);
    process_stop(&native->process, STOP_KILL, "test");
    pass(room, 50 * MS);
    assert_int_equal(node_counts(room->node).timers, 0);
    assert_null(take_one(room, other, &theirs));
    process_release(&native->process);
    process_release(&other->process);
}

/* Ends with a firing in its mailbox that it has not seen. */
static void die_on_the_way(struct native *native, struct deed *deed)
{
    (void)deed;
    struct still_env *env = CONTAINER_OF(node_env(native->process.node), struct still_env, env);
    env->now_ns += 10 * MS;
    timer_wheel_advance(&worker_current()->timers, env->now_ns);
    process_stop(&native->process, STOP_KILL, "test");
}

static void a_firing_on_the_way_to_who_exits_is_gone(void **state)
{
    struct clock_room *room = *state;
    for (uint64_t every = 0; every <= MS; every += MS) {
        struct native *native = actor(room, 0);
        struct deed deed = {.after_ns = 5 * MS, .every_ns = every};
        let(room, native, &deed, start);
        let(room, native, &deed, die_on_the_way);
        assert_int_equal(process_phase(&native->process), PHASE_EXITED);
        process_release(&native->process);
    }
}

static void a_stolen_process_gets_its_alarms_from_where_they_were_started(void **state)
{
    struct clock_room *room = *state;
    struct worker *first = worker_of(room->node, 0), *second = worker_of(room->node, 1);
    struct native *native = actor(room, 0);
    struct deed once = {.after_ns = 5 * MS}, periodic = {.after_ns = 5 * MS, .every_ns = 5 * MS};
    let(room, native, &once, start);
    let(room, native, &periodic, start);
    assert_int_equal(atomic_load(&first->timers.running), 2);

    struct deed look = {.act = take};
    native->argument = &look;
    worker_set_current(first);
    process_wake(&native->process);
    worker_set_current(NULL);
    room->env.now_ns += MS;
    while (worker_run(second) != WORKER_IDLE) {
    }
    assert_true(look.done);
    assert_ptr_equal(atomic_load(&native->process.worker), second);

    pass(room, 5 * MS);
    assert_int_equal(take_one(room, native, &look)->reference, once.reference);
    assert_int_equal(take_one(room, native, &look)->reference, periodic.reference);
    assert_null(take_one(room, native, &look));
    /* The periodic one has moved with it. */
    assert_int_equal(atomic_load(&first->timers.running), 0);
    assert_int_equal(atomic_load(&second->timers.running), 1);
    pass(room, 5 * MS);
    assert_int_equal(take_one(room, native, &look)->reference, periodic.reference);
    look.reference = periodic.reference;
    let(room, native, &look, cancel);
    assert_int_equal(look.cancelled, ALARM_STOPPED);
    process_release(&native->process);
}

/* One that starts and cancels alarms at every turn, which others cause, on whichever worker it is. */
struct restless {
    uint64_t periodic, once;
    uint64_t firings;
};

static uint64_t restless_start(struct process *process, uint64_t after_ns, uint64_t every_ns)
{
    struct err err;
    uint64_t reference;
    bool started = alarm_start(process, process->pid, after_ns, every_ns,
                               message_create(process->pid.raw, 0, "x", 1), &reference, &err);
    INVARIANT(started);
    return reference;
}

static enum turn turn_restless(struct native *native, struct exit *ret_exit)
{
    struct restless *restless = native->argument;
    struct process *process = &native->process;
    struct message *message;
    while ((message = process_receive(process, NULL)) != NULL) {
        INVARIANT(message->reference == restless->periodic || message->reference == restless->once);
        restless->firings += message->label;
        message_destroy(message);
    }
    if (restless->firings >= 100) {
        ret_exit->exit_class = EXIT_NORMAL;
        return TURN_ENDED;
    }
    if (native->number++ % 5 == 0) {
        (void)alarm_cancel(process, restless->periodic);
        restless->periodic = restless_start(process, 0, MS / 2);
    }
    (void)alarm_cancel(process, restless->once);
    restless->once = restless_start(process, native->number % 3 * MS, 0);
    return TURN_PARKED;
}

static void alarms_keep_their_promises_between_threads(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    struct tally tally;
    tally_init(&tally);
    struct err err;
    const struct node_options options = {.workers = 3, .env = env_system()};
    struct node *node = node_create(&options, &err);
    assert_non_null(node);
    assert_true(node_start(node, &err));
    struct restless restless[COUNT] = {0};
    const struct process_options process_options = {.kind = "test", .quotas = &three};
    for (unsigned i = 0; i < COUNT; i++) {
        struct native *native = native_create(node, &tally, turn_restless, &process_options);
        native->argument = &restless[i];
        assert_true(process_start(&native->process, worker_of(node, 0), &err));
    }
    latch_wait(&tally.destroys, COUNT);
    assert_int_equal(node_counts(node).timers, 0);
    assert_int_equal(node_counts(node).exits[EXIT_NORMAL], COUNT);
    node_stop(node);
    node_destroy(node);
    tally_fini(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_ROOM(an_alarm_comes_back_as_a_timer_message_with_its_reference),
        IN_A_ROOM(to_another_it_is_an_ordinary_message),
        IN_A_ROOM(a_firing_is_not_refused_by_a_full_mailbox),
        IN_A_ROOM(what_alarms_hold_is_bounded_as_the_mailbox_is),
        IN_A_ROOM(cancelling_tells_whether_it_had_fired),
        IN_A_ROOM(after_a_cancel_nothing_arrives_even_of_what_was_on_the_way),
        IN_A_ROOM(a_periodic_one_fires_until_it_is_cancelled),
        IN_A_ROOM(of_a_periodic_one_at_most_one_firing_is_unread_and_counts_the_others),
        IN_A_ROOM(alarms_have_a_quota_which_counts_unread_firings),
        IN_A_ROOM(only_to_oneself_may_one_be_periodic),
        IN_A_ROOM(alarms_die_with_their_creator_in_every_state),
        IN_A_ROOM(a_firing_on_the_way_to_who_exits_is_gone),
        IN_A_ROOM(a_stolen_process_gets_its_alarms_from_where_they_were_started),
        cmocka_unit_test(alarms_keep_their_promises_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
