/* A hundred thousand processes on two threads, each tied to others and with mail: every promise is kept to each of them, and
 * nothing is left. */
#include "native.h"

#include "core/link.h"
#include "core/monitor.h"

#include <stdlib.h>

/* The first half watches, the second is watched. */
enum { CROWD = 100000, HALF = CROWD / 2, WORKERS = 2 };
enum { LABEL_TIE = 1, LABEL_PING = 2 };

struct member {
    struct process *process;
    struct crowd *crowd;
    size_t index;
    uint64_t reference;           /* of its monitor */
    unsigned pings, downs, exits; /* heard */
};

struct crowd {
    struct node *node;
    struct tally tally;
    struct latch tied, pinged, told;
    struct pid pids[CROWD]; /* before anybody is sent the first message */
    struct native *members[CROWD];
};

static struct pid partner(const struct member *member)
{
    return member->crowd->pids[(member->index + HALF) % CROWD];
}

/* Tie itself to its partner, and greet another one. */
static void member_tie(struct member *member)
{
    struct crowd *crowd = member->crowd;
    struct process *process = member->process;
    struct err err;
    if (member->index < HALF) {
        bool tied = link_add(process, partner(member), &err) &&
                    monitor_add(process, partner(member), &member->reference, &err);
        INVARIANT(tied);
    }
    latch_post(&crowd->tied);
    struct message *ping = message_create(process->pid.raw, LABEL_PING, "ping", 4);
    INVARIANT(ping != NULL);
    bool taken = process_send(crowd->node, crowd->pids[(member->index + 7919) % CROWD], ping);
    INVARIANT(taken);
}

/* True: it was the second and last piece of news of its partner. */
static bool member_hear_news(struct member *member, const struct message *message)
{
    INVARIANT(message->sender == partner(member).raw);
    INVARIANT(message->reason->exit_class == EXIT_KILLED);
    if (message->kind == MESSAGE_DOWN) {
        INVARIANT(message->reference == member->reference);
        member->downs++;
    } else {
        INVARIANT(message->kind == MESSAGE_EXIT);
        member->exits++;
    }
    return member->downs + member->exits == 2;
}

static enum turn turn_member(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    struct member *member = native->argument;
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        if (message->kind != MESSAGE_SEND) {
            if (member_hear_news(member, message)) {
                latch_post(&member->crowd->told);
            }
        } else if (message->label == LABEL_TIE) {
            member_tie(member);
        } else {
            member->pings++;
            latch_post(&member->crowd->pinged);
        }
        message_destroy(message);
    }
    return TURN_PARKED;
}

static void send_to_all(struct crowd *crowd, uint64_t label)
{
    for (size_t i = 0; i < CROWD; i++) {
        struct message *message = message_create(0, label, NULL, 0);
        assert_non_null(message);
        assert_true(process_send(crowd->node, crowd->pids[i], message));
    }
}

static struct member *start_all(struct crowd *crowd)
{
    static const struct process_quotas quotas = {.ties_max = 2};
    const struct process_options options = {.kind = "test",
                                            .label = "member",
                                            .mailbox = {.messages = 4, .bytes = 64},
                                            .quotas = &quotas,
                                            .traps_exits = true};
    struct member *members = calloc(CROWD, sizeof(*members));
    assert_non_null(members);
    struct err err;
    for (size_t i = 0; i < CROWD; i++) {
        struct native *native = native_create(crowd->node, &crowd->tally, turn_member, &options);
        members[i] = (struct member){.process = &native->process, .crowd = crowd, .index = i};
        native->argument = &members[i];
        process_retain(&native->process);
        crowd->members[i] = native;
        assert_true(process_start(&native->process, NULL, &err));
        crowd->pids[i] = native->process.pid;
    }
    return members;
}

static void kill_from(struct crowd *crowd, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        assert_true(process_kill(crowd->node, crowd->pids[i], "the test"));
    }
}

static void a_hundred_thousand_are_tied_get_mail_hear_of_ends_and_leave_nothing(void **state)
{
    (void)state;
    struct err err;
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    assert_non_null(crowd);
    tally_init(&crowd->tally);
    latch_init(&crowd->tied);
    latch_init(&crowd->pinged);
    latch_init(&crowd->told);
    crowd->node = node_create(&(struct node_options){.workers = WORKERS, .env = env_system()},
                              &err);
    assert_non_null(crowd->node);
    assert_true(node_start(crowd->node, &err));
    struct member *members = start_all(crowd);
    assert_int_equal(node_counts(crowd->node).processes, CROWD);

    send_to_all(crowd, LABEL_TIE);
    latch_wait(&crowd->tied, CROWD);
    latch_wait(&crowd->pinged, CROWD);

    kill_from(crowd, HALF, CROWD);
    latch_wait(&crowd->told, HALF);
    latch_wait(&crowd->tally.exits, HALF);
    assert_int_equal(node_counts(crowd->node).processes, HALF);
    kill_from(crowd, 0, HALF);
    latch_wait(&crowd->tally.exits, HALF);

    node_stop(crowd->node);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(members[i].pings, 1);
        assert_int_equal(members[i].downs, i < HALF);
        assert_int_equal(members[i].exits, i < HALF);
        assert_int_equal(mailbox_messages(&crowd->members[i]->process.mailbox), 0);
        process_release(&crowd->members[i]->process);
    }
    struct node_counts counts = node_counts(crowd->node);
    assert_int_equal(counts.processes, 0);
    assert_int_equal(counts.timers, 0);
    assert_int_equal(counts.exits[EXIT_KILLED], CROWD);
    assert_int_equal(crowd->tally.destroyed, CROWD);
    node_destroy(crowd->node);
    latch_fini(&crowd->tied);
    latch_fini(&crowd->pinged);
    latch_fini(&crowd->told);
    tally_fini(&crowd->tally);
    free(members);
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_are_tied_get_mail_hear_of_ends_and_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
