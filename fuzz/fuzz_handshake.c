/* Any header lines are a handshake that is agreed on, or refused with a status; what is agreed on can be sent. */
#include "serve/field.h"
#include "serve/http1.h"
#include "serve/websocket_handshake.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check(const struct request *request, const struct websocket_handshake *hands)
{
    char extension[WEBSOCKET_EXTENSION_BYTES];
    if (hands->status != 0) {
        INVARIANT(hands->status >= 400 && hands->status <= 426 && hands->reason != NULL);
        return;
    }
    INVARIANT(websocket_is_wanted(request));
    INVARIANT(strlen(hands->accept) == 28);
    if (hands->deflate.on) {
        INVARIANT(hands->deflate.window_bits >= 9 && hands->deflate.window_bits <= 15);
        struct header header = {
            {"Sec-WebSocket-Extensions", 24},
            {extension, websocket_extension_format(&hands->deflate, extension)}};
        INVARIANT(header.value.size < sizeof extension && field_is_valid(&header));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const subprotocols[] = {"chat", "b", NULL}, *const origins[] = {"http://a",
                                                                                       NULL};
    static const char line[] = "GET / HTTP/1.1\r\n";
    struct websocket_options options = {.subprotocols = subprotocols, .compression = true};
    struct http1_rules rules;
    struct http1 http1;
    struct request request = {0};
    http1_rules_init(&rules, 4096, 20, 60);
    http1_init(&http1, &rules);
    struct http1_step step = http1_feed(&http1, &request, line, sizeof line - 1);
    INVARIANT(step.event == HTTP1_MORE);
    step = http1_feed(&http1, &request, data, size_bytes);
    if (step.event == HTTP1_HEAD) {
        struct websocket_handshake hands;
        websocket_shake_hands(&request, &options, &hands);
        check(&request, &hands);
        options.origins = origins;
        websocket_shake_hands(&request, &options, &hands);
        check(&request, &hands);
    }
    request_fini(&request);
    return 0;
}
