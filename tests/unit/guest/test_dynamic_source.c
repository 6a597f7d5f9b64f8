/* What spawn_from() takes for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "guest/dynamic_source.h"

#include <stdlib.h>
#include <string.h>

static struct dynamic_source parse(const char *text)
{
    return dynamic_source_parse(text, strlen(text));
}

static void texts_say_where_the_code_is(void **state)
{
    (void)state;
    struct dynamic_source url = parse("url:https://a/b");
    assert_int_equal(url.kind, DYNAMIC_URL);
    assert_int_equal(url.text_bytes, strlen("https://a/b"));
    assert_memory_equal(url.text, "https://a/b", url.text_bytes);
    assert_int_equal(parse("kv:bucket/a/b").kind, DYNAMIC_STORE);
}

static void a_digest_has_64_digits_of_either_case(void **state)
{
    (void)state;
    char text[] = "sha256:00ff00FF00000000000000000000000000000000000000000000000000000aB1";
    struct dynamic_source source = parse(text);
    assert_int_equal(source.kind, DYNAMIC_DIGEST);
    const unsigned char begin[] = {0x00, 0xff, 0x00, 0xff, 0x00};
    assert_memory_equal(source.digest, begin, sizeof begin);
    assert_int_equal(source.digest[30], 0x0a);
    assert_int_equal(source.digest[31], 0xb1);
    text[20] = 'g';
    assert_int_equal(parse(text).kind, DYNAMIC_MALFORMED);
}

static void half_of_a_source_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",        "x",         "url:",         "url",
                                        "kv:",     "kv:b",      "kv:/k",        "kv:b/",
                                        "sha256:", "sha256:00", "URL:https://a"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        assert_int_equal(parse(texts[i]).kind, DYNAMIC_MALFORMED);
    }
    assert_int_equal(dynamic_source_parse("\0as", 3).kind, DYNAMIC_MALFORMED);
}

static void wasm_is_known_by_its_first_bytes_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(dynamic_source_parse("\0asm", 4).kind, DYNAMIC_WASM);
    char *large = calloc(1, DYNAMIC_SOURCE_BYTES_MAX + 1);
    assert_non_null(large);
    memcpy(large, "\0asm", 4);
    assert_int_equal(dynamic_source_parse(large, DYNAMIC_SOURCE_BYTES_MAX).kind, DYNAMIC_WASM);
    assert_int_equal(dynamic_source_parse(large, DYNAMIC_SOURCE_BYTES_MAX + 1).kind,
                     DYNAMIC_TOO_LARGE);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_say_where_the_code_is),
        cmocka_unit_test(a_digest_has_64_digits_of_either_case),
        cmocka_unit_test(half_of_a_source_is_none),
        cmocka_unit_test(wasm_is_known_by_its_first_bytes_and_bounded),
    };
    return cmocka_run_group_tests_name("dynamic source", tests, NULL, NULL);
}
