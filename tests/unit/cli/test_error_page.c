/* The page that a browser gets shows sources of the app, and of nothing else that its developer has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/error_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* app/, secret, and app/link, which leads to it. */
struct place {
    char folder[32], app[48], own[64], secret[48], link[64];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int place_create(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->folder, sizeof place->folder, "/tmp/mote-page-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->app, sizeof place->app, "%s/app", place->folder);
    snprintf(place->own, sizeof place->own, "%s/own.c", place->app);
    snprintf(place->secret, sizeof place->secret, "%s/app.c", place->folder);
    snprintf(place->link, sizeof place->link, "%s/link.c", place->app);
    assert_int_equal(mkdir(place->app, 0700), 0);
    write_file(place->own, "first <line>\nsecond line\n");
    write_file(place->secret, "the secret\n");
    assert_int_equal(symlink(place->secret, place->link), 0);
    *state = place;
    return 0;
}

static int place_destroy(void **state)
{
    struct place *place = *state;
    unlink(place->link);
    unlink(place->own);
    unlink(place->secret);
    rmdir(place->app);
    rmdir(place->folder);
    free(place);
    return 0;
}

/* The page for an error at `path`, line 1. */
static char *page_of(const struct place *place, const char *path)
{
    struct bytes said = {0}, page = {0};
    assert_true(bytes_printf(&said, "%s:1:1: error: wrong\n", path));
    assert_true(error_page(&said, place->app, &page));
    assert_true(bytes_terminate(&page));
    bytes_fini(&said);
    char *text = strdup((const char *)page.data);
    bytes_fini(&page);
    assert_non_null(text);
    return text;
}

static void a_source_of_the_app_is_shown(void **state)
{
    const struct place *place = *state;
    const char *const paths[] = {"own.c", "./own.c", place->own};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        char *page = page_of(place, paths[i]);
        assert_non_null(strstr(page, "<mark>    1  first &lt;line&gt;"));
        assert_non_null(strstr(page, "    2  second line"));
        free(page);
    }
}

static void no_other_file_is_shown_whatever_a_source_calls_itself(void **state)
{
    const struct place *place = *state;
    const char *const paths[] = {"../app.c",    "link.c",       place->link,
                                 place->secret, "/dev/stdin.c", "x/../../app.c"};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        char *page = page_of(place, paths[i]);
        assert_null(strstr(page, "the secret"));
        assert_null(strstr(page, "<pre class=source>"));
        assert_non_null(strstr(page, "error: wrong"));
        free(page);
    }
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_create, place_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(a_source_of_the_app_is_shown),
        IN_A_PLACE(no_other_file_is_shown_whatever_a_source_calls_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
