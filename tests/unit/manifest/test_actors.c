/* Services, supervisors, schedules, and what is granted towards other processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/supervisor.h"
#include "fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Loads, and checks that nothing but `warnings` is said. */
static struct manifest *loaded(const char *text, const char *warnings)
{
    struct problems problems = {0};
    struct manifest *manifest = fake_load(text, NULL, &problems);
    char *printed = fake_problems(&problems);

    assert_string_equal(printed, warnings);
    assert_non_null(manifest);
    free(printed);
    problems_fini(&problems);
    return manifest;
}

/* "a b [c d] e": the names below `children`, a supervisor's own in brackets. */
static void print_children(const struct manifest_child *children, size_t count, struct bytes *ret)
{
    for (size_t i = 0; i < count; i++) {
        const char *blank = i == 0 ? "" : " ";
        if (children[i].component != NULL) {
            assert_true(bytes_printf(ret, "%s%s", blank, children[i].component->name));
        } else {
            const struct manifest_supervisor *supervisor = children[i].supervisor;
            assert_true(bytes_printf(ret, "%s%s[", blank, supervisor->name.value));
            print_children(supervisor->children, supervisor->child_count, ret);
            assert_true(bytes_printf(ret, "]"));
        }
    }
}

static void assert_tree(const struct manifest *manifest, const char *expected)
{
    struct bytes text = {0};

    print_children(manifest->top, manifest->top_count, &text);
    assert_true(bytes_terminate(&text));
    assert_string_equal((char *)text.data, expected);
    bytes_fini(&text);
}

static void whose_own_entry_is_a_service_is_warned_about_elsewhere(void **state)
{
    (void)state;
    static const char service[] = "[components.a]\nentry = \"run\"\nresident = true\n";
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "%s[[serve]]\n[serve.routes]\n\"GET /\" = \"a\"\n\"GET /x\" = \"a#x\"\n"
                   "[[schedule]]\nevery = \"1s\"\ncomponent = \"a\"\n"
                   "[[schedule]]\nevery = \"1s\"\ncomponent = \"a\"\nentry = \"y\"\n",
                   service);
    manifest_destroy(loaded(
        text, "mote.toml:6:11: warning: 'run' is the entry of the service 'a': to answer requests, "
              "another process of it is started each time, which is not that service; name another "
              "entry\n"
              "mote.toml:10:13: warning: 'run' is the entry of the service 'a': to run a schedule, "
              "another process of it is started each time, which is not that service; name another "
              "entry\n"));
}

static void a_wrong_resident_is_told_once_and_nothing_else_because_of_it(void **state)
{
    (void)state;
    struct problems problems = {0};
    struct manifest *manifest = fake_load("[components.a]\nresident = \"yes\"\n"
                                          "restart = \"permanent\"\nshutdown-ms = 1\n"
                                          "[[supervisor]]\nname = \"s\"\nchildren = [\"a\"]\n",
                                          NULL, &problems);
    char *printed = fake_problems(&problems);

    assert_null(manifest);
    assert_string_equal(printed,
                        "mote.toml:2:12: 'resident' must be true or false, not a string\n");
    free(printed);
    problems_fini(&problems);
}

static void a_component_is_no_service_unless_it_says_so(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n[[serve]]\ncomponent = \"a\"\n", "");

    assert_false(manifest->components[0].resident.value);
    assert_string_equal(manifest->components[0].namespace.value, "main");
    assert_tree(manifest, "");
    manifest_destroy(manifest);
}

static void services_without_a_supervisor_are_the_tops_in_the_order_of_the_manifest(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[[supervisor]]\n"
                                       "name = \"s\"\n"
                                       "children = [\"c\"]\n"
                                       "[components.b]\n"
                                       "resident = true\n"
                                       "[components.c]\n"
                                       "resident = true\n"
                                       "[components.worker]\n"
                                       "[[supervisor]]\n"
                                       "name = \"t\"\n"
                                       "children = [\"d\"]\n"
                                       "[components.a]\n"
                                       "resident = true\n"
                                       "[components.d]\n"
                                       "resident = true\n",
                                       "");

    assert_tree(manifest, "s[c] b t[d] a");
    assert_int_equal(manifest->node.max_restarts.value, 3);
    assert_int_equal(manifest->node.window_ms.value, 5000);
    assert_int_equal(manifest->node.on_escalation.value, MANIFEST_STAY_DOWN);
    manifest_destroy(manifest);
}

static void supervisors_nest_and_keep_the_order_of_their_children(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n"
                                       "resident = true\n"
                                       "[components.b]\n"
                                       "resident = true\n"
                                       "[components.c]\n"
                                       "resident = true\n"
                                       "[[supervisor]]\n"
                                       "name = \"inner\"\n"
                                       "strategy = \"one-for-all\"\n"
                                       "max-restarts = 0\n"
                                       "window-ms = 1\n"
                                       "children = [\"c\", \"a\"]\n"
                                       "[[supervisor]]\n"
                                       "name = \"outer\"\n"
                                       "strategy = \"rest-for-one\"\n"
                                       "children = [\"b\", \"inner\"]\n",
                                       "");

    assert_tree(manifest, "outer[b inner[c a]]");
    assert_int_equal(manifest->supervisors[0].strategy.value, ONE_FOR_ALL);
    assert_int_equal(manifest->supervisors[0].max_restarts.value, 0);
    assert_int_equal(manifest->supervisors[0].window_ms.value, 1);
    assert_ptr_equal(manifest->supervisors[0].parent, &manifest->supervisors[1]);
    assert_int_equal(manifest->supervisors[1].strategy.value, REST_FOR_ONE);
    assert_null(manifest->supervisors[1].parent);
    manifest_destroy(manifest);
}

static void a_service_has_the_times_of_its_supervisor_unless_its_own(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.own]\n"
                                       "resident = true\n"
                                       "shutdown-ms = 0\n"
                                       "start-timeout-ms = 7\n"
                                       "[components.heir]\n"
                                       "resident = true\n"
                                       "[components.orphan]\n"
                                       "resident = true\n"
                                       "restart = \"temporary\"\n"
                                       "[[supervisor]]\n"
                                       "name = \"s\"\n"
                                       "shutdown-ms = 100\n"
                                       "start-timeout-ms = 200\n"
                                       "children = [\"own\", \"heir\"]\n",
                                       "");

    assert_int_equal(manifest->components[0].shutdown_ms.value, 0);
    assert_int_equal(manifest->components[0].start_timeout_ms.value, 7);
    assert_int_equal(manifest->components[1].shutdown_ms.value, 100);
    assert_int_equal(manifest->components[1].shutdown_ms.line, 12);
    assert_int_equal(manifest->components[1].start_timeout_ms.value, 200);
    assert_int_equal(manifest->components[1].restart.value, RESTART_PERMANENT);
    assert_int_equal(manifest->components[2].shutdown_ms.value, 5000);
    assert_int_equal(manifest->components[2].start_timeout_ms.value, 10000);
    assert_int_equal(manifest->components[2].restart.value, RESTART_TEMPORARY);
    manifest_destroy(manifest);
}

static void a_schedule_says_what_and_when(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n"
                                       "entry = \"tick\"\n"
                                       "[[schedule]]\n"
                                       "cron = \"*/5 9-17 * * mon-fri\"\n"
                                       "component = \"a\"\n"
                                       "[[schedule]]\n"
                                       "every = \"90 m\"\n"
                                       "component = \"a\"\n"
                                       "entry = \"tock\"\n"
                                       "overlap = \"allow\"\n"
                                       "[[schedule]]\n"
                                       "every = 1\n"
                                       "component = \"a\"\n",
                                       "");

    assert_int_equal(manifest->schedule_count, 3);
    assert_string_equal(manifest->schedules[0].cron.value, "*/5 9-17 * * mon-fri");
    assert_int_equal(manifest->schedules[0].every_ms.value, 0);
    assert_ptr_equal(manifest->schedules[0].target, &manifest->components[0]);
    assert_string_equal(manifest->schedules[0].entry.value, "tick");
    assert_int_equal(manifest->schedules[0].overlap.value, MANIFEST_SKIP);
    assert_null(manifest->schedules[1].cron.value);
    assert_int_equal(manifest->schedules[1].every_ms.value, 5400000);
    assert_string_equal(manifest->schedules[1].entry.value, "tock");
    assert_int_equal(manifest->schedules[1].overlap.value, MANIFEST_ALLOW);
    assert_int_equal(manifest->schedules[2].every_ms.value, 1);
    manifest_destroy(manifest);
}

static void assert_names(const struct manifest_names *names, const char *expected)
{
    struct bytes text = {0};

    for (size_t i = 0; names->names[i] != NULL; i++) {
        assert_true(bytes_printf(&text, "%s ", names->names[i]));
    }
    assert_true(bytes_terminate(&text));
    assert_string_equal((char *)text.data, expected);
    bytes_fini(&text);
}

static void nothing_is_granted_towards_other_processes_by_default(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n[[serve]]\ncomponent = \"a\"\n", "");
    const struct manifest_component *component = &manifest->components[0];

    assert_names(&component->allow_spawn, "");
    assert_names(&component->allow_namespaces, "");
    assert_false(component->allow_process_control.value);
    assert_false(component->accept_links.value);
    manifest_destroy(manifest);
}

static void the_profile_trusted_spawns_and_controls_in_its_own_namespace(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n"
                                       "capability = \"trusted\"\n"
                                       "[[serve]]\n"
                                       "component = \"a\"\n",
                                       "");
    const struct manifest_component *component = &manifest->components[0];

    assert_names(&component->allow_spawn, "* ");
    assert_int_equal(component->allow_spawn.line, MANIFEST_PROFILE);
    assert_true(component->allow_process_control.value);
    assert_names(&component->allow_namespaces, "");
    assert_false(component->accept_links.value);
    manifest_destroy(manifest);
}

static void the_nearest_list_of_names_counts_and_may_say_less(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[capabilities.base]\n"
                                       "inherits = \"trusted\"\n"
                                       "allow-spawn = [\"a\", \"b\"]\n"
                                       "allow-namespaces = [\"blue\"]\n"
                                       "allow-process-control = false\n"
                                       "[capabilities.less]\n"
                                       "inherits = \"base\"\n"
                                       "allow-spawn = false\n"
                                       "accept-links = true\n"
                                       "[components.a]\n"
                                       "capability = \"base\"\n"
                                       "[components.b]\n"
                                       "capability = \"less\"\n"
                                       "[[serve]]\n"
                                       "component = \"a\"\n",
                                       "");

    assert_names(&manifest->components[0].allow_spawn, "a b ");
    assert_names(&manifest->components[0].allow_namespaces, "blue ");
    assert_false(manifest->components[0].allow_process_control.value);
    assert_names(&manifest->components[1].allow_spawn, "");
    assert_names(&manifest->components[1].allow_namespaces, "blue ");
    assert_true(manifest->components[1].accept_links.value);
    manifest_destroy(manifest);
}

static void a_grant_of_everything_is_warned_of(void **state)
{
    (void)state;
    struct manifest *manifest = loaded(
        "[capabilities.base]\n"
        "allow-spawn = true\n"
        "allow-namespaces = true\n"
        "[components.a]\n"
        "capability = \"base\"\n"
        "[[serve]]\n"
        "component = \"a\"\n",
        "mote.toml:2:15: warning: allow-spawn = true means every component, also those of later; "
        "name them instead: allow-spawn = [\"...\"]\n"
        "mote.toml:3:20: warning: allow-namespaces = true means every namespace, also those of "
        "later; name them instead: allow-namespaces = [\"...\"]\n");

    assert_names(&manifest->components[0].allow_spawn, "* ");
    assert_names(&manifest->components[0].allow_namespaces, "* ");
    manifest_destroy(manifest);
}

static void every_quota_has_its_default(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n[[serve]]\ncomponent = \"a\"\n", "");
    const struct manifest_limits *limits = &manifest->components[0].limits;

    assert_int_equal(limits->max_children.value, 1000);
    assert_int_equal(limits->max_timers.value, 1000);
    assert_int_equal(limits->max_ties.value, 10000);
    assert_int_equal(limits->max_names.value, 16);
    assert_int_equal(limits->max_tags.value, 256);
    assert_int_equal(limits->max_groups.value, 256);
    assert_int_equal(limits->max_streams.value, 64);
    assert_int_equal(limits->stream_buffer_bytes.value, 262144);
    assert_int_equal(limits->max_message_bytes.value, 4194304);
    assert_int_equal(limits->mailbox_policy.value, MAILBOX_REFUSE);
    manifest_destroy(manifest);
}

static void a_node_of_services_or_schedules_needs_no_listener(void **state)
{
    (void)state;
    manifest_destroy(loaded("[components.a]\nresident = true\n", ""));
    manifest_destroy(
        loaded("[components.a]\n[[schedule]]\nevery = \"1s\"\ncomponent = \"a\"\n", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_own_entry_is_a_service_is_warned_about_elsewhere),
        cmocka_unit_test(a_wrong_resident_is_told_once_and_nothing_else_because_of_it),
        cmocka_unit_test(a_component_is_no_service_unless_it_says_so),
        cmocka_unit_test(services_without_a_supervisor_are_the_tops_in_the_order_of_the_manifest),
        cmocka_unit_test(supervisors_nest_and_keep_the_order_of_their_children),
        cmocka_unit_test(a_service_has_the_times_of_its_supervisor_unless_its_own),
        cmocka_unit_test(a_schedule_says_what_and_when),
        cmocka_unit_test(nothing_is_granted_towards_other_processes_by_default),
        cmocka_unit_test(the_profile_trusted_spawns_and_controls_in_its_own_namespace),
        cmocka_unit_test(the_nearest_list_of_names_counts_and_may_say_less),
        cmocka_unit_test(a_grant_of_everything_is_warned_of),
        cmocka_unit_test(every_quota_has_its_default),
        cmocka_unit_test(a_node_of_services_or_schedules_needs_no_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
