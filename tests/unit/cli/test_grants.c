/* Every limit and grant of the manifest arrives where it counts, and in nobody else's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../manifest/fake_world.h"
#include "cli/grants.h"

#include "guest/network.h"

#include <stdlib.h>

static struct manifest *loaded(const char *text)
{
    struct problems problems = {0};
    struct manifest *manifest = fake_load(text, NULL, &problems);

    assert_non_null(manifest);
    problems_fini(&problems);
    return manifest;
}

static void each_limit_has_a_place_of_its_own(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n"
                                       "max-memory-mb = 2\n"
                                       "max-cpu-ms = 3\n"
                                       "mailbox-messages = 4\n"
                                       "mailbox-bytes = 5\n"
                                       "mailbox-policy = \"drop-new\"\n"
                                       "log-lines-per-second = 6\n"
                                       "max-message-bytes = 7\n"
                                       "max-children = 8\n"
                                       "max-ties = 9\n"
                                       "max-timers = 10\n"
                                       "max-names = 11\n"
                                       "max-tags = 12\n"
                                       "max-groups = 13\n"
                                       "max-streams = 14\n"
                                       "stream-buffer-bytes = 5000\n"
                                       "namespace = \"blue\"\n"
                                       "[[schedule]]\n"
                                       "every = \"1h\"\n"
                                       "component = \"a\"\n");
    struct grant grant;
    struct engine_preopen *preopens = grant_fill(&manifest->components[0], &grant);

    assert_non_null(preopens);
    assert_int_equal(grant.memory_max_bytes, 2 << 20);
    assert_int_equal(grant.cpu_max_ns, 3000000);
    assert_int_equal(grant.mailbox.messages, 4);
    assert_int_equal(grant.mailbox.bytes, 5);
    assert_int_equal(grant.mailbox.policy, MAILBOX_DROP_NEW);
    assert_int_equal(grant.log_lines_per_s, 6);
    assert_int_equal(grant.message_bytes_max, 7);
    assert_int_equal(grant.children_max, 8);
    assert_int_equal(grant.quotas.ties_max, 9);
    assert_int_equal(grant.quotas.timers_max, 10);
    assert_int_equal(grant.quotas.registered_max[REGISTRY_NAME], 11);
    assert_int_equal(grant.quotas.registered_max[REGISTRY_TAG], 12);
    assert_int_equal(grant.quotas.registered_max[REGISTRY_GROUP], 13);
    assert_int_equal(grant.streams_max, 14);
    assert_int_equal(grant.stream_buffer_bytes, 5000);
    assert_string_equal(grant.namespace, "blue");
    assert_false(grant.allow_process_control || grant.accept_links || grant.stdio);
    assert_null(grant.allow_spawn[0]);
    assert_null(grant.allow_namespaces[0]);
    network_policy_release(grant.network);
    free(preopens);
    manifest_destroy(manifest);
}

static void what_is_granted_is_granted_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool stdio, control, links;
        const char *spawn, *namespace;
    } CASES[] = {
        {"allow-stdio = true", true, false, false, NULL, NULL},
        {"allow-process-control = true", false, true, false, NULL, NULL},
        {"accept-links = true", false, false, true, NULL, NULL},
        {"allow-spawn = [\"a\"]", false, false, false, "a", NULL},
        {"allow-spawn = true", false, false, false, "*", NULL},
        {"allow-namespaces = [\"blue\"]", false, false, false, NULL, "blue"},
        {"inherits = \"trusted\"", true, true, false, "*", NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        struct bytes text = {0};
        assert_true(bytes_printf(&text,
                                 "[capabilities.c]\n%s\n[components.a]\ncapability = \"c\"\n"
                                 "resident = true\n",
                                 CASES[i].line));
        assert_true(bytes_terminate(&text));
        struct manifest *manifest = loaded((char *)text.data);
        struct grant grant;
        struct engine_preopen *preopens = grant_fill(&manifest->components[0], &grant);
        assert_non_null(preopens);
        assert_string_equal(grant.name, "c");
        assert_int_equal(grant.stdio, CASES[i].stdio);
        assert_int_equal(grant.allow_process_control, CASES[i].control);
        assert_int_equal(grant.accept_links, CASES[i].links);
        const char *spawn = grant.allow_spawn[0], *namespace = grant.allow_namespaces[0];
        assert_string_equal(spawn == NULL ? "" : spawn,
                            CASES[i].spawn == NULL ? "" : CASES[i].spawn);
        assert_string_equal(namespace == NULL ? "" : namespace,
                            CASES[i].namespace == NULL ? "" : CASES[i].namespace);
        network_policy_release(grant.network);
        free(preopens);
        manifest_destroy(manifest);
        bytes_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_has_a_place_of_its_own),
        cmocka_unit_test(what_is_granted_is_granted_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
