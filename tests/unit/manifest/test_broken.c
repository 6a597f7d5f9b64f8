/* Every broken/<what-is-wrong>.toml is refused with exactly the text of its .expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES_MAX = 500, CASES_MIN = 90 };

static char *read_text(const char *name, const char *ending)
{
    struct bytes text = {0};
    struct err err;
    char *path = NULL;

    assert_true(asprintf(&path, "%s/%s%s", BROKEN_FOLDER, name, ending) > 0);
    if (!bytes_read_file(&text, path, 1 << 20, &err)) {
        fail_msg("%s", err.text);
    }
    assert_true(bytes_terminate(&text));
    char *copy = strdup((char *)text.data);
    bytes_fini(&text);
    free(path);
    return copy;
}

static void refused_as_expected(void **state)
{
    static const char *const PROTECTED[] = {"/cache/mote"};
    const struct manifest_overrides overrides = {.protected_paths = PROTECTED,
                                                 .protected_count = 1};
    const char *name = *state;
    char *text = read_text(name, ".toml");
    char *expected = read_text(name, ".expected");
    struct problems problems = {0};

    assert_null(fake_load(text, &overrides, &problems));
    assert_true(problems_failed(&problems));
    char *printed = fake_problems(&problems);
    assert_string_equal(printed, expected);
    free(printed);
    free(expected);
    free(text);
    problems_fini(&problems);
}

static int compare_names(const void *left, const void *right)
{
    const struct CMUnitTest *a = left, *b = right;

    return strcmp(a->name, b->name);
}

int main(void)
{
    static struct CMUnitTest tests[CASES_MAX];
    size_t count = 0;
    DIR *folder = opendir(BROKEN_FOLDER);

    if (folder == NULL) {
        perror(BROKEN_FOLDER);
        return 1;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && count < CASES_MAX;
         entry = readdir(folder)) {
        char *name = strdup(entry->d_name);
        char *ending = name == NULL ? NULL : strstr(name, ".toml");
        if (ending == NULL) {
            free(name);
            continue;
        }
        *ending = '\0';
        tests[count++] = (struct CMUnitTest){name, refused_as_expected, NULL, NULL, name};
    }
    closedir(folder);
    qsort(tests, count, sizeof(tests[0]), compare_names);
    int failed = count < CASES_MIN;
    if (failed) {
        fprintf(stderr, "only %zu broken manifests in %s\n", count, BROKEN_FOLDER);
    } else {
        failed = _cmocka_run_group_tests("broken manifests", tests, count, NULL, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        free(tests[i].initial_state);
    }
    return failed;
}
