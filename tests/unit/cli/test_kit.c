/* What is written into an app's folder goes nowhere else, whatever the app's files are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct embedded files[] = {
    {.path = "mote.h", .data = (const unsigned char *)"new", .size_bytes = 3}, {.path = NULL}};

/* app/ and outside/, which has a file `mote.h` that says "old". */
struct place {
    char folder[32], app[48], kit[64], file[80], outside[48], victim[64];
};

static void path_of(char *to, size_t size, const char *folder, const char *name)
{
    assert_true((size_t)snprintf(to, size, "%s/%s", folder, name) < size);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_says(const char *path, const char *text)
{
    char found[16] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    assert_int_equal(size, strlen(text));
    assert_string_equal(found, text);
}

static int place_create(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->folder, sizeof place->folder, "/tmp/mote-kit-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    path_of(place->app, sizeof place->app, place->folder, "app");
    path_of(place->kit, sizeof place->kit, place->app, ".mote");
    path_of(place->file, sizeof place->file, place->kit, "mote.h");
    path_of(place->outside, sizeof place->outside, place->folder, "outside");
    path_of(place->victim, sizeof place->victim, place->outside, "mote.h");
    assert_int_equal(mkdir(place->app, 0700), 0);
    assert_int_equal(mkdir(place->outside, 0700), 0);
    write_file(place->victim, "old");
    *state = place;
    return 0;
}

static int place_destroy(void **state)
{
    struct place *place = *state;
    unlink(place->file);
    unlink(place->kit);
    rmdir(place->kit);
    rmdir(place->app);
    unlink(place->victim);
    rmdir(place->outside);
    bool clean = rmdir(place->folder) == 0;
    free(place);
    return clean ? 0 : -1; /* nothing else was left there */
}

static void what_is_missing_or_old_is_written(void **state)
{
    const struct place *place = *state;
    struct err err = {0};
    assert_true(kit_write(files, place->kit, &err));
    assert_says(place->file, "new");
    write_file(place->file, "other");
    assert_true(kit_write(files, place->kit, &err));
    assert_says(place->file, "new");
}

static void a_link_in_place_of_a_file_is_replaced_and_not_followed(void **state)
{
    const struct place *place = *state;
    struct err err = {0};
    struct stat info;
    assert_int_equal(mkdir(place->kit, 0700), 0);
    assert_int_equal(symlink(place->victim, place->file), 0);
    assert_true(kit_write(files, place->kit, &err));
    assert_says(place->victim, "old");
    assert_int_equal(lstat(place->file, &info), 0);
    assert_true(S_ISREG(info.st_mode));
    assert_says(place->file, "new");
}

static void a_link_in_place_of_the_folder_is_refused(void **state)
{
    const struct place *place = *state;
    struct err err = {0};
    assert_int_equal(symlink(place->outside, place->kit), 0);
    assert_false(kit_write(files, place->kit, &err));
    assert_int_equal(err.code, ERR_OS);
    assert_says(place->victim, "old");
}

static void what_cannot_be_written_leaves_no_draft(void **state)
{
    const struct place *place = *state;
    struct err err = {0};
    assert_int_equal(mkdir(place->kit, 0700), 0);
    assert_int_equal(mkdir(place->file, 0700), 0); /* nothing takes the place of a folder */
    assert_false(kit_put(place->file, "new", 3, &err));
    assert_int_equal(rmdir(place->file), 0);
}

#define IN_A_PLACE(test) cmocka_unit_test_setup_teardown(test, place_create, place_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_PLACE(what_is_missing_or_old_is_written),
        IN_A_PLACE(a_link_in_place_of_a_file_is_replaced_and_not_followed),
        IN_A_PLACE(a_link_in_place_of_the_folder_is_refused),
        IN_A_PLACE(what_cannot_be_written_leaves_no_draft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
