/* The folder of compiled code: who may own it, whole files only, found again, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/mote-test-cache-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static struct cache *open_cache(const char *name, struct err *err)
{
    char folder[128];
    snprintf(folder, sizeof folder, "%s/%s", root, name);
    return cache_open(folder, err);
}

static void what_was_stored_is_found_under_the_same_content_and_engine_only(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(cache_destroyp) struct cache *cache = open_cache("a/b/c", &err);
    assert_non_null(cache);
    const uint8_t wasm[] = "one", other[] = "two";
    char path[CACHE_PATH_BYTES], path_other[CACHE_PATH_BYTES], path_engine[CACHE_PATH_BYTES];
    cache_path(cache, wasm, sizeof wasm, 7, path);
    cache_path(cache, other, sizeof other, 7, path_other);
    cache_path(cache, wasm, sizeof wasm, 8, path_engine);
    assert_string_not_equal(path, path_other);
    assert_string_not_equal(path, path_engine);

    assert_false(cache_has(path));
    AUTO(bytes_finip) struct bytes artefact = {0};
    assert_true(bytes_append(&artefact, "native", 6));
    assert_true(cache_store(cache, path, &artefact, &err));
    assert_true(cache_has(path));
    assert_false(cache_has(path_other));

    AUTO(bytes_finip) struct bytes read = {0};
    assert_true(bytes_read_file(&read, path, 100, &err));
    assert_int_equal(read.size, 6);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 077, 0);

    cache_remove(path);
    assert_false(cache_has(path));
}

static void a_folder_that_others_can_enter_is_refused(void **state)
{
    (void)state;
    char folder[128];
    snprintf(folder, sizeof folder, "%s/open", root);
    assert_int_equal(mkdir(folder, 0755), 0);
    struct err err = {0};
    assert_null(open_cache("open", &err));
    assert_int_equal(err.code, ERR_DENIED);
    assert_non_null(strstr(err.text, "0700"));
}

static void a_link_in_the_place_of_the_folder_is_refused(void **state)
{
    (void)state;
    char link_path[128], target[128];
    snprintf(target, sizeof target, "%s/target", root);
    snprintf(link_path, sizeof link_path, "%s/link", root);
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(symlink(target, link_path), 0);
    struct err err = {0};
    assert_null(open_cache("link", &err));
    assert_int_equal(err.code, ERR_DENIED);
}

static void a_file_that_others_can_write_is_not_taken(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(cache_destroyp) struct cache *cache = open_cache("files", &err);
    assert_non_null(cache);
    char path[CACHE_PATH_BYTES];
    cache_path(cache, (const uint8_t *)"x", 1, 1, path);
    AUTO(bytes_finip) struct bytes artefact = {0};
    assert_true(bytes_append(&artefact, "native", 6));
    assert_true(cache_store(cache, path, &artefact, &err));
    assert_int_equal(chmod(path, 0666), 0);
    assert_false(cache_has(path));
}

static void a_folder_that_cannot_be_written_says_so(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(cache_destroyp) struct cache *cache = open_cache("gone", &err);
    assert_non_null(cache);
    char folder[128], path[CACHE_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s/gone", root);
    assert_int_equal(rmdir(folder), 0);
    cache_path(cache, (const uint8_t *)"x", 1, 1, path);
    AUTO(bytes_finip) struct bytes artefact = {0};
    assert_true(bytes_append(&artefact, "native", 6));
    assert_false(cache_store(cache, path, &artefact, &err));
    assert_int_equal(err.code, ERR_OS);
}

/* The folder may have been given by mistake: nothing that we did not make is ever removed. */
static void what_others_put_into_the_folder_stays_when_it_outgrows_its_bound(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO(cache_destroyp) struct cache *cache = open_cache("shared", &err);
    assert_non_null(cache);
    char thesis[128], path[CACHE_PATH_BYTES], old[CACHE_PATH_BYTES];
    snprintf(thesis, sizeof thesis, "%s/shared/thesis.iso", root);
    cache_path(cache, (const uint8_t *)"old", 3, 1, old);
    cache_path(cache, (const uint8_t *)"new", 3, 1, path);
    const char *const sparse[] = {thesis, old};
    for (size_t i = 0; i < ARRAY_LENGTH(sparse); i++) {
        FILE *file = fopen(sparse[i], "w");
        assert_non_null(file);
        assert_int_equal(ftruncate(fileno(file), (off_t)(CACHE_BYTES_MAX + 1)), 0);
        assert_int_equal(fclose(file), 0);
    }
    AUTO(bytes_finip) struct bytes artefact = {0};
    assert_true(bytes_append(&artefact, "native", 6));
    assert_true(cache_store(cache, path, &artefact, &err));
    assert_int_equal(access(thesis, F_OK), 0);
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(path, F_OK), 0);
}

static void make_file(const char *path, time_t seconds_ago)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    info.st_mtim.tv_sec -= seconds_ago;
    const struct timespec times[] = {info.st_mtim, info.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void what_a_killed_node_left_half_written_goes_after_an_hour(void **state)
{
    (void)state;
    struct err err = {0};
    cache_destroy(open_cache("drafts", &err));
    static const struct {
        const char *name;
        time_t seconds_ago;
        bool stays;
    } files[] = {
        {".draft-aBc123", 3700, false},
        {".draft-aBc124", 3000, true},  /* Perhaps somebody writes it. */
        {".draft-aBc1234", 3700, true}, /* None of ours. */
        {"draft-aBc123", 3700, true},
    };
    char path[256];
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        snprintf(path, sizeof path, "%s/drafts/%s", root, files[i].name);
        make_file(path, files[i].seconds_ago);
    }
    AUTO(cache_destroyp) struct cache *cache = open_cache("drafts", &err);
    assert_non_null(cache);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
        snprintf(path, sizeof path, "%s/drafts/%s", root, files[i].name);
        assert_int_equal(access(path, F_OK), files[i].stays ? 0 : -1);
    }
}

static void an_empty_path_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(cache_open("", &err));
    assert_int_equal(err.code, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_is_found_under_the_same_content_and_engine_only),
        cmocka_unit_test(a_folder_that_others_can_enter_is_refused),
        cmocka_unit_test(a_link_in_the_place_of_the_folder_is_refused),
        cmocka_unit_test(a_file_that_others_can_write_is_not_taken),
        cmocka_unit_test(a_folder_that_cannot_be_written_says_so),
        cmocka_unit_test(what_others_put_into_the_folder_stays_when_it_outgrows_its_bound),
        cmocka_unit_test(what_a_killed_node_left_half_written_goes_after_an_hour),
        cmocka_unit_test(an_empty_path_is_refused),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
