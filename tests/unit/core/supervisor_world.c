#include "supervisor_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void house_log(struct house *house, char sign, const char *name)
{
    size_t at = strlen(house->log);
    INVARIANT(at + 16 < sizeof(house->log));
    snprintf(house->log + at, sizeof(house->log) - at, "%c%s", sign, name);
}

static enum turn kid_end(struct exit *ret_exit, enum exit_class exit_class, const char *reason)
{
    ret_exit->exit_class = exit_class;
    snprintf(ret_exit->reason, sizeof(ret_exit->reason), "%s", reason);
    return TURN_ENDED;
}

static enum turn kid_obey(struct kid *kid, struct exit *ret_exit)
{
    enum command command = kid->command;
    kid->command = COMMAND_NONE;
    switch (command) {
    case COMMAND_NONE:
        return TURN_PARKED;
    case COMMAND_ANNOUNCE:
        supervisor_child_started(&kid->native->process);
        return TURN_PARKED;
    case COMMAND_NORMAL:
        return kid_end(ret_exit, EXIT_NORMAL, "");
    case COMMAND_SHUTDOWN:
        return kid_end(ret_exit, EXIT_SHUTDOWN, "");
    case COMMAND_EXIT:
        return kid_end(ret_exit, EXIT_EXITED, "had enough");
    case COMMAND_CRASH:
        return kid_end(ret_exit, EXIT_CRASHED, "unreachable");
    }
    BUG("command %d", (int)command);
}

static enum turn kid_turn(struct native *native, struct exit *ret_exit)
{
    struct kid *kid = native->argument;
    if (native->number++ == 0) {
        if (kid->early_deaths > 0) {
            kid->early_deaths--;
            return kid_end(ret_exit, EXIT_CRASHED, "died early");
        }
        if (!kid->mute) {
            supervisor_child_started(&native->process);
        }
    }
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        bool stops = message->kind == MESSAGE_STOP;
        message_destroy(message);
        if (stops) {
            house_log(kid->house, kid->ignores_stop ? '~' : '-', kid->name);
            if (!kid->ignores_stop) {
                return kid_end(ret_exit, EXIT_SHUTDOWN, "");
            }
        }
    }
    return kid_obey(kid, ret_exit);
}

bool kid_start(void *argument, struct process *supervisor,
               bool (*prepare)(struct process *supervisor, struct process *child, struct err *err),
               struct err *err)
{
    struct kid *kid = argument;
    struct house *house = kid->house;
    if (kid->refusals > 0) {
        kid->refusals--;
        house_log(house, '!', kid->name);
        return err_set(err, ERR_LIMIT, "refused");
    }
    const struct process_options options = {
        .kind = "test", .label = kid->name, .traps_exits = kid->traps_exits, .takes_stop = true};
    struct native *native = native_create(house->node, &house->tally, kid_turn, &options);
    native->argument = kid;
    process_retain(&native->process);
    bool late = kid->refusals_late > 0;
    bool started = prepare(supervisor, &native->process, err) && !late &&
                   process_start(&native->process, NULL, err);
    if (!started) {
        house_log(house, '!', kid->name);
        if (late) {
            kid->refusals_late--;
            err_set(err, ERR_LIMIT, "refused late");
        }
        native->reclaimed = true; /* For the harness: it never ran. */
        process_discard(&native->process);
        process_release(&native->process);
        return false;
    }
    house_log(house, '+', kid->name);
    kid->started++;
    if (kid->native != NULL) {
        process_release(&kid->native->process);
    }
    kid->native = native;
    return true;
}

void house_event(void *argument, const struct supervisor_event *event)
{
    struct house *house = argument;
    house->events[event->kind]++;
    snprintf(house->reason[event->kind], EXIT_REASON_BYTES, "%s",
             event->reason == NULL ? "" : event->reason);
    if (event->kind == SUPERVISOR_CHILD_EXITED) {
        INVARIANT(!pid_is_none(event->pid));
        house->restarts = event->restarts;
    }
}

static void house_destroyed(void *argument)
{
    struct house *house = argument;
    house->destroyed++;
}

int house_create(void **state)
{
    struct house *house = calloc(1, sizeof(*house));
    still_env_init(&house->env, 1);
    house->node = still_node(&house->env, 1, 0);
    tally_init(&house->tally);
    *state = house;
    return 0;
}

int house_destroy(void **state)
{
    struct house *house = *state;
    bool started = house->supervisor != NULL;
    if (started) {
        process_release(house->supervisor);
    }
    node_stop(house->node);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (house->kids[i].native != NULL) {
            process_release(&house->kids[i].native->process);
        }
    }
    struct node_counts counts = node_counts(house->node);
    bool clean = counts.processes == 0 && counts.timers == 0 &&
                 house->tally.exited == house->tally.reclaimed &&
                 house->tally.destroyed >= house->tally.exited && house->destroyed == started;
    node_destroy(house->node);
    tally_fini(&house->tally);
    free(house);
    return clean ? 0 : -1;
}

void house_plan(struct house *house, enum supervisor_strategy strategy, size_t children)
{
    INVARIANT(children <= CHILDREN_MAX);
    for (size_t i = 0; i < children; i++) {
        struct kid *kid = &house->kids[i];
        kid->house = house;
        kid->name[0] = (char)('a' + i);
        house->specs[i] = (struct supervisor_child){
            .name = kid->name,
            .restart = RESTART_PERMANENT,
            .shutdown_ns = 100 * MS,
            .start_timeout_ns = 50 * MS,
            .start = kid_start,
            .argument = kid,
        };
    }
    house->options = (struct supervisor_options){
        .name = "house",
        .strategy = strategy,
        .max_restarts = 5,
        .window_ns = 1000 * (uint64_t)MS,
        .children = house->specs,
        .child_count = children,
        .event = house_event,
        .event_argument = house,
        .destroyed = house_destroyed,
    };
}

void house_rest(struct house *house)
{
    run_until_idle(house->node);
}

void house_open(struct house *house)
{
    struct err err;
    assert_true(supervisor_start(house->node, &house->options, &house->supervisor, &err));
    house_rest(house);
}

void house_pass(struct house *house, uint64_t ns)
{
    house->env.now_ns += ns;
    house_rest(house);
}

void kid_command(struct kid *kid, enum command command)
{
    kid->command = command;
    process_wake(&kid->native->process);
}

void kid_kill(struct kid *kid)
{
    process_stop(&kid->native->process, STOP_KILL, "test");
}

bool kid_lives(const struct kid *kid)
{
    return kid->native != NULL && process_phase(&kid->native->process) != PHASE_EXITED;
}

void house_ask_stop(struct house *house)
{
    assert_true(process_ask_stop(house->node, (struct pid){0}, house->supervisor->pid,
                                 reason_of(REASON_SHUTDOWN)));
    house_rest(house);
}

void assert_log(struct house *house, const char *expected)
{
    assert_string_equal(house->log, expected);
    house->log[0] = '\0';
}

void assert_over(struct house *house, enum exit_class exit_class, const char *reason)
{
    assert_int_equal(process_phase(house->supervisor), PHASE_EXITED);
    assert_int_equal(house->events[SUPERVISOR_STOPPED], 1);
    assert_string_equal(house->reason[SUPERVISOR_STOPPED], reason);
    assert_true(node_counts(house->node).exits[exit_class] > 0);
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        assert_false(kid_lives(&house->kids[i]));
    }
}

uint64_t restarts_of(struct house *house, size_t child)
{
    struct supervisor_line lines[CHILDREN_MAX];
    assert_int_equal(supervisor_list(house->supervisor, lines, CHILDREN_MAX),
                     house->options.child_count);
    assert_string_equal(lines[child].name, house->kids[child].name);
    struct pid expected = {0};
    if (kid_lives(&house->kids[child])) {
        expected = house->kids[child].native->process.pid;
    }
    assert_true(pid_equal(lines[child].pid, expected));
    return lines[child].restarts;
}
