#include "../base/cmocka_all.h"

#include "fake_world.h"

#include <stdlib.h>
#include <string.h>

static struct manifest *load(const char *path, const char *text, struct problems *problems)
{
    struct manifest_world world = fake_world();
    return manifest_load_text(path, text, strlen(text), NULL, &world, problems);
}

static void assert_problem(const char *text, const char *expected)
{
    struct problems problems = {0};
    struct manifest *manifest = load("rusm.toml", text, &problems);
    char *told = fake_problems(&problems);
    if (strstr(told, expected) == NULL) {
        fail_msg("'%s' is not in:\n%s", expected, told);
    }
    free(told);
    problems_fini(&problems);
    manifest_destroy(manifest);
}

#define APP                                                                                        \
    "[[serve]]\nprotocol = \"http\"\nlisten = \"127.0.0.1:1\"\n[serve.routes]\n\"GET /\" = "       \
    "\"a#b\"\n[components.a]\n"

static void its_spellings_are_ours(void **state)
{
    struct problems problems = {0};
    struct manifest *manifest =
        load("somewhere/rusm.toml",
             "[log]\nlevel = \"off\"\n[[serve]]\nprotocol = \"ws\"\nlisten = "
             "\"127.0.0.1:1\"\nmax_message_size = 5000\n"
             "allowed_origins = [\"http://a\"]\n[serve.routes]\n\"GET /a/:b\" = "
             "\"a\"\n[serve.tls]\ncert = "
             "\"c.pem\"\nkey = \"k.pem\"\n[components.a]\ncapability = "
             "\"x\"\n[capabilities.x]\nbridges = []\n"
             "allow-storage = false\npreopen = [{ host = \"data\", guest = \"/d\" }, "
             "{ host = \"more\", guest = \"/m\", read-only = true }]\n",
             &problems);
    (void)state;
    assert_non_null(manifest);
    assert_int_equal(problems.count, 0);
    const struct manifest_serve *serve = &manifest->serves[0];
    assert_int_equal(manifest->log.level.value, 0);
    assert_int_equal(serve->max_message_bytes.value, 5000);
    assert_string_equal(serve->allowed_origins.names[0], "http://a");
    assert_string_equal(serve->routes[0].method, "WS");
    assert_string_equal(serve->routes[0].pattern, "/a/:b");
    assert_int_equal(serve->tls.pair_count, 1);
    const struct manifest_component *component = &manifest->components[0];
    assert_string_equal(component->source.value, "somewhere/wasm/a.wasm");
    assert_int_equal(component->preopen_count, 2);
    assert_false(component->preopens[0].read_only);
    assert_true(component->preopens[1].read_only);
    manifest_destroy(manifest);
    problems_fini(&problems);
}

static void a_listeners_component_need_not_be_declared(void **state)
{
    struct problems problems = {0};
    struct manifest *manifest =
        load("rusm.toml",
             "[[serve]]\nprotocol = \"ws\"\nlisten = \"127.0.0.1:1\"\ncomponent = \"echo\"\n",
             &problems);
    (void)state;
    assert_non_null(manifest);
    assert_int_equal(manifest->component_count, 1);
    assert_string_equal(manifest->components[0].name, "echo");
    assert_string_equal(manifest->components[0].source.value, "wasm/echo.wasm");
    assert_string_equal(manifest->components[0].profile, "sandboxed");
    assert_string_equal(manifest->serves[0].allowed_origins.names[0], "*");
    assert_null(manifest->serves[0].allowed_origins.names[1]);
    manifest_destroy(manifest);
    problems_fini(&problems);
}

static void what_has_no_meaning_here_is_told_with_its_place(void **state)
{
    (void)state;
    assert_problem("[node]\nlisten = \"a:1\"\n" APP, "rusm.toml:2:1: warning: 'listen'");
    assert_problem("[node]\nstore = \"x\"\n" APP, "kv answers \"not configured\"");
    assert_problem("[node]\nticks_per_second = 1\ndynamic_wasm_ttl_secs = 2\n" APP,
                   "rusm.toml:3:1: warning");
    assert_problem(APP "[components.d]\ndynamic = \"js\"\n", "'d' is a template");
    assert_problem(APP "[capabilities.x]\nallow-storage = true\n", "warning: 'allow-storage'");
    assert_problem("[[serve]]\nmax_connections = 5\nprotocol = \"http\"\n",
                   "write max-connections in [node]");
}

static void what_would_be_wrong_to_leave_out_is_refused(void **state)
{
    (void)state;
    assert_problem("[[serve]]\nauthentication = \"jwt\"\n", "rusm.toml:2:1: 'authentication'");
    assert_problem("[[serve]]\nsource = \"kv:a/b\"\n", "rusm.toml:2:1: 'source'");
    assert_problem("[components.a]\nsource = \"url:http://a/b\"\n", "put it into wasm/a.wasm");
    assert_problem("[capabilities.x]\nbridges = [\"weather\"]\n", "'bridges'");
    assert_problem("[components.a]\nnope = 1\n", "unknown key 'nope'");
    assert_problem("[log]\nlevel = \"loud\"\n", "'level' cannot be 'loud'");
}

static void nothing_of_it_holds_for_other_names(void **state)
{
    struct problems problems = {0};
    (void)state;
    assert_null(load("mote.toml", "[node]\nlisten = \"a:1\"\n", &problems));
    assert_null(load("a.rusm.toml", "[node]\nlisten = \"a:1\"\n", &problems));
    problems_fini(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_spellings_are_ours),
        cmocka_unit_test(a_listeners_component_need_not_be_declared),
        cmocka_unit_test(what_has_no_meaning_here_is_told_with_its_place),
        cmocka_unit_test(what_would_be_wrong_to_leave_out_is_refused),
        cmocka_unit_test(nothing_of_it_holds_for_other_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
