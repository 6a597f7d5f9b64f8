#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/footprint.h"

#include <string.h>

/* Sections as a linker writes them, each with its id and size. */
#define HEADER "\0asm\1\0\0\0"
#define TYPES "\1\4\1\x60\0\0"
#define FUNCTIONS "\3\2\1\0"
#define ONE_PAGE "\5\3\1\0\1"
#define EXPORTS "\7\1\0"
/* One body of two bytes: no locals, end. */
#define CODE "\x0a\4\1\2\0\x0b"
/* i32 65536, changeable (the stack pointer); i32 10287 (the end of data). */
#define GLOBALS "\6\x0f\2\x7f\1\x41\x80\x80\x04\x0b\x7f\0\x41\xaf\xd0\0\x0b"
/* "memory", "__heap_base" (global 1), "run". */
#define EXPORTS_WITH_END "\7\x1e\3\6memory\2\0\x0b__heap_base\3\1\3run\0\0"
#define EXPORTS_WITHOUT_END "\7\x10\2\6memory\2\0\3run\0\0"
/* 12,288 bytes as minimum and maximum, in pages of one byte. */
#define THREE_KERNEL_PAGES "\5\7\1\x09\x80\x60\x80\x60\0"

#define TEXT(literal) (literal), sizeof(literal) - 1

static struct bytes bytes_of(const char *data, size_t size)
{
    struct bytes ret = {0};
    assert_true(bytes_append(&ret, data, size));
    return ret;
}

static void assert_content(const struct bytes *seen, const char *data, size_t size)
{
    assert_int_equal(seen->size, size);
    assert_memory_equal(seen->data, data, size);
}

/* It is refused, and stays as it is. */
static void assert_left_alone(const char *data, size_t size, uint32_t end_bytes)
{
    AUTO(bytes_finip) struct bytes wasm = bytes_of(data, size);
    assert_false(footprint_fit(&wasm, end_bytes));
    assert_content(&wasm, data, size);
}

static void assert_not_taken(const char *data, size_t size)
{
    AUTO(bytes_finip) struct bytes wasm = bytes_of(data, size);
    uint32_t end_bytes = 42;
    assert_false(footprint_take(&wasm, &end_bytes));
    assert_int_equal(end_bytes, 42);
    assert_content(&wasm, data, size);
}

/* ---- footprint_take ---- */

static void the_end_of_data_is_read_and_its_export_dropped(void **state)
{
    (void)state;
    AUTO(bytes_finip)
    struct bytes wasm =
        bytes_of(TEXT(HEADER TYPES FUNCTIONS ONE_PAGE GLOBALS EXPORTS_WITH_END CODE));
    uint32_t end_bytes = 0;
    assert_true(footprint_take(&wasm, &end_bytes));
    assert_int_equal(end_bytes, 10287);
    assert_content(&wasm, TEXT(HEADER TYPES FUNCTIONS ONE_PAGE GLOBALS EXPORTS_WITHOUT_END CODE));
}

static void imported_functions_do_not_shift_globals(void **state)
{
    (void)state;
    AUTO(bytes_finip)
    struct bytes wasm = bytes_of(TEXT(HEADER TYPES "\2\7\1\1m\1f\0\0" GLOBALS EXPORTS_WITH_END));
    uint32_t end_bytes = 0;
    assert_true(footprint_take(&wasm, &end_bytes));
    assert_int_equal(end_bytes, 10287);
}

static void globals_of_every_number_type_may_stand_before_the_end(void **state)
{
    (void)state;
    AUTO(bytes_finip)
    struct bytes wasm = bytes_of(
        TEXT(HEADER "\6\x20\4\x7e\0\x42\x7f\x0b\x7d\0\x43\0\0\0\0\x0b\x7c\0\x44\0\0\0\0\0\0\0\0\x0b"
                    "\x7f\0\x41\xc0\0\x0b"
                    "\7\x0f\1\x0b__heap_base\3\3"));
    uint32_t end_bytes = 0;
    assert_true(footprint_take(&wasm, &end_bytes));
    assert_int_equal(end_bytes, 64);
}

static void a_module_without_that_export_is_left_alone(void **state)
{
    (void)state;
    assert_not_taken(TEXT(HEADER));
    assert_not_taken(TEXT(HEADER GLOBALS));
    assert_not_taken(TEXT(HEADER GLOBALS EXPORTS));
    assert_not_taken(TEXT(HEADER GLOBALS EXPORTS_WITHOUT_END));
    /* A function of that name. */
    assert_not_taken(TEXT(HEADER GLOBALS "\7\x0f\1\x0b__heap_base\0\1"));
}

static void an_end_that_is_no_plain_constant_is_not_believed(void **state)
{
    (void)state;
    /* global.get 0 */
    assert_not_taken(TEXT(HEADER "\6\6\1\x7f\0\x23\0\x0b\7\x0f\1\x0b__heap_base\3\0"));
    /* i32.const -1, and 0 */
    assert_not_taken(TEXT(HEADER "\6\6\1\x7f\0\x41\x7f\x0b\7\x0f\1\x0b__heap_base\3\0"));
    assert_not_taken(TEXT(HEADER "\6\6\1\x7f\0\x41\0\x0b\7\x0f\1\x0b__heap_base\3\0"));
    /* i32.const 64, i32.const 1, i32.add */
    assert_not_taken(
        TEXT(HEADER "\6\x0a\1\x7f\0\x41\xc0\0\x41\1\x6a\x0b\7\x0f\1\x0b__heap_base\3\0"));
    /* A global that is not there. */
    assert_not_taken(TEXT(HEADER "\6\6\1\x7f\0\x41\1\x0b\7\x0f\1\x0b__heap_base\3\1"));
    assert_not_taken(TEXT(HEADER EXPORTS_WITH_END));
}

static void an_import_of_anything_but_functions_is_left_alone(void **state)
{
    (void)state;
    assert_not_taken(TEXT(HEADER "\2\x8\1\1m\1g\3\x7f\0" GLOBALS EXPORTS_WITH_END));
    assert_not_taken(TEXT(HEADER "\2\x8\1\1m\1m\2\0\1" GLOBALS EXPORTS_WITH_END));
}

static void what_is_cut_off_anywhere_is_left_alone_or_whole(void **state)
{
    (void)state;
    static const char module[] = HEADER TYPES FUNCTIONS ONE_PAGE GLOBALS EXPORTS_WITH_END CODE;
    size_t whole = sizeof(module) - 1, code = sizeof(CODE) - 1;
    for (size_t size = 0; size < whole; size++) {
        if (size != whole - code) { /* there it ends between two sections */
            assert_not_taken(module, size);
        }
    }
}

/* ---- footprint_fit ---- */

static void a_memory_ends_at_the_page_in_which_its_data_ends(void **state)
{
    (void)state;
    AUTO(bytes_finip)
    struct bytes wasm = bytes_of(TEXT(HEADER TYPES FUNCTIONS ONE_PAGE EXPORTS CODE));
    assert_true(footprint_fit(&wasm, 10287));
    assert_content(&wasm, TEXT(HEADER TYPES FUNCTIONS THREE_KERNEL_PAGES EXPORTS CODE));
}

static void data_that_fills_its_last_page_gets_no_further_one(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes wasm = bytes_of(TEXT(HEADER ONE_PAGE));
    assert_true(footprint_fit(&wasm, 12288));
    assert_content(&wasm, TEXT(HEADER THREE_KERNEL_PAGES));
}

static void a_memory_of_several_pages_shrinks_as_well(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes wasm = bytes_of(TEXT(HEADER "\5\3\1\0\3"));
    assert_true(footprint_fit(&wasm, 131073));
    /* 135,168 bytes */
    assert_content(&wasm, TEXT(HEADER "\5\x9\1\x09\x80\xa0\x08\x80\xa0\x08\0"));
}

static void numbers_as_long_as_the_linker_writes_them_are_understood(void **state)
{
    (void)state;
    AUTO(bytes_finip)
    struct bytes wasm = bytes_of(TEXT(HEADER "\5\x83\x80\x80\x80\0\1\0\1"
                                             "\x0a\x88\x80\x80\x80\0\1\x82\x80\x80\x80\0\0\x0b"));
    assert_true(footprint_fit(&wasm, 1));
    assert_content(&wasm, TEXT(HEADER "\5\7\1\x09\x80\x20\x80\x20\0"
                                      "\x0a\x88\x80\x80\x80\0\1\x82\x80\x80\x80\0\0\x0b"));
}

static void nothing_is_done_where_nothing_is_gained(void **state)
{
    (void)state;
    assert_left_alone(TEXT(HEADER ONE_PAGE), 65536);
    assert_left_alone(TEXT(HEADER ONE_PAGE), 61441);
    assert_left_alone(TEXT(HEADER ONE_PAGE), 100000);
    assert_left_alone(TEXT(HEADER ONE_PAGE), UINT32_MAX);
    assert_left_alone(TEXT(HEADER "\5\3\1\0\0"), 1);
}

static void a_memory_out_of_the_ordinary_is_left_alone(void **state)
{
    (void)state;
    assert_left_alone(TEXT(HEADER), 1);
    assert_left_alone(TEXT(HEADER "\5\1\0"), 1);                       /* none in the section */
    assert_left_alone(TEXT(HEADER "\5\5\2\0\1\0\1"), 1);               /* two */
    assert_left_alone(TEXT(HEADER ONE_PAGE ONE_PAGE), 1);              /* two sections */
    assert_left_alone(TEXT(HEADER "\5\4\1\1\1\1"), 1);                 /* a maximum */
    assert_left_alone(TEXT(HEADER "\5\4\1\3\1\1"), 1);                 /* shared */
    assert_left_alone(TEXT(HEADER "\5\3\1\4\1"), 1);                   /* 64 bits */
    assert_left_alone(TEXT(HEADER THREE_KERNEL_PAGES), 1);             /* small pages already */
    assert_left_alone(TEXT(HEADER "\2\x8\1\1m\1m\2\0\1" ONE_PAGE), 1); /* one more is imported */
    assert_left_alone(TEXT(HEADER "\5\4\1\0\1\0"), 1);                 /* something behind it */
}

static void code_that_may_ask_for_the_size_is_left_alone(void **state)
{
    (void)state;
    /* memory.size, drop */
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\7\1\5\0\x3f\0\x1a\x0b"), 1);
    /* i32.const 1, memory.grow, drop */
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\x9\1\7\0\x41\1\x40\0\x1a\x0b"), 1);
    /* The index of the memory written long. */
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\x8\1\6\0\x3f\x80\0\x1a\x0b"), 1);
    /* In the second body. */
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\x0a\2\2\0\x0b\5\0\x3f\0\x1a\x0b"), 1);
}

static void bytes_that_only_look_like_it_cost_no_more_than_the_gain(void **state)
{
    (void)state;
    /* i32.const 0x3f80 is written 80 ff 00; i32.const 8,191 is ff 3f: followed by 00, unreachable. */
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\x8\1\6\0\x41\xff\x3f\0\x0b"), 1);
}

static void a_body_of_sixty_four_bytes_does_not_look_like_it(void **state)
{
    (void)state;
    /* Size 0x40, no locals 0x00: the two bytes of memory.grow, but not in code. 62 x nop. */
    AUTO(bytes_finip) struct bytes wasm = bytes_of(TEXT(HEADER ONE_PAGE "\x0a\x42\1\x40\0"));
    for (int i = 0; i < 62; i++) {
        assert_true(bytes_append(&wasm, "\1", 1));
    }
    assert_true(bytes_append(&wasm, "\x0b", 1));
    assert_true(footprint_fit(&wasm, 1));
}

static void malformed_modules_are_left_alone(void **state)
{
    (void)state;
    static const char module[] = HEADER TYPES FUNCTIONS ONE_PAGE EXPORTS CODE;
    size_t whole = sizeof(module) - 1, code = sizeof(CODE) - 1, exports = sizeof(EXPORTS) - 1;
    for (size_t size = 0; size < whole; size++) {
        if (size != whole - code && size != whole - code - exports) {
            assert_left_alone(module, size, 1);
        }
    }
    assert_left_alone(TEXT("\0asm\2\0\0\0" ONE_PAGE), 1);
    assert_left_alone(TEXT("\0asm\x0d\0\1\0" ONE_PAGE), 1); /* a component */
    assert_left_alone(TEXT("text, not Wasm"), 1);
    /* A size of six bytes, one of more than 32 bits, one past the end. */
    assert_left_alone(TEXT(HEADER "\5\x83\x80\x80\x80\x80\0\1\0\1"), 1);
    assert_left_alone(TEXT(HEADER "\5\xff\xff\xff\xff\x7f\1\0\1"), 1);
    assert_left_alone(TEXT(HEADER "\5\xff\xff\xff\xff\x0f\1\0\1"), 1);
    /* More bodies than there are, a body that reaches out of its section, bytes behind the last. */
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\x8\xff\xff\xff\xff\x0f\2\0\x0b"), 1);
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\4\1\3\0\x0b"), 1);
    assert_left_alone(TEXT(HEADER ONE_PAGE "\x0a\5\1\2\0\x0b\0"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_data_is_read_and_its_export_dropped),
        cmocka_unit_test(imported_functions_do_not_shift_globals),
        cmocka_unit_test(globals_of_every_number_type_may_stand_before_the_end),
        cmocka_unit_test(a_module_without_that_export_is_left_alone),
        cmocka_unit_test(an_end_that_is_no_plain_constant_is_not_believed),
        cmocka_unit_test(an_import_of_anything_but_functions_is_left_alone),
        cmocka_unit_test(what_is_cut_off_anywhere_is_left_alone_or_whole),
        cmocka_unit_test(a_memory_ends_at_the_page_in_which_its_data_ends),
        cmocka_unit_test(data_that_fills_its_last_page_gets_no_further_one),
        cmocka_unit_test(a_memory_of_several_pages_shrinks_as_well),
        cmocka_unit_test(numbers_as_long_as_the_linker_writes_them_are_understood),
        cmocka_unit_test(nothing_is_done_where_nothing_is_gained),
        cmocka_unit_test(a_memory_out_of_the_ordinary_is_left_alone),
        cmocka_unit_test(code_that_may_ask_for_the_size_is_left_alone),
        cmocka_unit_test(bytes_that_only_look_like_it_cost_no_more_than_the_gain),
        cmocka_unit_test(a_body_of_sixty_four_bytes_does_not_look_like_it),
        cmocka_unit_test(malformed_modules_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
