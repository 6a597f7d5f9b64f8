/* The manifest on a real file system: `.env` beside it, links, what is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/world.h"

#include "fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define API "[components.api]\n"
#define SERVE "[[serve]]\ncomponent = \"api\"\n"

struct folder {
    char path[64];
};

static void write_file(const struct folder *folder, const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    char wasm[80];

    if (folder == NULL) {
        return -1;
    }
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/mote-manifest-XXXXXX");
    if (mkdtemp(folder->path) == NULL) {
        return -1;
    }
    (void)snprintf(wasm, sizeof(wasm), "%s/wasm", folder->path);
    *state = folder;
    return mkdir(wasm, 0700);
}

static int remove_folder(void **state)
{
    static const char *const NAMES[] = {"mote.toml", ".env", "wasm/api.wasm", "link", "wasm"};
    struct folder *folder = *state;
    char path[128];

    for (size_t i = 0; i < ARRAY_LENGTH(NAMES); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder->path, NAMES[i]);
        (void)remove(path);
    }
    int result = rmdir(folder->path);
    free(folder);
    return result;
}

static struct manifest *load_from(const struct folder *folder, struct problems *ret,
                                  const struct manifest_overrides *overrides)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/mote.toml", folder->path);
    return manifest_load(path, overrides, ret);
}

static void assert_told(struct problems *problems, const struct folder *folder,
                        const char *expected)
{
    struct bytes full = {0};
    char *printed = fake_problems(problems);

    assert_true(bytes_printf(&full, "%s/%s", folder->path, expected));
    assert_true(bytes_terminate(&full));
    assert_string_equal(printed, (char *)full.data);
    free(printed);
    bytes_fini(&full);
    problems_fini(problems);
}

static void sources_and_env_lie_beside_the_manifest(void **state)
{
    const struct folder *folder = *state;
    struct problems problems = {0};
    char source[128];

    write_file(folder, "mote.toml",
               "[capabilities.e]\nenv = [\"MOTE_TEST_B\"]\n" API "capability = \"e\"\n[[serve]]\n"
               "listen = \"127.0.0.1:${MOTE_TEST_A}\"\ncomponent = \"api\"\n");
    write_file(folder, ".env", "MOTE_TEST_A=1234\nMOTE_TEST_B=file\n");
    write_file(folder, "wasm/api.wasm", "");
    assert_int_equal(setenv("MOTE_TEST_B", "environment", 1), 0);
    struct manifest *manifest = load_from(folder, &problems, NULL);
    assert_int_equal(problems.count, 0);
    assert_non_null(manifest);
    (void)snprintf(source, sizeof(source), "%s/wasm/api.wasm", folder->path);
    assert_string_equal(manifest->components[0].source.value, source);
    assert_string_equal(manifest->serves[0].listen.value, "127.0.0.1:1234");
    assert_string_equal(manifest->components[0].environment[0], "MOTE_TEST_B=environment");
    assert_int_equal(unsetenv("MOTE_TEST_B"), 0);
    manifest_destroy(manifest);
}

static void a_manifest_that_is_not_there_is_named(void **state)
{
    const struct folder *folder = *state;
    struct problems problems = {0};

    assert_null(load_from(folder, &problems, NULL));
    assert_told(&problems, folder,
                "mote.toml: there is no such file; create it, or name another manifest with -f\n");
}

static void a_wrong_env_file_refuses_the_manifest(void **state)
{
    const struct folder *folder = *state;
    struct problems problems = {0};

    write_file(folder, "mote.toml", API SERVE);
    write_file(folder, "wasm/api.wasm", "");
    write_file(folder, ".env", "A='x\n");
    assert_null(load_from(folder, &problems, NULL));
    assert_told(&problems, folder,
                ".env:1:3: the quote is not closed on this line; close it, and write \\n in double "
                "quotes for a line break\n");
}

static void a_link_does_not_get_around_the_protection(void **state)
{
    const struct folder *folder = *state;
    struct problems problems = {0};
    char link[128];

    (void)snprintf(link, sizeof(link), "%s/link", folder->path);
    assert_int_equal(symlink(".", link), 0);
    write_file(folder, "mote.toml", "[capabilities.e]\npreopen = [\"link::/data\"]\n" API SERVE);
    write_file(folder, "wasm/api.wasm", "");
    assert_null(load_from(folder, &problems, NULL));
    char expected[256];
    (void)snprintf(
        expected, sizeof(expected),
        "mote.toml:2:12: preopen 'link' holds %s/mote.toml, which no guest may reach; open "
        "a folder without it\n",
        folder->path);
    assert_told(&problems, folder, expected);
}

static void what_is_protected_need_not_exist_yet(void **state)
{
    const struct folder *folder = *state;
    struct problems problems = {0};
    char socket[128];

    (void)snprintf(socket, sizeof(socket), "%s/wasm/run/admin.sock", folder->path);
    const char *const paths[] = {socket};
    const struct manifest_overrides overrides = {.protected_paths = paths, .protected_count = 1};
    write_file(folder, "mote.toml", "[capabilities.e]\npreopen = [\"wasm::/data\"]\n" API SERVE);
    write_file(folder, "wasm/api.wasm", "");
    assert_null(load_from(folder, &problems, &overrides));
    char expected[256];
    (void)snprintf(
        expected, sizeof(expected),
        "mote.toml:2:12: preopen 'wasm' holds %s, which no guest may reach; open a folder "
        "without it\n",
        socket);
    assert_told(&problems, folder, expected);
}

static void the_file_system_is_told_apart(void **state)
{
    const struct folder *folder = *state;
    struct dotenv dotenv = {0};
    struct manifest_world world = world_real(&dotenv);
    char path[128];

    write_file(folder, "wasm/api.wasm", "");
    assert_int_equal(world.inspect(&dotenv, folder->path), WORLD_FOLDER);
    (void)snprintf(path, sizeof(path), "%s/wasm/api.wasm", folder->path);
    assert_int_equal(world.inspect(&dotenv, path), WORLD_FILE);
    (void)snprintf(path, sizeof(path), "%s/nothing", folder->path);
    assert_int_equal(world.inspect(&dotenv, path), WORLD_MISSING);
    assert_int_equal(world.inspect(&dotenv, "/dev/null"), WORLD_OTHER);
    assert_null(world.resolve(&dotenv, ""));
    char *real = world.resolve(&dotenv, "/no-such-folder/a//b/");
    assert_string_equal(real, "/no-such-folder/a/b");
    free(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sources_and_env_lie_beside_the_manifest, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_manifest_that_is_not_there_is_named, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_wrong_env_file_refuses_the_manifest, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_link_does_not_get_around_the_protection, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_is_protected_need_not_exist_yet, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_file_system_is_told_apart, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
