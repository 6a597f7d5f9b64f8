#include "cmocka_all.h"

#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

static void assert_both_ways(const char *plain, const char *coded)
{
    char text[64] = {0};
    uint8_t bytes[64] = {0};
    size_t size = 99;
    base64_encode(plain, strlen(plain), text);
    assert_string_equal(text, coded);
    assert_int_equal(strlen(coded), base64_encoded_size(strlen(plain)));
    assert_true(base64_decode(coded, strlen(coded), bytes, &size));
    assert_int_equal(size, strlen(plain));
    assert_memory_equal(bytes, plain, size);
}

/* RFC 4648, 10. */
static void what_the_rfc_gives_as_examples(void **state)
{
    (void)state;
    assert_both_ways("", "");
    assert_both_ways("f", "Zg==");
    assert_both_ways("fo", "Zm8=");
    assert_both_ways("foo", "Zm9v");
    assert_both_ways("foob", "Zm9vYg==");
    assert_both_ways("fooba", "Zm9vYmE=");
    assert_both_ways("foobar", "Zm9vYmFy");
    assert_both_ways("\xfb\xff\xbf", "+/+/");
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "Z",    "Zg",     "Zg=",   "=",    "====", "Z===", "Zg==Zg==",        "Zm9 ",
        "Zm9-", "Zm\n9v", "Zm9v=", "Zh==", "Zm9=", "Zg=v", "\xff\xff\xff\xff"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        uint8_t bytes[64];
        size_t size = 99;
        if (base64_decode(wrong[i], strlen(wrong[i]), bytes, &size) || size != 99) {
            fail_msg("'%s'", wrong[i]);
        }
    }
}

static void a_text_is_decoded_where_it_stands(void **state)
{
    char text[] = "Zm9vYmFyYmF6";
    size_t size = 0;
    (void)state;
    assert_true(base64_decode(text, strlen(text), (uint8_t *)text, &size));
    assert_int_equal(size, 9);
    assert_memory_equal(text, "foobarbaz", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_rfc_gives_as_examples),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_text_is_decoded_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
