#include "cmocka_all.h"

#include "base/base.h"
#include "base/utf8.h"

#include <string.h>

static void every_length_of_character_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        uint32_t code_point;
    } cases[] = {
        {"a", 1, 'a'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xee\x80\x80", 3, 0xe000},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint32_t code_point = 0;
        assert_int_equal(utf8_decode(cases[i].text, strlen(cases[i].text), &code_point),
                         cases[i].length);
        assert_int_equal(code_point, cases[i].code_point);
    }
    uint32_t zero = 1;
    assert_int_equal(utf8_decode("", 1, &zero), 1);
    assert_int_equal(zero, 0);
}

static void what_is_not_a_character_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\x80",             /* a continuation alone */
        "\xff",             /* never in UTF-8 */
        "\xc0\x80",         /* overlong zero */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xed\xbf\xbf",     /* surrogate */
        "\xf4\x90\x80\x80", /* above the last one */
        "\xf5\x80\x80\x80", /* above the last one */
        "\xe2\x82",         /* cut */
        "\xe2\x28\xa1",     /* no continuation */
        "\xf0\x9f\x98",     /* cut */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint32_t code_point = 77;
        assert_int_equal(utf8_decode(cases[i], strlen(cases[i]), &code_point), 0);
        assert_int_equal(code_point, 77);
    }
    uint32_t code_point = 77;
    assert_int_equal(utf8_decode("a", 0, &code_point), 0);
}

/* Feed `text` cut in two at `cut`. */
static bool check_cut(const char *text, size_t size, size_t cut)
{
    struct utf8_check check = {0};
    return utf8_check_feed(&check, text, cut) && utf8_check_feed(&check, text + cut, size - cut) &&
           utf8_check_is_whole(&check);
}

static void text_in_pieces_is_checked_wherever_it_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain text of more than eight bytes", true},
        {"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", true},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", true},
        {"0123456\xc3\xa9 012345678\xff", false},
        {"\xc0\x80", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xe2\x82", false},
        {"\xe2\x28\xa1", false},
        {"\x80", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t size = strlen(cases[i].text);
        for (size_t cut = 0; cut <= size; cut++) {
            assert_int_equal(check_cut(cases[i].text, size, cut), cases[i].valid);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_of_character_is_decoded),
        cmocka_unit_test(what_is_not_a_character_is_refused),
        cmocka_unit_test(text_in_pieces_is_checked_wherever_it_is_cut),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
