/* The list of components by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/catalog.h"

#include <string.h>

static const struct catalog_line *find(const struct catalog *catalog, const char *name)
{
    return catalog_find(catalog, name, strlen(name));
}

static void each_component_is_found_by_its_whole_name_only(void **state)
{
    (void)state;
    const struct catalog_line lines[] = {
        {.name = "store"}, {.name = "api", .resident = true}, {.name = "api2"}, {.name = "worker"}};
    struct err err = {0};
    struct catalog *catalog = catalog_create(lines, ARRAY_LENGTH(lines), &err);
    assert_non_null(catalog);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        assert_non_null(find(catalog, lines[i].name));
        assert_string_equal(find(catalog, lines[i].name)->name, lines[i].name);
    }
    assert_true(find(catalog, "api")->resident);
    assert_null(find(catalog, ""));
    assert_null(find(catalog, "ap"));
    assert_null(find(catalog, "api23"));
    assert_null(find(catalog, "zzz"));
    assert_null(catalog_find(catalog, "api\0x", 5));
    catalog_destroy(catalog);
}

static void an_empty_one_finds_nothing(void **state)
{
    (void)state;
    struct err err = {0};
    struct catalog *catalog = catalog_create(NULL, 0, &err);
    assert_non_null(catalog);
    assert_null(find(catalog, "api"));
    catalog_destroy(catalog);
    catalog_destroy(NULL);
}

static void two_of_one_name_are_refused(void **state)
{
    (void)state;
    const struct catalog_line lines[] = {{.name = "b"}, {.name = "a"}, {.name = "b"}};
    struct err err = {0};
    assert_null(catalog_create(lines, ARRAY_LENGTH(lines), &err));
    assert_int_equal(err.code, ERR_EXISTS);
    assert_non_null(strstr(err.text, "'b'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_component_is_found_by_its_whole_name_only),
        cmocka_unit_test(an_empty_one_finds_nothing),
        cmocka_unit_test(two_of_one_name_are_refused),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
