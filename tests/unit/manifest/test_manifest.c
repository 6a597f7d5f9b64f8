/* What a good manifest becomes: defaults, values, inheritance, overrides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#include "fake_world.h"

#include <stdlib.h>
#include <string.h>

#define API "[components.api]\n"
#define SERVE "[[serve]]\ncomponent = \"api\"\n"

/* Load what must be good, possibly with these warnings. */
static struct manifest *loaded(const char *text, const struct manifest_overrides *overrides,
                               const char *warnings)
{
    struct problems problems = {0};
    struct manifest *manifest = fake_load(text, overrides, &problems);
    char *printed = fake_problems(&problems);

    assert_string_equal(printed, warnings);
    assert_non_null(manifest);
    free(printed);
    problems_fini(&problems);
    return manifest;
}

static void refused(const char *text, const struct manifest_overrides *overrides,
                    const char *expected)
{
    struct problems problems = {0};

    assert_null(fake_load(text, overrides, &problems));
    char *printed = fake_problems(&problems);
    assert_string_equal(printed, expected);
    free(printed);
    problems_fini(&problems);
}

static void the_smallest_manifest_has_every_default(void **state)
{
    (void)state;
    struct manifest *manifest = loaded(API SERVE, NULL, "");

    assert_string_equal(manifest->node.name.value, "mote");
    assert_int_equal(manifest->node.workers.value, 0);
    assert_int_equal(manifest->node.max_processes.value, 0);
    assert_int_equal(manifest->node.max_connections.value, 0);
    assert_int_equal(manifest->node.max_memory_mb.value, 64);
    assert_int_equal(manifest->node.tick_ms.value, 1);
    assert_int_equal(manifest->node.drain_ms.value, 30000);
    assert_int_equal(manifest->log.level.value, LOG_INFO);
    assert_int_equal(manifest->log.format.value, LOG_TEXT);
    assert_true(manifest->log.access.value);
    assert_null(manifest->admin.listen.value);

    assert_int_equal(manifest->component_count, 1);
    const struct manifest_component *api = &manifest->components[0];
    assert_string_equal(api->name, "api");
    assert_string_equal(api->source.value, "wasm/api.wasm");
    assert_string_equal(api->capability.value, "sandboxed");
    assert_string_equal(api->profile, "sandboxed");
    assert_null(api->entry.value);
    assert_null(api->arguments[0]);
    assert_null(api->environment[0]);
    assert_int_equal(api->preopen_count, 0);
    assert_false(api->allow_stdio.value);
    assert_int_equal(api->limits.max_memory_mb.value, 64);
    assert_int_equal(api->limits.max_cpu_ms.value, 10000);
    assert_int_equal(api->limits.mailbox_messages.value, 10000);
    assert_int_equal(api->limits.mailbox_bytes.value, 16 << 20);
    assert_int_equal(api->limits.log_lines_per_second.value, 100);

    assert_int_equal(manifest->serve_count, 1);
    const struct manifest_serve *serve = &manifest->serves[0];
    assert_string_equal(serve->listen.value, "127.0.0.1:8080");
    assert_string_equal(serve->protocol.value, "http");
    assert_int_equal(serve->deadline_ms.value, 30000);
    assert_int_equal(serve->stream_deadline_ms.value, 0);
    assert_int_equal(serve->header_timeout_ms.value, 10000);
    assert_int_equal(serve->idle_timeout_ms.value, 60000);
    assert_int_equal(serve->write_timeout_ms.value, 30000);
    assert_int_equal(serve->body_bytes_per_second.value, 1024);
    assert_int_equal(serve->max_header_bytes.value, 32 << 10);
    assert_int_equal(serve->max_header_count.value, 128);
    assert_int_equal(serve->max_target_bytes.value, 8 << 10);
    assert_int_equal(serve->max_body_bytes.value, 10 << 20);
    assert_int_equal(serve->stream_buffer_bytes.value, 256 << 10);
    assert_int_equal(serve->disconnect_grace_ms.value, 5000);
    assert_false(serve->cancel_on_disconnect.value);
    assert_ptr_equal(serve->everything.component, api);
    assert_null(serve->everything.entry);
    assert_int_equal(serve->everything.deadline_ms.value, 30000);
    manifest_destroy(manifest);
}

static void an_empty_manifest_is_good_but_listens_to_nothing(void **state)
{
    (void)state;
    manifest_destroy(
        loaded("", NULL, "mote.toml: warning: nothing listens; add [[serve]] with a route\n"));
}

static void every_setting_remembers_its_line(void **state)
{
    (void)state;
    struct manifest *manifest =
        loaded("[node]\nworkers = 3\n\n[log]\nlevel = \"debug\"\naccess = false\n" API SERVE
               "idle-timeout-ms = 5\n",
               NULL, "");

    assert_int_equal(manifest->node.workers.value, 3);
    assert_int_equal(manifest->node.workers.line, 2);
    assert_int_equal(manifest->node.tick_ms.line, MANIFEST_DEFAULT);
    assert_int_equal(manifest->log.level.value, LOG_DEBUG);
    assert_int_equal(manifest->log.level.line, 5);
    assert_int_equal(manifest->log.access.line, 6);
    assert_int_equal(manifest->components[0].line, 7);
    assert_int_equal(manifest->serves[0].line, 8);
    assert_int_equal(manifest->serves[0].idle_timeout_ms.line, 10);
    manifest_destroy(manifest);
}

static void routes_name_component_and_entry(void **state)
{
    (void)state;
    struct manifest *manifest = loaded(API "entry = \"handle\"\n[components.web]\n"
                                           "[[serve]]\n[serve.routes]\n"
                                           "\"GET /\" = \"api\"\n"
                                           "\"POST /users/:id\" = \"api#save#all\"\n"
                                           "\"* /files/*\" = \"web\"\n",
                                       NULL, "");
    const struct manifest_serve *serve = &manifest->serves[0];

    assert_int_equal(serve->route_count, 3);
    assert_null(serve->everything.component);
    assert_string_equal(serve->routes[0].method, "GET");
    assert_string_equal(serve->routes[0].pattern, "/");
    assert_string_equal(serve->routes[0].target.component->name, "api");
    assert_string_equal(serve->routes[0].target.entry, "handle");
    assert_string_equal(serve->routes[1].target.entry, "save#all");
    assert_int_equal(serve->routes[1].line, 7);
    assert_string_equal(serve->routes[2].method, "*");
    assert_string_equal(serve->routes[2].target.component->name, "web");
    assert_null(serve->routes[2].target.entry);
    manifest_destroy(manifest);
}

static void the_nearest_limit_counts(void **state)
{
    (void)state;
    struct manifest *manifest =
        loaded("[node]\nmax-memory-mb = 8\n"
               "[capabilities.base]\nmax-cpu-ms = 1\nmailbox-messages = 2\nmax-memory-mb = 9\n"
               "[capabilities.leaf]\ninherits = \"base\"\nmax-cpu-ms = 3\n"
               "[components.a]\ncapability = \"leaf\"\nmailbox-bytes = 4\n"
               "[components.b]\n"
               "[components.c]\ncapability = \"base\"\nmax-memory-mb = 10\n"
               "[[serve]]\ncomponent = \"a\"\n",
               NULL, "");
    const struct manifest_limits *a = &manifest->components[0].limits;

    assert_int_equal(a->max_cpu_ms.value, 3);
    assert_int_equal(a->max_cpu_ms.line, 9);
    assert_int_equal(a->mailbox_messages.value, 2);
    assert_int_equal(a->mailbox_messages.line, 5);
    assert_int_equal(a->mailbox_bytes.value, 4);
    assert_int_equal(a->max_memory_mb.value, 9);
    assert_int_equal(manifest->components[1].limits.max_memory_mb.value, 8);
    assert_int_equal(manifest->components[1].limits.max_memory_mb.line, 2);
    assert_int_equal(manifest->components[1].limits.max_cpu_ms.value, 10000);
    assert_int_equal(manifest->components[2].limits.max_memory_mb.value, 10);
    manifest_destroy(manifest);
}

static void a_deadline_of_the_component_beats_the_listeners(void **state)
{
    (void)state;
    struct manifest *manifest =
        loaded("[components.own]\ndeadline-ms = 5\n[components.plain]\n"
               "[[serve]]\ndeadline-ms = 7\nstream-deadline-ms = 9\n[serve.routes]\n"
               "\"GET /own\" = \"own\"\n\"GET /plain\" = \"plain\"\n",
               NULL, "");
    const struct manifest_route *routes = manifest->serves[0].routes;

    assert_int_equal(routes[0].target.deadline_ms.value, 5);
    assert_int_equal(routes[0].target.deadline_ms.line, 2);
    assert_int_equal(routes[0].target.stream_deadline_ms.value, 9);
    assert_int_equal(routes[1].target.deadline_ms.value, 7);
    assert_int_equal(routes[1].target.deadline_ms.line, 5);
    manifest_destroy(manifest);
}

static void grants_add_up_along_the_inheritance(void **state)
{
    (void)state;
    struct manifest *manifest =
        loaded("[capabilities.base]\ninherits = \"trusted\"\nenv = [\"PORT\", \"GREETING\"]\n"
               "preopen = [\"a::/data\", \"b\"]\n"
               "[capabilities.leaf]\ninherits = \"base\"\nenv = [\"TOKEN\", \"PORT\"]\n"
               "preopen = [{ path = \"/srv/c\", guest = \"/data\", mode = \"rw\" }]\n"
               "[capabilities.quiet]\ninherits = \"leaf\"\nallow-stdio = false\n"
               "[components.api]\ncapability = \"leaf\"\n"
               "[components.quiet]\ncapability = \"quiet\"\n" SERVE,
               NULL, "");
    const struct manifest_component *api = &manifest->components[0];

    assert_string_equal(api->profile, "trusted");
    assert_true(api->allow_stdio.value);
    assert_int_equal(api->allow_stdio.line, MANIFEST_PROFILE);
    assert_false(manifest->components[1].allow_stdio.value);
    assert_string_equal(api->environment[0], "TOKEN=s3cret");
    assert_string_equal(api->environment[1], "PORT=9000");
    assert_string_equal(api->environment[2], "GREETING=hello");
    assert_null(api->environment[3]);
    assert_int_equal(api->preopen_count, 2);
    assert_string_equal(api->preopens[0].host_path, "/srv/c");
    assert_string_equal(api->preopens[0].guest_path, "/data");
    assert_false(api->preopens[0].read_only);
    assert_string_equal(api->preopens[1].host_path, "/app/b");
    assert_string_equal(api->preopens[1].guest_path, "b");
    assert_true(api->preopens[1].read_only);
    manifest_destroy(manifest);
}

static void a_profile_grants_what_it_says_and_no_more(void **state)
{
    (void)state;
    struct manifest *manifest =
        loaded("[components.a]\ncapability = \"trusted\"\n"
               "[components.b]\ncapability = \"network-client\"\n"
               "[components.c]\ncapability = \"sandboxed\"\n[[serve]]\ncomponent = \"a\"\n",
               NULL, "");

    assert_true(manifest->components[0].allow_stdio.value);
    assert_false(manifest->components[1].allow_stdio.value);
    assert_false(manifest->components[2].allow_stdio.value);
    assert_string_equal(manifest->components[0].allow_network.names[0], "*");
    assert_string_equal(manifest->components[1].allow_network.names[0], "*");
    assert_null(manifest->components[2].allow_network.names[0]);
    for (size_t i = 0; i < 3; i++) {
        assert_null(manifest->components[i].environment[0]);
        assert_int_equal(manifest->components[i].preopen_count, 0);
    }
    manifest_destroy(manifest);
}

static void a_granted_variable_that_is_not_set_is_warned_of_and_left_out(void **state)
{
    (void)state;
    struct manifest *manifest =
        loaded("[capabilities.web]\nenv = [\"NOTHING\", \"EMPTY\"]\n"
               "[components.api]\ncapability = \"web\"\n" SERVE,
               NULL,
               "mote.toml:2:7: warning: 'NOTHING' is granted by 'env', but is not set in the "
               "environment or in .env\n");

    assert_string_equal(manifest->components[0].environment[0], "EMPTY=");
    assert_null(manifest->components[0].environment[1]);
    assert_string_equal(manifest->components[0].environment_names[0], "NOTHING");
    manifest_destroy(manifest);
}

static void strings_are_interpolated_everywhere(void **state)
{
    (void)state;
    struct manifest *manifest =
        loaded("[node]\nname = \"${GREETING}\"\n" API
               "args = [\"--port=${PORT}\", \"$${PORT}\"]\nsource = \"${GREETING}.wasm\"\n"
               "[[serve]]\nlisten = \"127.0.0.1:${PORT}\"\n[serve.headers]\nX-T = \"${TOKEN}\"\n"
               "[serve.routes]\n\"GET /\" = \"${NOTHING:-api}\"\n",
               NULL, "");
    const struct manifest_component *api = &manifest->components[0];

    assert_string_equal(manifest->node.name.value, "hello");
    assert_string_equal(api->source.value, "hello.wasm");
    assert_int_equal(api->argument_count, 2);
    assert_string_equal(api->arguments[0], "--port=9000");
    assert_string_equal(api->arguments[1], "${PORT}");
    assert_string_equal(api->arguments_written[0], "--port=${PORT}");
    assert_string_equal(manifest->serves[0].listen.value, "127.0.0.1:9000");
    assert_string_equal(manifest->serves[0].headers[0].value, "s3cret");
    assert_string_equal(manifest->serves[0].headers[0].written, "${TOKEN}");
    assert_ptr_equal(manifest->serves[0].routes[0].target.component, api);
    manifest_destroy(manifest);
}

static void options_take_the_place_of_the_listeners_addresses(void **state)
{
    (void)state;
    static const char *const LISTEN[] = {"127.0.0.1:0", "unix:x.sock"};
    const struct manifest_overrides overrides = {.listen = LISTEN, .listen_count = 2};
    struct manifest *manifest = loaded(API SERVE SERVE SERVE "listen = \"[::1]:80\"\n", &overrides,
                                       "");

    assert_string_equal(manifest->serves[0].listen.value, "127.0.0.1:0");
    assert_int_equal(manifest->serves[0].listen.line, MANIFEST_OPTION);
    assert_string_equal(manifest->serves[1].listen.value, "unix:x.sock");
    assert_string_equal(manifest->serves[2].listen.value, "[::1]:80");
    manifest_destroy(manifest);

    refused(API SERVE, &overrides,
            "mote.toml: --listen is given 2 times, but there are 1 [[serve]]; each takes one\n");
    static const char *const BAD[] = {"8080"};
    refused(API SERVE, &(struct manifest_overrides){.listen = BAD, .listen_count = 1},
            "mote.toml: --listen: '8080' is a port without a host; write 127.0.0.1:8080\n");
}

static void two_listeners_may_both_have_any_free_port(void **state)
{
    (void)state;
    static const char *const LISTEN[] = {"127.0.0.1:0", "127.0.0.1:0"};
    const struct manifest_overrides overrides = {.listen = LISTEN, .listen_count = 2};

    manifest_destroy(loaded(API SERVE SERVE, &overrides, ""));
}

static void a_source_that_is_still_to_be_built_may_be_missing(void **state)
{
    (void)state;
    const struct manifest_overrides overrides = {.allow_missing_sources = true};
    struct manifest *manifest = loaded("[components.missing]\n[components.api]\n"
                                       "source = \"missing/x.wasm\"\n" SERVE,
                                       &overrides, "");

    assert_string_equal(manifest->components[0].source.value, "wasm/missing.wasm");
    assert_string_equal(manifest->components[1].source.value, "missing/x.wasm");
    manifest_destroy(manifest);
}

static void suspicious_settings_are_warned_of(void **state)
{
    (void)state;
    manifest_destroy(loaded(
        "[node]\nmax-processes = 10\n" API
        "max-processes = 11\n[[serve]]\n[serve.routes]\n\"GTE /\" = \"api\"\n",
        NULL,
        "mote.toml:4:17: warning: 'max-processes' is above the 10 of [node], which count first\n"
        "mote.toml:7:1: warning: 'GTE' is an unusual method; did you mean 'GET'?\n"));
}

static void components_are_found_by_name(void **state)
{
    (void)state;
    struct manifest *manifest = loaded("[components.a]\n" API SERVE, NULL, "");

    assert_ptr_equal(manifest_component(manifest, "api"), &manifest->components[1]);
    assert_null(manifest_component(manifest, "apis"));
    manifest_destroy(manifest);
}

static void bytes_that_are_no_text_are_refused_where_they_stand(void **state)
{
    (void)state;
    refused("[node]\nname = \"a\xff"
            "b\"\n",
            NULL, "mote.toml:2:10: this is not UTF-8 text; store the file as UTF-8\n");
}

static void twenty_thousand_routes_are_told_apart(void **state)
{
    (void)state;
    struct bytes text = {0};
    assert_true(bytes_printf(&text, API "[[serve]]\n[serve.routes]\n"));
    for (int i = 0; i < 20000; i++) {
        assert_true(bytes_printf(&text, "\"GET /r/%d/:x\" = \"api\"\n", i));
    }
    assert_true(bytes_terminate(&text));
    struct manifest *manifest = loaded((char *)text.data, NULL, "");
    assert_int_equal(manifest->serves[0].route_count, 20000);
    manifest_destroy(manifest);
    bytes_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_manifest_has_every_default),
        cmocka_unit_test(an_empty_manifest_is_good_but_listens_to_nothing),
        cmocka_unit_test(every_setting_remembers_its_line),
        cmocka_unit_test(routes_name_component_and_entry),
        cmocka_unit_test(the_nearest_limit_counts),
        cmocka_unit_test(a_deadline_of_the_component_beats_the_listeners),
        cmocka_unit_test(grants_add_up_along_the_inheritance),
        cmocka_unit_test(a_profile_grants_what_it_says_and_no_more),
        cmocka_unit_test(a_granted_variable_that_is_not_set_is_warned_of_and_left_out),
        cmocka_unit_test(strings_are_interpolated_everywhere),
        cmocka_unit_test(options_take_the_place_of_the_listeners_addresses),
        cmocka_unit_test(two_listeners_may_both_have_any_free_port),
        cmocka_unit_test(a_source_that_is_still_to_be_built_may_be_missing),
        cmocka_unit_test(suspicious_settings_are_warned_of),
        cmocka_unit_test(components_are_found_by_name),
        cmocka_unit_test(bytes_that_are_no_text_are_refused_where_they_stand),
        cmocka_unit_test(twenty_thousand_routes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
