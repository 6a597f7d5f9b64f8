/* What the WebSocket rows of `make bench` are answered by; bench/peers/web does the same in Go. */
#include <mote.h>

MOTE_HANDLER(hello)
{
    mote_reply_text(200, "hello\n");
}

/* Every message goes back. */
static void echo_message(enum mote_ws_kind kind, const void *data, size_t size)
{
    mote_ws_send(kind, data, size);
}

static const struct mote_ws echo_callbacks = {.message = echo_message};
MOTE_WEBSOCKET(echo, echo_callbacks)
