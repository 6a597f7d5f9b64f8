#include "native.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct process_quotas some = {.registered_max = {2, 3, 4}};
static const struct process_quotas many = {.registered_max = {100000, 100000, 100000}};

struct town {
    struct still_env env;
    struct node *node;
    struct registry *registry; /* The node's. */
    struct tally tally;
};

static int town_create(void **state)
{
    struct town *town = calloc(1, sizeof(*town));
    still_env_init(&town->env, 1);
    town->node = still_node(&town->env, 1, 0);
    town->registry = node_registry(town->node);
    tally_init(&town->tally);
    *state = town;
    return 0;
}

static int town_destroy(void **state)
{
    struct town *town = *state;
    node_stop(town->node);
    node_destroy(town->node); /* A bug when anything is left under a name. */
    tally_fini(&town->tally);
    free(town);
    return 0;
}

#define IN_TOWN(test) cmocka_unit_test_setup_teardown(test, town_create, town_destroy)

static enum turn turn_drop_mail(struct native *native, struct exit *ret_exit)
{
    (void)ret_exit;
    struct message *message;
    while ((message = process_receive(&native->process, NULL)) != NULL) {
        native->number += message->label;
        message_destroy(message);
    }
    return TURN_PARKED;
}

/* One that runs, and takes its mail at its turns; with a reference for the caller. */
static struct native *settle_with(struct town *town, const struct process_quotas *quotas,
                                  uint32_t messages_max)
{
    const struct process_options options = {
        .kind = "test", .quotas = quotas, .mailbox = {.messages = messages_max}};
    struct native *native = native_create(town->node, &town->tally, turn_drop_mail, &options);
    process_retain(&native->process);
    struct err err;
    assert_true(process_start(&native->process, worker_of(town->node, 0), &err));
    return native;
}

static struct native *settle(struct town *town)
{
    return settle_with(town, &some, 0);
}

static struct registry_key key_in(const char *namespace, const char *name)
{
    return (struct registry_key){.namespace = namespace, .name = name, .name_bytes = strlen(name)};
}

static struct registry_key key_of(const char *name)
{
    return key_in("main", name);
}

static bool add(struct town *town, struct native *native, enum registry_kind kind, const char *name,
                struct err *err)
{
    struct registry_key key = key_of(name);
    return registry_add(town->registry, &native->process, kind, &key, false, NULL, err);
}

static bool take_off(struct town *town, struct native *native, enum registry_kind kind,
                     const char *name)
{
    struct registry_key key = key_of(name);
    return registry_remove(town->registry, &native->process, kind, &key);
}

static struct pid whereis(struct town *town, const char *name)
{
    struct registry_key key = key_of(name);
    return registry_whereis(town->registry, &key);
}

static size_t count_in(struct town *town, enum registry_kind kind, const char *name)
{
    struct registry_key key = key_of(name);
    return registry_members(town->registry, kind, &key, NULL, 0);
}

static void a_name_has_one_holder_and_who_comes_second_learns_who(void **state)
{
    struct town *town = *state;
    struct native *first = settle(town), *second = settle(town);
    struct err err;
    assert_true(pid_is_none(whereis(town, "counter")));
    assert_true(add(town, first, REGISTRY_NAME, "counter", &err));
    assert_true(pid_equal(whereis(town, "counter"), first->process.pid));

    struct registry_key key = key_of("counter");
    struct pid holder = {0};
    assert_false(
        registry_add(town->registry, &second->process, REGISTRY_NAME, &key, false, &holder, &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_true(pid_equal(holder, first->process.pid));
    assert_false(add(town, first, REGISTRY_NAME, "counter", &err));
    assert_int_equal(err.code, ERR_EXISTS);

    assert_true(take_off(town, first, REGISTRY_NAME, "counter"));
    assert_false(take_off(town, first, REGISTRY_NAME, "counter"));
    assert_true(pid_is_none(whereis(town, "counter")));
    assert_true(add(town, second, REGISTRY_NAME, "counter", &err));
    process_release(&first->process);
    process_release(&second->process);
}

static void kinds_and_namespaces_keep_equal_names_apart(void **state)
{
    struct town *town = *state;
    struct native *a = settle(town), *b = settle(town), *c = settle(town);
    struct err err;
    const struct registry_key here = key_in("shop", "till"), there = key_in("sho", "ptill");
    assert_true(registry_add(town->registry, &a->process, REGISTRY_NAME, &here, false, NULL, &err));
    assert_true(
        registry_add(town->registry, &b->process, REGISTRY_NAME, &there, false, NULL, &err));
    assert_true(registry_add(town->registry, &c->process, REGISTRY_TAG, &here, false, NULL, &err));
    assert_true(pid_equal(registry_whereis(town->registry, &here), a->process.pid));
    assert_true(pid_equal(registry_whereis(town->registry, &there), b->process.pid));
    assert_int_equal(registry_members(town->registry, REGISTRY_TAG, &here, NULL, 0), 1);
    assert_int_equal(registry_members(town->registry, REGISTRY_GROUP, &here, NULL, 0), 0);
    assert_true(pid_is_none(whereis(town, "till")));
    process_release(&a->process);
    process_release(&b->process);
    process_release(&c->process);
}

static void each_kind_has_a_quota_of_its_own(void **state)
{
    struct town *town = *state;
    struct native *native = settle(town), *nobody = settle_with(town, NULL, 0);
    struct err err;
    char name[2] = "a";
    for (enum registry_kind kind = REGISTRY_NAME; kind <= REGISTRY_GROUP; kind++) {
        for (unsigned i = 0; i < some.registered_max[kind]; i++) {
            name[0] = (char)('a' + i);
            assert_true(add(town, native, kind, name, &err));
        }
        assert_false(add(town, native, kind, "z", &err));
        assert_int_equal(err.code, ERR_LIMIT);
        assert_false(add(town, nobody, kind, "z", &err));
        assert_int_equal(err.code, ERR_LIMIT);
        assert_true(take_off(town, native, kind, name));
        assert_true(add(town, native, kind, "z", &err));
    }
    process_release(&native->process);
    process_release(&nobody->process);
}

static void a_reserved_name_is_for_the_platform_to_give(void **state)
{
    struct town *town = *state;
    struct err err;
    const struct registry_key key = key_of("counter");
    assert_true(registry_reserve(town->registry, &key, &err));
    assert_false(registry_reserve(town->registry, &key, &err));
    assert_int_equal(err.code, ERR_EXISTS);

    struct native *guest = settle(town);
    assert_false(add(town, guest, REGISTRY_NAME, "counter", &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_true(add(town, guest, REGISTRY_TAG, "counter", &err));

    /* Twice, because in the gap between its holders nobody else may take it; and without a quota. */
    for (unsigned i = 0; i < 2; i++) {
        struct native *service = native_create(town->node, &town->tally, turn_drop_mail, NULL);
        process_retain(&service->process);
        process_identify(&service->process);
        assert_true(
            registry_add(town->registry, &service->process, REGISTRY_NAME, &key, true, NULL, &err));
        assert_true(process_start(&service->process, worker_of(town->node, 0), &err));
        assert_true(pid_equal(whereis(town, "counter"), service->process.pid));
        struct pid holder = {0};
        assert_false(registry_add(town->registry, &guest->process, REGISTRY_NAME, &key, true,
                                  &holder, &err));
        assert_int_equal(err.code, ERR_EXISTS);
        assert_true(pid_equal(holder, service->process.pid));
        process_stop(&service->process, STOP_KILL, "test");
        run_until_idle(town->node);
        process_release(&service->process);
        assert_true(pid_is_none(whereis(town, "counter")));
        assert_false(add(town, guest, REGISTRY_NAME, "counter", &err));
        assert_int_equal(err.code, ERR_DENIED);
    }
    process_release(&guest->process);
}

static void names_have_one_to_128_bytes_and_no_zero(void **state)
{
    struct town *town = *state;
    struct native *native = settle(town);
    char longest[REGISTRY_NAME_BYTES_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[REGISTRY_NAME_BYTES_MAX + 1] = '\0';
    const char zero[] = {'a', '\0', 'b'};
    const struct registry_key wrong[] = {
        key_of(""), key_of(longest), {.namespace = "main", .name = zero, .name_bytes = 3}};
    struct err err;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_false(registry_add(town->registry, &native->process, REGISTRY_NAME, &wrong[i], false,
                                  NULL, &err));
        assert_int_equal(err.code, ERR_INPUT);
        assert_false(registry_reserve(town->registry, &wrong[i], &err));
        assert_int_equal(err.code, ERR_INPUT);
    }
    longest[REGISTRY_NAME_BYTES_MAX] = '\0';
    assert_true(add(town, native, REGISTRY_NAME, longest, &err));
    assert_true(pid_equal(whereis(town, longest), native->process.pid));
    longest[REGISTRY_NAME_BYTES_MAX - 1] = '\0';
    assert_true(pid_is_none(whereis(town, longest)));
    process_release(&native->process);
}

static void members_are_listed_in_the_order_in_which_they_joined(void **state)
{
    struct town *town = *state;
    enum { MEMBERS = 40 };
    struct native *members[MEMBERS];
    struct err err;
    for (unsigned i = 0; i < MEMBERS; i++) {
        members[i] = settle(town);
        assert_true(add(town, members[i], REGISTRY_TAG, "blue", &err));
        assert_true(add(town, members[i], REGISTRY_TAG, "blue", &err)); /* Again: fine. */
    }
    assert_int_equal(count_in(town, REGISTRY_TAG, "blue"), MEMBERS);
    for (unsigned i = 0; i < MEMBERS; i += 4) {
        assert_true(take_off(town, members[i], REGISTRY_TAG, "blue"));
    }
    assert_true(add(town, members[0], REGISTRY_TAG, "blue", &err));
    struct pid pids[MEMBERS];
    struct registry_key key = key_of("blue");
    size_t count = registry_members(town->registry, REGISTRY_TAG, &key, pids, MEMBERS);
    assert_int_equal(count, MEMBERS - MEMBERS / 4 + 1);
    size_t at = 0;
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (i % 4 != 0) {
            assert_true(pid_equal(pids[at++], members[i]->process.pid));
        }
    }
    assert_true(pid_equal(pids[at], members[0]->process.pid));
    assert_int_equal(registry_members(town->registry, REGISTRY_TAG, &key, pids, 3), count);
    for (unsigned i = 0; i < MEMBERS; i++) {
        process_release(&members[i]->process);
    }
}

static void an_exit_releases_everything(void **state)
{
    struct town *town = *state;
    struct native *native = settle(town), *other = settle(town);
    struct err err;
    assert_true(add(town, native, REGISTRY_NAME, "a", &err));
    assert_true(add(town, native, REGISTRY_NAME, "b", &err));
    assert_true(add(town, native, REGISTRY_TAG, "a", &err));
    assert_true(add(town, native, REGISTRY_GROUP, "a", &err));
    assert_true(add(town, other, REGISTRY_GROUP, "a", &err));
    process_stop(&native->process, STOP_KILL, "test");
    run_until_idle(town->node);
    assert_true(pid_is_none(whereis(town, "a")));
    assert_true(pid_is_none(whereis(town, "b")));
    assert_int_equal(count_in(town, REGISTRY_TAG, "a"), 0);
    assert_int_equal(count_in(town, REGISTRY_GROUP, "a"), 1);
    process_release(&native->process);
    process_release(&other->process);
}

static struct publication publish(struct town *town, const char *name, unsigned most)
{
    struct registry_key key = key_of(name);
    struct payload *payload = payload_create("news", 4);
    struct publishing publishing = {0};
    while (!registry_publish(town->registry, town->node, &key, 0, 1, payload, most, &publishing)) {
    }
    run_until_idle(town->node);
    /* Whoever took it has let go of the bytes. */
    assert_int_equal(atomic_load(&payload->holders), 1);
    payload_release(payload);
    return publishing.sum;
}

static void a_publication_reaches_each_member_once_in_slices_of_any_size(void **state)
{
    struct town *town = *state;
    enum { MEMBERS = 200 };
    struct native *members[MEMBERS];
    struct err err;
    for (unsigned i = 0; i < MEMBERS; i++) {
        members[i] = settle(town);
        assert_true(add(town, members[i], REGISTRY_GROUP, "news", &err));
    }
    const unsigned slices[] = {1, 3, 64, 65, MEMBERS, MEMBERS + 1};
    for (size_t s = 0; s < ARRAY_LENGTH(slices); s++) {
        struct publication sum = publish(town, "news", slices[s]);
        assert_int_equal(sum.reached, MEMBERS);
        assert_int_equal(sum.skipped, 0);
        for (unsigned i = 0; i < MEMBERS; i++) {
            assert_int_equal(members[i]->number, s + 1);
        }
    }
    struct publication nobody = publish(town, "no news", 10);
    assert_int_equal(nobody.reached + nobody.skipped, 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
        process_release(&members[i]->process);
    }
}

static void a_full_subscriber_is_counted_and_skipped(void **state)
{
    struct town *town = *state;
    struct native *full = settle_with(town, &some, 1), *other = settle(town);
    struct err err;
    assert_true(add(town, full, REGISTRY_GROUP, "news", &err));
    assert_true(add(town, other, REGISTRY_GROUP, "news", &err));
    assert_true(process_send(town->node, full->process.pid, message_create(0, 0, "x", 1)));
    struct publication sum = publish(town, "news", 100);
    assert_int_equal(sum.reached, 1);
    assert_int_equal(sum.skipped, 1);
    assert_int_equal(other->number, 1);
    assert_int_equal(full->number, 0);
    assert_int_equal(publish(town, "news", 100).reached, 2);
    process_release(&full->process);
    process_release(&other->process);
}

static void who_joins_during_a_publication_misses_it_and_who_leaves_too(void **state)
{
    struct town *town = *state;
    enum { MEMBERS = 30 };
    struct native *members[MEMBERS];
    struct err err;
    for (unsigned i = 0; i < MEMBERS; i++) {
        members[i] = settle(town);
        assert_true(add(town, members[i], REGISTRY_GROUP, "news", &err));
    }
    struct native *late = settle(town);
    struct registry_key key = key_of("news");
    struct payload *payload = payload_create("news", 4);
    struct publishing publishing = {0};
    assert_false(
        registry_publish(town->registry, town->node, &key, 0, 1, payload, 10, &publishing));
    assert_true(add(town, late, REGISTRY_GROUP, "news", &err));
    /* Of those who have it: so many leave that the list is made anew, and one joins again. */
    for (unsigned i = 0; i < 10; i++) {
        assert_true(take_off(town, members[i], REGISTRY_GROUP, "news"));
    }
    assert_true(add(town, members[3], REGISTRY_GROUP, "news", &err));
    for (unsigned i = 15; i < 25; i++) {
        assert_true(take_off(town, members[i], REGISTRY_GROUP, "news"));
    }
    while (!registry_publish(town->registry, town->node, &key, 0, 1, payload, 1, &publishing)) {
    }
    run_until_idle(town->node);
    assert_int_equal(publishing.sum.reached, 20);
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_int_equal(members[i]->number, i < 15 || i >= 25);
        process_release(&members[i]->process);
    }
    assert_int_equal(late->number, 0);
    process_release(&late->process);
    payload_release(payload);
}

static void ten_thousand_members_come_and_go(void **state)
{
    struct town *town = *state;
    enum { MEMBERS = 10000 };
    struct native **members = calloc(MEMBERS, sizeof(struct native *));
    struct err err;
    for (unsigned i = 0; i < MEMBERS; i++) {
        members[i] = settle(town);
        assert_true(add(town, members[i], REGISTRY_GROUP, "news", &err));
    }
    assert_int_equal(publish(town, "news", 100).reached, MEMBERS);
    for (unsigned i = 0; i < MEMBERS; i += 2) {
        process_stop(&members[i]->process, STOP_KILL, "test");
    }
    run_until_idle(town->node);
    assert_int_equal(publish(town, "news", 100).reached, MEMBERS / 2);
    assert_int_equal(count_in(town, REGISTRY_GROUP, "news"), MEMBERS / 2);
    for (unsigned i = 0; i < MEMBERS; i++) {
        process_release(&members[i]->process);
    }
    free(members);
}

static void a_hundred_thousand_names_come_and_go(void **state)
{
    struct town *town = *state;
    struct native *native = settle_with(town, &many, 0);
    struct err err;
    char name[16];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "name %u", i);
        assert_true(add(town, native, REGISTRY_NAME, name, &err));
    }
    for (unsigned i = 0; i < 100000; i += 1000) {
        snprintf(name, sizeof(name), "name %u", i);
        assert_true(pid_equal(whereis(town, name), native->process.pid));
    }
    assert_true(pid_is_none(whereis(town, "name 100000")));
    process_stop(&native->process, STOP_KILL, "test");
    run_until_idle(town->node);
    assert_true(pid_is_none(whereis(town, "name 1000")));
    process_release(&native->process);
}

struct crowd {
    struct town *town;
    struct native *native; /* Its own; not started, so it takes no turn. */
    unsigned taken;        /* Of the one name. */
};

static void *crowd_run(void *argument)
{
    struct crowd *crowd = argument;
    struct town *town = crowd->town;
    const struct registry_key group = key_of("news"), name = key_of("chair");
    struct payload *payload = payload_create("x", 1);
    for (unsigned i = 0; i < 2000; i++) {
        struct err err;
        struct pid holder = {0};
        INVARIANT(registry_add(town->registry, &crowd->native->process, REGISTRY_GROUP, &group,
                               false, NULL, &err));
        if (registry_add(town->registry, &crowd->native->process, REGISTRY_NAME, &name, false,
                         &holder, &err)) {
            INVARIANT(
                pid_equal(registry_whereis(town->registry, &name), crowd->native->process.pid));
            crowd->taken++;
        } else {
            INVARIANT(err.code == ERR_EXISTS && !pid_is_none(holder));
        }
        struct publishing publishing = {0};
        while (
            !registry_publish(town->registry, town->node, &group, 0, 0, payload, 1, &publishing)) {
        }
        INVARIANT(publishing.sum.reached >= 1);
        registry_leave(town->registry, &crowd->native->process);
    }
    payload_release(payload);
    return NULL;
}

static void threads_join_publish_and_leave_at_once(void **state)
{
    struct town *town = *state;
    enum { THREADS = 4 };
    struct crowd crowd[THREADS];
    pthread_t threads[THREADS];
    const struct process_options options = {.kind = "test", .quotas = &some};
    for (unsigned i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){
            .town = town,
            .native = native_create(town->node, &town->tally, turn_drop_mail, &options)};
        process_identify(&crowd[i].native->process);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowd[i]), 0);
    }
    unsigned taken = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        taken += crowd[i].taken;
        struct err err;
        assert_true(process_start(&crowd[i].native->process, worker_of(town->node, 0), &err));
    }
    assert_true(taken > 0);
    assert_true(pid_is_none(whereis(town, "chair")));
    run_until_idle(town->node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TOWN(a_name_has_one_holder_and_who_comes_second_learns_who),
        IN_TOWN(kinds_and_namespaces_keep_equal_names_apart),
        IN_TOWN(each_kind_has_a_quota_of_its_own),
        IN_TOWN(a_reserved_name_is_for_the_platform_to_give),
        IN_TOWN(names_have_one_to_128_bytes_and_no_zero),
        IN_TOWN(members_are_listed_in_the_order_in_which_they_joined),
        IN_TOWN(an_exit_releases_everything),
        IN_TOWN(a_publication_reaches_each_member_once_in_slices_of_any_size),
        IN_TOWN(a_full_subscriber_is_counted_and_skipped),
        IN_TOWN(who_joins_during_a_publication_misses_it_and_who_leaves_too),
        IN_TOWN(ten_thousand_members_come_and_go),
        IN_TOWN(a_hundred_thousand_names_come_and_go),
        IN_TOWN(threads_join_publish_and_leave_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
