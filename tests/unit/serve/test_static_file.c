#include "../base/cmocka_all.h"

#include "base/base.h"
#include "serve/static_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[] = "/tmp/mote-static-XXXXXX";
static int opened = -1;

static void put(const char *name, const char *content)
{
    int fd = openat(opened, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    opened = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(opened >= 0);
    put("file", "content");
    assert_int_equal(mkdirat(opened, "sub", 0700), 0);
    put("sub/file", "below");
    assert_int_equal(mkfifoat(opened, "fifo", 0600), 0);
    assert_int_equal(symlinkat("file", opened, "inner"), 0);
    assert_int_equal(symlinkat("sub", opened, "inner-folder"), 0);
    assert_int_equal(symlinkat("/etc/hosts", opened, "outer"), 0);
    assert_int_equal(symlinkat("../..", opened, "up"), 0);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"file",         "sub/file", "fifo", "inner",
                                        "inner-folder", "outer",    "up"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        unlinkat(opened, names[i], 0);
    }
    unlinkat(opened, "sub", AT_REMOVEDIR);
    close(opened);
    return rmdir(folder);
}

static enum static_found (*const OPENERS[])(int folder, const char *path,
                                            struct static_file *ret) = {static_file_open,
                                                                        static_file_open_plainly};

static void only_files_below_the_folder_are_opened(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum static_found found, plainly;
    } cases[] = {
        {"file", STATIC_FILE, STATIC_FILE},
        {"sub/file", STATIC_FILE, STATIC_FILE},
        {"sub", STATIC_FOLDER, STATIC_FOLDER},
        {"inner", STATIC_FILE, STATIC_NOTHING},
        {"inner-folder/file", STATIC_FILE, STATIC_NOTHING},
        {"outer", STATIC_NOTHING, STATIC_NOTHING},
        {"up/etc/hosts", STATIC_NOTHING, STATIC_NOTHING},
        {"../etc/hosts", STATIC_NOTHING, STATIC_NOTHING},
        {"sub/../../etc/hosts", STATIC_NOTHING, STATIC_NOTHING},
        {"/etc/hosts", STATIC_NOTHING, STATIC_NOTHING},
        {"fifo", STATIC_NOTHING, STATIC_NOTHING},
        {"nothing", STATIC_NOTHING, STATIC_NOTHING},
        {"file/x", STATIC_NOTHING, STATIC_NOTHING},
        {"nothing/x", STATIC_NOTHING, STATIC_NOTHING},
        {"", STATIC_NOTHING, STATIC_NOTHING},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(OPENERS); j++) {
            struct static_file file;
            enum static_found found = OPENERS[j](opened, cases[i].path, &file);
            enum static_found expected = j == 0 ? cases[i].found : cases[i].plainly;
            if (found != expected) {
                fail_msg("%s: %d, opener %zu", cases[i].path, (int)found, j);
            }
            assert_int_equal(file.fd >= 0, found == STATIC_FILE);
            if (found == STATIC_FILE) {
                assert_true(file.stat.st_size > 0);
                close(file.fd);
            }
        }
    }
}

static void without_descriptors_it_says_so(void **state)
{
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){(rlim_t)opened + 1, before.rlim_max};
    int filler = dup(0); /* whatever is free below */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int fillers[64], count = 0;
    while (count < 64 && (fillers[count] = dup(0)) >= 0) {
        count++;
    }
    enum static_found found[2];
    struct static_file file;
    for (size_t j = 0; j < ARRAY_LENGTH(OPENERS); j++) {
        found[j] = OPENERS[j](opened, "sub/file", &file);
    }
    while (count > 0) {
        close(fillers[--count]);
    }
    close(filler);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(found[0], STATIC_EXHAUSTED);
    assert_int_equal(found[1], STATIC_EXHAUSTED);
}

static void paths_that_mean_something_else_are_no_paths(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b", "a/", "a..b", "a/b.c/"};
    static const char *const bad[] = {"",   "/",   "/a",   "a//b",   "a//", ".",
                                      "..", "a/.", "a/..", "a/../b", "./a"};
    static const char *const dots[] = {".a", "a/.b", "...", "..a/"};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(static_path_is_valid(good[i], strlen(good[i]), false));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(static_path_is_valid(bad[i], strlen(bad[i]), true));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(dots); i++) {
        assert_false(static_path_is_valid(dots[i], strlen(dots[i]), false));
        assert_true(static_path_is_valid(dots[i], strlen(dots[i]), true));
    }
    assert_false(static_path_is_valid("a\0b", 3, true));
    char *large = malloc(5000);
    assert_non_null(large);
    memset(large, 'a', 5000);
    assert_false(static_path_is_valid(large, 5000, true));
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_files_below_the_folder_are_opened),
        cmocka_unit_test(without_descriptors_it_says_so),
        cmocka_unit_test(paths_that_mean_something_else_are_no_paths),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
