#include "../base/cmocka_all.h"

#include "cli/wasm_imports.h"

#include <stdio.h>
#include <string.h>

struct found {
    char text[256];
    unsigned count;
};

static void note(void *argument, const struct wasm_import *import)
{
    struct found *found = argument;
    size_t used = strlen(found->text);
    snprintf(found->text + used, sizeof found->text - used, "%.*s/%.*s ", (int)import->module_bytes,
             import->module, (int)import->name_bytes, import->name);
    found->count++;
}

static bool visit(const void *data, size_t size, enum wasm_kind *ret_kind, struct found *ret)
{
    /* Of exactly this size, so that a sanitizer sees a byte too many. */
    AUTO(bytes_finip) struct bytes wasm = {0};
    *ret = (struct found){0};
    assert_true(bytes_append(&wasm, data, size));
    return wasm_imports_visit(&wasm, ret_kind, note, ret);
}

#define MODULE "\0asm\1\0\0\0"
#define COMPONENT "\0asm\x0d\0\1\0"

/* A function, a table with a maximum, a memory, a global. */
static const char module[] = MODULE "\1\4\1\x60\0\0"
                                    "\2\x1f\4"
                                    "\1a\1b\0\0"
                                    "\1a\1t\1\x70\1\1\x80\1"
                                    "\1a\1m\2\0\1"
                                    "\1a\1g\3\x7f\1"
                                    "\3\1\0";

static const char component[] = COMPONENT "\x0a\x0a\1\0\5w:x/y\5\0"
                                          "\x0a\x0a\1\1\5w:z/y\1\3";

static void imports_of_a_module_are_told_in_order(void **state)
{
    (void)state;
    enum wasm_kind kind = WASM_COMPONENT;
    struct found found;
    assert_true(visit(module, sizeof module - 1, &kind, &found));
    assert_int_equal(kind, WASM_MODULE);
    assert_string_equal(found.text, "a/b a/t a/m a/g ");
}

static void imports_of_a_component_are_told_by_their_whole_names(void **state)
{
    (void)state;
    enum wasm_kind kind = WASM_MODULE;
    struct found found;
    assert_true(visit(component, sizeof component - 1, &kind, &found));
    assert_int_equal(kind, WASM_COMPONENT);
    assert_string_equal(found.text, "w:x/y/ w:z/y/ ");
}

static void a_file_that_ends_early_is_refused_or_has_fewer_imports(void **state)
{
    (void)state;
    enum wasm_kind kind;
    struct found found;
    for (size_t size = 0; size < sizeof module - 1; size++) {
        if (visit(module, size, &kind, &found)) {
            assert_true(found.count == 0 || found.count == 4);
        }
    }
    for (size_t size = 0; size < sizeof component - 1; size++) {
        if (visit(component, size, &kind, &found)) {
            assert_in_range(found.count, 0, 1);
        }
    }
}

static void what_is_no_wasm_or_of_an_unknown_kind_is_refused(void **state)
{
    (void)state;
    enum wasm_kind kind;
    struct found found;
    assert_false(visit("", 0, &kind, &found));
    assert_false(visit("\0asm\2\0\0\0", 8, &kind, &found));
    assert_false(visit(MODULE "\2\7\1\1a\1b\x09\0", 17, &kind, &found));
    /* More imports than there are bytes for. */
    assert_false(visit(MODULE "\2\5\xff\xff\xff\xff\x0f", 15, &kind, &found));
    assert_int_equal(found.count, 0);
    assert_false(visit(COMPONENT "\x0a\6\1\3\1w\5\0", 16, &kind, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imports_of_a_module_are_told_in_order),
        cmocka_unit_test(imports_of_a_component_are_told_by_their_whole_names),
        cmocka_unit_test(a_file_that_ends_early_is_refused_or_has_fewer_imports),
        cmocka_unit_test(what_is_no_wasm_or_of_an_unknown_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
