#include "../base/cmocka_all.h"

#include "serve/websocket_handshake.h"

#include <string.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct websocket_options options = {.compression = true};

/* Over HTTP/2 there is no key, and nothing to upgrade (RFC 8441, 4). */
static void an_extended_connect_needs_no_key(void **state)
{
    (void)state;
    const struct header headers[] = {
        {TEXT("sec-websocket-version"), TEXT("13")},
        {TEXT("sec-websocket-extensions"), TEXT("permessage-deflate")}};
    struct request request = {.method = METHOD_GET,
                              .method_name = TEXT("CONNECT"),
                              .protocol = TEXT("websocket"),
                              .minor_version = 1,
                              .headers = headers,
                              .header_count = ARRAY_LENGTH(headers)};
    struct websocket_handshake hands;
    assert_true(websocket_is_wanted(&request));
    websocket_shake_hands(&request, &options, &hands);
    assert_int_equal(hands.status, 0);
    assert_string_equal(hands.accept, "");
    assert_true(hands.deflate.on);

    request.protocol = (struct text){0};
    assert_false(websocket_is_wanted(&request));
    request.protocol = (struct text)TEXT("websocket");
    request.header_count = 0;
    websocket_shake_hands(&request, &options, &hands);
    assert_int_equal(hands.status, 426);
}

static void terms_are_written_as_they_were_agreed_on(void **state)
{
    (void)state;
    char text[WEBSOCKET_EXTENSION_BYTES];
    struct websocket_deflate_terms terms = {.on = true, .window_bits = 15};
    size_t size = websocket_extension_format(&terms, text);
    assert_int_equal(size, strlen(text));
    assert_string_equal(text, "permessage-deflate; server_no_context_takeover; "
                              "client_no_context_takeover");
    terms.says_window = true;
    size = websocket_extension_format(&terms, text);
    assert_int_equal(size, strlen(text));
    assert_string_equal(text, "permessage-deflate; server_no_context_takeover; "
                              "client_no_context_takeover; server_max_window_bits=15");
}

static void compression_can_be_declined(void **state)
{
    (void)state;
    const struct header headers[] = {
        {TEXT("Upgrade"), TEXT("websocket")},
        {TEXT("Connection"), TEXT("Upgrade")},
        {TEXT("Sec-WebSocket-Version"), TEXT("13")},
        {TEXT("Sec-WebSocket-Key"), TEXT("dGhlIHNhbXBsZSBub25jZQ==")},
        {TEXT("Sec-WebSocket-Extensions"), TEXT("permessage-deflate")},
    };
    struct request request = {.method = METHOD_GET,
                              .method_name = TEXT("GET"),
                              .minor_version = 1,
                              .headers = headers,
                              .header_count = ARRAY_LENGTH(headers)};
    struct websocket_handshake hands;
    websocket_shake_hands(&request, &(struct websocket_options){.compression = false}, &hands);
    assert_int_equal(hands.status, 0);
    assert_string_equal(hands.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_false(hands.deflate.on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_extended_connect_needs_no_key),
        cmocka_unit_test(terms_are_written_as_they_were_agreed_on),
        cmocka_unit_test(compression_can_be_declined),
    };
    return cmocka_run_group_tests_name("websocket_handshake", tests, NULL, NULL);
}
