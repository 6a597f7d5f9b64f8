#include "../base/cmocka_all.h"

#include "serve/inheritance.h"

#include <stdio.h>
#include <string.h>

enum { SELF = 100, PARENT = 99 };

static struct inheritance parsed(struct inheritance_variables variables)
{
    struct inheritance inheritance;
    struct err err = {0};
    if (!inheritance_parse(&variables, SELF, PARENT, &inheritance, &err)) {
        fail_msg("%s", err.text);
    }
    return inheritance;
}

static void assert_refused(struct inheritance_variables variables, const char *word)
{
    struct inheritance inheritance;
    struct err err = {0};
    if (inheritance_parse(&variables, SELF, PARENT, &inheritance, &err)) {
        fail_msg("%s is taken", word);
    }
    if (err.code != ERR_INPUT || strstr(err.text, word) == NULL) {
        fail_msg("'%s' does not say '%s'", err.text, word);
    }
}

static void without_variables_there_is_nothing(void **state)
{
    (void)state;
    struct inheritance none = parsed((struct inheritance_variables){0});
    assert_int_equal(none.count, 0);
    assert_false(none.succeeds);
    inheritance_fini(&none);
    none = parsed((struct inheritance_variables){.pid = "100"});
    assert_int_equal(none.count, 0);
    inheritance_fini(&none);
}

static void sockets_of_a_service_manager_go_by_their_names(void **state)
{
    (void)state;
    struct inheritance two =
        parsed((struct inheritance_variables){.pid = "100", .fds = "2", .names = "web:adm%in"});
    assert_int_equal(two.count, 2);
    assert_int_equal(two.sockets[0].fd, 3);
    assert_string_equal(two.sockets[0].key, "systemd:web");
    assert_int_equal(two.sockets[1].fd, 4);
    assert_string_equal(two.sockets[1].key, "systemd:adm%in");
    assert_false(two.sockets[0].owned);
    assert_false(two.succeeds);
    inheritance_fini(&two);
}

static void sockets_without_names_are_called_unknown(void **state)
{
    (void)state;
    struct inheritance one = parsed((struct inheritance_variables){.pid = "100", .fds = "1"});
    assert_int_equal(one.count, 1);
    assert_string_equal(one.sockets[0].key, "systemd:unknown");
    inheritance_fini(&one);
}

static void what_is_meant_for_another_process_is_left_alone(void **state)
{
    (void)state;
    struct inheritance none =
        parsed((struct inheritance_variables){.pid = "99", .fds = "x", .names = ":::"});
    assert_int_equal(none.count, 0);
    inheritance_fini(&none);
    none = parsed(
        (struct inheritance_variables){.pid = "98", .fds = "1", .names = "+a", .handover = "4:5"});
    assert_int_equal(none.count, 0);
    assert_false(none.succeeds);
    inheritance_fini(&none);
}

static void variables_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    assert_refused((struct inheritance_variables){.pid = "1x", .fds = "1"}, "LISTEN_PID");
    assert_refused((struct inheritance_variables){.pid = "100", .fds = ""}, "LISTEN_FDS");
    assert_refused((struct inheritance_variables){.pid = "100", .fds = "-1"}, "LISTEN_FDS");
    assert_refused((struct inheritance_variables){.pid = "100", .fds = "1025"}, "LISTEN_FDS");
    assert_refused((struct inheritance_variables){.pid = "100", .fds = "2", .names = "a"},
                   "LISTEN_FDNAMES");
    assert_refused((struct inheritance_variables){.pid = "100", .fds = "1", .names = "a:b"},
                   "LISTEN_FDNAMES");
    static const char *const names[] = {"a", "", "+%", "+%4", "+%4g", "+%00", "*a", "+%3a"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_refused(
            (struct inheritance_variables){
                .pid = "99", .fds = "1", .names = names[i], .handover = "4:5"},
            "LISTEN_FDNAMES");
    }
    static const char *const handovers[] = {"", "4", "4:", ":5", "4:5:6", "x:5", "4:99999999999"};
    for (size_t i = 0; i < ARRAY_LENGTH(handovers); i++) {
        assert_refused(
            (struct inheritance_variables){
                .pid = "99", .fds = "1", .names = "+a", .handover = handovers[i]},
            "MOTE_HANDOVER");
    }
}

static void a_successor_finds_what_its_predecessor_wrote(void **state)
{
    (void)state;
    static const char *const keys[] = {"127.0.0.1:8080", "[::1]:0", "unix:/run/a b%41:ü.sock",
                                       "systemd:web", "admin:mote"};
    struct handover handover = {0};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        assert_true(handover_add(&handover, (int)i + 50, keys[i], i % 2 == 0, &err));
    }
    assert_int_equal(handover.count, ARRAY_LENGTH(keys));
    assert_int_equal(handover.fds[4], 54);
    assert_true(bytes_terminate(&handover.names));
    struct inheritance inheritance = parsed((struct inheritance_variables){
        .pid = "99", .fds = "5", .names = (char *)handover.names.data, .handover = "8:9"});
    assert_true(inheritance.succeeds);
    assert_int_equal(inheritance.control_fd, 8);
    assert_int_equal(inheritance.error_fd, 9);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        assert_string_equal(inheritance.sockets[i].key, keys[i]);
        assert_int_equal(inheritance.sockets[i].owned, i % 2 == 0);
    }
    inheritance_fini(&inheritance);
    handover_fini(&handover);
}

static void more_sockets_than_can_be_named_are_refused(void **state)
{
    (void)state;
    struct handover handover = {0};
    struct err err = {0};
    for (int i = 0; i < INHERITANCE_MAX; i++) {
        assert_true(handover_add(&handover, i, "k", false, &err));
    }
    assert_false(handover_add(&handover, 1, "k", false, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(handover.count, INHERITANCE_MAX);
    handover_fini(&handover);
}

static void sockets_are_taken_once_by_key_before_by_address(void **state)
{
    (void)state;
    struct inheritance three =
        parsed((struct inheritance_variables){.pid = "100", .fds = "3", .names = "a:b:a"});
    struct endpoint here, found;
    struct err err = {0};
    assert_true(endpoint_resolve("127.0.0.1:80", &here, &err));
    three.sockets[1].endpoint = here;
    int sockets[4];
    bool owned = true;
    assert_true(inheritance_find(&three, "systemd:a", &found));
    assert_int_equal(inheritance_take(&three, "systemd:a", &here, sockets, 4, &found, &owned), 2);
    assert_int_equal(sockets[0], 3);
    assert_int_equal(sockets[1], 5);
    assert_false(owned);
    assert_false(inheritance_find(&three, "systemd:a", &found));
    assert_int_equal(inheritance_take(&three, "127.0.0.1:80", NULL, sockets, 4, &found, &owned), 0);
    assert_int_equal(inheritance_take(&three, "127.0.0.1:80", &here, sockets, 4, &found, &owned),
                     1);
    assert_int_equal(sockets[0], 4);
    assert_int_equal(inheritance_take(&three, "127.0.0.1:80", &here, sockets, 4, &found, &owned),
                     0);
    inheritance_fini(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_variables_there_is_nothing),
        cmocka_unit_test(sockets_of_a_service_manager_go_by_their_names),
        cmocka_unit_test(sockets_without_names_are_called_unknown),
        cmocka_unit_test(what_is_meant_for_another_process_is_left_alone),
        cmocka_unit_test(variables_that_contradict_themselves_are_refused),
        cmocka_unit_test(a_successor_finds_what_its_predecessor_wrote),
        cmocka_unit_test(more_sockets_than_can_be_named_are_refused),
        cmocka_unit_test(sockets_are_taken_once_by_key_before_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
