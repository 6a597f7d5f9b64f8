#include "../base/cmocka_all.h"

#include "serve/proxy.h"

#include <string.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static enum proxy_result parse(const char *data, size_t size, struct proxy_header *ret)
{
    return proxy_parse(data, size, ret);
}

/* It is whole, and neither sooner nor by what follows. */
static struct proxy_header assert_whole(const char *data, size_t size)
{
    struct proxy_header header;
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(parse(data, i, &header), PROXY_MORE);
    }
    char more[600];
    assert_true(size + 3 < sizeof(more));
    memcpy(more, data, size);
    memcpy(more + size, "GET", 3);
    assert_int_equal(parse(more, size + 3, &header), PROXY_WHOLE);
    assert_int_equal(header.size_bytes, size);
    return header;
}

static void assert_client(const struct proxy_header *header, const char *expected)
{
    char text[IP_TEXT_BYTES];
    assert_true(header->known);
    ip_format_endpoint(&header->client, header->client_port, text);
    assert_string_equal(text, expected);
}

#define ASSERT_CLIENT(data, expected)                                                              \
    do {                                                                                           \
        struct proxy_header header_ = assert_whole(data, sizeof(data) - 1);                        \
        assert_client(&header_, expected);                                                         \
    } while (0)

static void a_line_tells_the_client(void **state)
{
    (void)state;
    ASSERT_CLIENT("PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n", "192.0.2.7:51234");
    ASSERT_CLIENT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
                  "255.255.255.255:65535");
    ASSERT_CLIENT("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1");
}

static void a_line_may_know_nothing(void **state)
{
    (void)state;
    static const char alone[] = "PROXY UNKNOWN\r\n";
    static const char more[] = "PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n";
    assert_false(assert_whole(alone, sizeof(alone) - 1).known);
    assert_false(assert_whole(more, sizeof(more) - 1).known);
}

static void a_line_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        "PROXY TCP4 1.2.3.4\r 1.2.3.4 1 2\r\n",
        "PROXY \r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY\r\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct proxy_header header;
        if (parse(bad[i], strlen(bad[i]), &header) != PROXY_BAD) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void a_line_without_an_end_is_refused(void **state)
{
    (void)state;
    char line[200] = "PROXY UNKNOWN ";
    memset(line + 14, 'x', sizeof(line) - 14);
    struct proxy_header header;
    assert_int_equal(parse(line, PROXY_V1_BYTES_MAX - 1, &header), PROXY_MORE);
    assert_int_equal(parse(line, PROXY_V1_BYTES_MAX, &header), PROXY_BAD);
    memcpy(line + PROXY_V1_BYTES_MAX - 2, "\r\n", 2);
    assert_int_equal(parse(line, sizeof(line), &header), PROXY_WHOLE);
    memcpy(line + PROXY_V1_BYTES_MAX - 2, "x\r\n", 3);
    assert_int_equal(parse(line, sizeof(line), &header), PROXY_BAD);
}

static void bytes_tell_the_client(void **state)
{
    (void)state;
    ASSERT_CLIENT(V2 "\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\xc8\x22\1\xbb", "192.0.2.7:51234");
    ASSERT_CLIENT(V2 "\x21\x21\0\x24"
                     "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50\0\x51",
                  "[2001:db8::1]:80");
    ASSERT_CLIENT(V2 "\x21\x21\0\x24"
                     "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7"
                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\x50\0\x51",
                  "192.0.2.7:80");
}

static void bytes_tell_of_tls(void **state)
{
    (void)state;
    static const char data[] = V2 "\x21\x11\0\x19\xc0\0\2\7\xc6\x33\x64\1\xc8\x22\1\xbb"
                                  "\4\0\2zz\x20\0\5\1\0\0\0\0";
    static const char without[] = V2 "\x21\x11\0\x14\xc0\0\2\7\xc6\x33\x64\1\xc8\x22\1\xbb"
                                     "\x20\0\5\0\0\0\0\0";
    assert_true(assert_whole(data, sizeof(data) - 1).secure);
    assert_false(assert_whole(without, sizeof(without) - 1).secure);
}

static void bytes_may_know_nothing(void **state)
{
    (void)state;
    static const char own[] = V2 "\x20\0\0\0";
    static const char own_more[] = V2 "\x20\xff\0\2zz";
    static const char other_family[] = V2 "\x21\x31\0\2zz";
    assert_false(assert_whole(own, sizeof(own) - 1).known);
    assert_false(assert_whole(own_more, sizeof(own_more) - 1).known);
    assert_false(assert_whole(other_family, sizeof(other_family) - 1).known);
}

#define ASSERT_BAD(data)                                                                           \
    do {                                                                                           \
        struct proxy_header header_;                                                               \
        assert_int_equal(parse(data, sizeof(data) - 1, &header_), PROXY_BAD);                      \
    } while (0)

static void bytes_that_are_none_are_refused(void **state)
{
    (void)state;
    ASSERT_BAD("\r\n\r\n\0\r\nQUIX\n");
    ASSERT_BAD(V2 "\x11");                                         /* version 1 */
    ASSERT_BAD(V2 "\x22\x11\0\x0c");                               /* an unknown command */
    ASSERT_BAD(V2 "\x21\x41\0\0");                                 /* an unknown family */
    ASSERT_BAD(V2 "\x21\x13\0\0");                                 /* an unknown protocol */
    ASSERT_BAD(V2 "\x21\x11\xff\xff");                             /* too long */
    ASSERT_BAD(V2 "\x21\x11\0\x0b\xc0\0\2\7\xc6\x33\x64\1\1\1\1"); /* too short for its addresses */
    ASSERT_BAD(V2 "\x21\x11\0\x0e\xc0\0\2\7\xc6\x33\x64\1\1\1\1\1\4\0");    /* half an extra */
    ASSERT_BAD(V2 "\x21\x11\0\x10\xc0\0\2\7\xc6\x33\x64\1\1\1\1\1\4\0\2z"); /* its end is missing */
    ASSERT_BAD(V2
               "\x21\x11\0\x10\xc0\0\2\7\xc6\x33\x64\1\1\1\1\1\x20\0\1\1"); /* too short for TLS */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_tells_the_client),
        cmocka_unit_test(a_line_may_know_nothing),
        cmocka_unit_test(a_line_that_is_none_is_refused),
        cmocka_unit_test(a_line_without_an_end_is_refused),
        cmocka_unit_test(bytes_tell_the_client),
        cmocka_unit_test(bytes_tell_of_tls),
        cmocka_unit_test(bytes_may_know_nothing),
        cmocka_unit_test(bytes_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
