/* The copy of what lives on a node, with names. */
#include "../core/process_world.h"

#include "admin/processes.h"
#include "core/registry.h"

#include <string.h>

static const struct process_quotas QUOTAS = {.registered_max = {[REGISTRY_NAME] = 4}};

static struct native *start_named(struct world *world, const char *const *names)
{
    const struct process_options options = {
        .kind = "test", .label = "native", .quotas = &QUOTAS, .namespace = "main"};
    struct native *native = native_create(world->node, &world->tally, turn_park, &options);
    struct err err;

    process_retain(&native->process);
    process_identify(&native->process);
    for (; *names != NULL; names++) {
        struct registry_key key = {
            .namespace = "main", .name = *names, .name_bytes = strlen(*names)};
        assert_true(registry_add(node_registry(world->node), &native->process, REGISTRY_NAME, &key,
                                 true, NULL, &err));
    }
    assert_true(process_start(&native->process, world->worker, &err));
    return native;
}

static size_t line_of(const struct processes *processes, const struct native *native)
{
    for (size_t i = 0; i < processes->count; i++) {
        if (pid_equal(processes->lines[i].pid, native->process.pid)) {
            return i;
        }
    }
    fail_msg("it is not listed");
    return 0;
}

static unsigned names_of(const struct processes *processes, size_t line, const char *wanted)
{
    unsigned count = 0;
    bool found = wanted == NULL;
    size_t size = 0;

    for (const char *name; (name = processes_name(processes, line, count, &size)) != NULL;
         count++) {
        found = found || (size == strlen(wanted) && memcmp(name, wanted, size) == 0);
    }
    assert_true(found);
    return count;
}

static void every_process_has_its_own_names_and_no_others(void **state)
{
    struct world *world = *state;
    struct native *none = start_named(world, (const char *[]){NULL});
    struct native *one = start_named(world, (const char *[]){"one", NULL});
    struct native *two = start_named(world, (const char *[]){"two", "zwei", NULL});
    struct processes processes = {0};

    run_until_idle(world->node);
    assert_true(processes_read(&processes, world->node));
    assert_int_equal(processes.count, 3);
    assert_int_equal(names_of(&processes, line_of(&processes, none), NULL), 0);
    assert_int_equal(names_of(&processes, line_of(&processes, one), "one"), 1);
    assert_int_equal(names_of(&processes, line_of(&processes, two), "two"), 2);
    assert_int_equal(names_of(&processes, line_of(&processes, two), "zwei"), 2);
    processes_fini(&processes);
    process_release(&none->process);
    process_release(&one->process);
    process_release(&two->process);
}

static void an_empty_node_has_an_empty_list(void **state)
{
    struct world *world = *state;
    struct processes processes = {0};

    assert_true(processes_read(&processes, world->node));
    assert_int_equal(processes.count, 0);
    processes_fini(&processes);
}

static void assert_shown(const char *text, size_t size_bytes, const char *expected)
{
    struct bytes shown = {0};

    assert_true(processes_show(&shown, text, size_bytes));
    assert_true(bytes_terminate(&shown));
    assert_string_equal((char *)shown.data, expected);
    bytes_fini(&shown);
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
    (void)state;
    assert_shown("", 0, "");
    assert_shown("plain \xc3\xa4", 8, "plain \xc3\xa4");
    assert_shown("a\033[2Jb\r\n", 8, "a\\x1b[2Jb\\x0d\\x0a");
    assert_shown("\0\x7f", 2, "\\x00\\x7f");
    assert_shown("\xc2\x9b", 2, "\\xc2\\x9b"); /* CSI as one character */
    assert_shown("\xff\xc3", 2, "\\xff\\xc3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(every_process_has_its_own_names_and_no_others),
        IN_A_WORLD(an_empty_node_has_an_empty_list),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
