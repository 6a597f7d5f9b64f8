/* Links, monitors, calls and exit signals between processes on workers that run at the same time. */
#include "native.h"

#include "core/link.h"
#include "core/monitor.h"

#include <string.h>

enum { WORKERS = 3, SLOTS = 32, CITIZENS = 6000, OPEN_MAX = 16, LARGE = 100000 };

struct city {
    struct node *node;
    struct tally tally;
    atomic_uint_least64_t slots[SLOTS]; /* pids */
    atomic_uint wrong;                  /* news that nobody was owed, or of wrong content */
    atomic_uint downs, exits, replies;
    struct payload *payload;
};

/* One process's own account. Owner only. */
struct citizen {
    struct city *city;
    uint64_t open[OPEN_MAX]; /* references; 0: free */
    unsigned seed, turns;
};

static struct citizen citizens[CITIZENS];

static unsigned draw(struct citizen *citizen, unsigned bound)
{
    citizen->seed = citizen->seed * 1103515245U + 12345U;
    return (citizen->seed >> 16) % bound;
}

static uint64_t *find_open(struct citizen *citizen, uint64_t reference)
{
    for (int i = 0; i < OPEN_MAX; i++) {
        if (citizen->open[i] == reference) {
            return &citizen->open[i];
        }
    }
    return NULL;
}

static void close_open(struct citizen *citizen, uint64_t reference, atomic_uint *counter)
{
    uint64_t *open = find_open(citizen, reference);
    atomic_fetch_add(open == NULL ? &citizen->city->wrong : counter, 1);
    if (open != NULL) {
        *open = 0;
    }
}

static void answer(struct citizen *citizen, const struct message *call)
{
    struct city *city = citizen->city;
    struct message *reply = message_create_shared(0, 0, city->payload);
    INVARIANT(reply != NULL);
    bool taken = monitor_reply(city->node, (struct pid){call->sender}, call->reference, reply);
    INVARIANT(taken);
}

static void hear(struct citizen *citizen, const struct message *message)
{
    struct city *city = citizen->city;
    switch (message->kind) {
    case MESSAGE_CALL:
        if (draw(citizen, 4) > 0) {
            answer(citizen, message);
        }
        return;
    case MESSAGE_REPLY:
        close_open(citizen, message->reference, &city->replies);
        if (message->shared != city->payload) {
            atomic_fetch_add(&city->wrong, 1);
        }
        return;
    case MESSAGE_DOWN:
        close_open(citizen, message->reference, &city->downs);
        return;
    case MESSAGE_EXIT:
        atomic_fetch_add(&city->exits, 1);
        return;
    case MESSAGE_SEND:
    case MESSAGE_TIMER:
    case MESSAGE_STOP:
    case MESSAGE_FRAME:
    case MESSAGE_CLOSE:
    case MESSAGE_CHANGED:
        break;
    }
    atomic_fetch_add(&city->wrong, 1);
}

static void act(struct native *native, struct citizen *citizen)
{
    struct city *city = citizen->city;
    struct process *self = &native->process;
    struct pid other = {atomic_load(&city->slots[draw(citizen, SLOTS)])};
    struct err err;
    uint64_t reference;
    uint64_t *room = find_open(citizen, 0);
    switch (draw(citizen, 12)) {
    case 0:
    case 1:
    case 2:
        (void)!link_add(self, other, &err);
        return;
    case 3:
    case 4:
        link_remove(self, other);
        return;
    case 5:
    case 6:
        if (room != NULL && monitor_add(self, other, &reference, &err)) {
            *room = reference;
        }
        return;
    case 7:
        reference = citizen->open[draw(citizen, OPEN_MAX)];
        if (reference != 0) {
            monitor_remove(self, reference);
            *find_open(citizen, reference) = 0;
        }
        return;
    case 8:
        process_trap_exits(self, draw(citizen, 3) > 0);
        return;
    case 9:
        if (draw(citizen, 8) == 0) {
            struct reason *reason = reason_create(EXIT_EXITED, 0, "enough of you", 13);
            (void)process_exit_signal(city->node, self->pid, other,
                                      draw(citizen, 2) == 0 ? reason : reason_of(REASON_KILL));
            reason_release(reason);
        }
        return;
    default:
        break;
    }
    struct message *request = message_create(0, 0, "?", 1);
    INVARIANT(request != NULL);
    if (room != NULL && monitor_call(self, other, request, &reference, &err)) {
        *room = reference;
    } else {
        message_destroy(request);
    }
}

static enum turn turn_citizen(struct native *native, struct exit *ret_exit)
{
    struct citizen *citizen = native->argument;
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        hear(citizen, message);
        message_destroy(message);
    }
    for (unsigned i = 0; i < 4; i++) {
        act(native, citizen);
    }
    if (++citizen->turns > 20) {
        ret_exit->exit_class = draw(citizen, 2) == 0 ? EXIT_NORMAL : EXIT_CRASHED;
        return TURN_ENDED;
    }
    if (draw(citizen, 8) == 0) {
        return TURN_YIELDED;
    }
    process_wake(&native->process);
    return TURN_PARKED;
}

static void settle_citizen(struct city *city, unsigned number)
{
    static const struct process_quotas quotas = {.ties_max = 24};
    struct citizen *citizen = &citizens[number];
    *citizen = (struct citizen){.city = city, .seed = number};
    const struct process_options options = {
        .kind = "citizen", .quotas = &quotas, .traps_exits = number % 3 > 0};
    struct native *native = native_create(city->node, &city->tally, turn_citizen, &options);
    native->argument = citizen;
    process_retain(&native->process);
    struct err err;
    assert_true(process_start(&native->process, NULL, &err));
    atomic_store(&city->slots[number % SLOTS], native->process.pid.raw);
    process_release(&native->process);
}

static void ties_hold_between_workers_that_run_at_the_same_time(void **state)
{
    (void)state;
    static struct city city;
    static char bytes[LARGE];
    const struct node_options options = {.workers = WORKERS, .env = env_system()};
    struct err err;
    city.node = node_create(&options, &err);
    assert_non_null(city.node);
    assert_true(node_start(city.node, &err));
    tally_init(&city.tally);
    city.payload = payload_create(bytes, sizeof(bytes));
    assert_non_null(city.payload);
    for (unsigned number = 0; number < CITIZENS; number++) {
        if (number >= SLOTS) {
            latch_wait(&city.tally.exits, 1);
        }
        settle_citizen(&city, number);
    }
    node_stop(city.node);
    assert_int_equal(atomic_load(&city.wrong), 0);
    assert_int_equal(node_counts(city.node).processes, 0);
    assert_int_equal(atomic_load(&city.tally.destroyed), CITIZENS);
    assert_int_equal(atomic_load(&city.payload->holders), 1);
    assert_true(atomic_load(&city.downs) > 0);
    assert_true(atomic_load(&city.exits) > 0);
    assert_true(atomic_load(&city.replies) > 0);
    node_destroy(city.node);
    tally_fini(&city.tally);
    payload_release(city.payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_hold_between_workers_that_run_at_the_same_time),
    };
    return cmocka_run_group_tests_name("ties", tests, NULL, NULL);
}
