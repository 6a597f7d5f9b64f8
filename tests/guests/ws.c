/* WebSockets: one entry for each thing that the tests want of a process. */
#define MOTE_WEBSOCKET_BYTES 4194304
#include <mote.h>

static unsigned char room[1 << 21];

static bool is(const struct mote_mail *mail, const char *word)
{
    size_t size = mote_size_of(word);
    if (mail->size < size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (room[i] != (unsigned char)word[i]) {
            return false;
        }
    }
    return true;
}

/* Everything back. */
MOTE_HANDLER(echo)
{
    struct mote_mail mail;
    while (mote_ws_receive(&mail, room, sizeof room)) {
        if (mail.kind == MOTE_MAIL_FRAME && mail.sender == 0 && mail.size <= sizeof room) {
            mote_ws_send((enum mote_ws_kind)mail.label, room, mail.size);
        }
    }
}

/* What the handshake said, a message each. */
MOTE_HANDLER(tell)
{
    static char text[512];
    static const enum mote_request_field fields[] = {MOTE_METHOD, MOTE_PATH, MOTE_QUERY, MOTE_HOST,
                                                     MOTE_SUBPROTOCOL};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        mote_request(fields[i], text, sizeof text);
        mote_ws_send_text(text);
    }
    mote_param("room", text, sizeof text);
    mote_ws_send_text(text);
    mote_header("x-colour", text, sizeof text);
    mote_ws_send_text(text);
}

static size_t put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++) {
        to[i] = digits[count - 1 - i];
    }
    return count;
}

static void log_close(const struct mote_mail *mail)
{
    char line[256] = "closed ";
    size_t at = 7 + put_number(line + 7, mail->label);
    line[at++] = ' ';
    for (size_t i = 0; i < mail->size && i < 200; i++) {
        line[at++] = (char)room[i];
    }
    line[at] = '\0';
    mote_log(MOTE_INFO, line);
}

/* Does what the first word of a message says. */
MOTE_HANDLER(obey)
{
    struct mote_mail mail;
    mote_register("obey", NULL);
    mote_join("crowd");
    while (mote_receive(&mail, room, sizeof room) == MOTE_OK) {
        if (mail.kind == MOTE_MAIL_CLOSE) {
            log_close(&mail);
            return;
        }
        if (mail.kind == MOTE_MAIL_STOP) {
            return;
        }
        if (mail.kind != MOTE_MAIL_FRAME) {
            mote_ws_send(MOTE_WS_BINARY, room, mail.size);
        } else if (is(&mail, "crash")) {
            __builtin_trap();
        } else if (is(&mail, "eat")) {
            for (;;) {
                if (__builtin_wasm_memory_grow(0, 16) == (size_t)-1) {
                    __builtin_trap();
                }
            }
        } else if (is(&mail, "spin")) {
            for (volatile uint64_t i = 0;; i++) {
            }
        } else if (is(&mail, "sleep")) {
            mote_sleep_ms(60000);
        } else if (is(&mail, "point")) {
            mote_ws_send(MOTE_WS_BINARY, (const void *)(uintptr_t)0x7ffffff0, 32);
        } else if (is(&mail, "hint")) {
            mote_abi_ws_close(1000, (const char *)(uintptr_t)0x7ffffff0, 32);
        } else if (is(&mail, "nap")) {
            mote_sleep_ms(300);
            mote_ws_send_text("slept");
        } else if (is(&mail, "return")) {
            return;
        } else if (is(&mail, "close")) {
            mote_ws_send_text("last words");
            mote_ws_close(4001, "enough");
        } else if (is(&mail, "bad-text")) {
            mote_ws_send_text(mote_ws_send(MOTE_WS_TEXT, "\xff", 1) == MOTE_INVALID ? "invalid"
                                                                                    : "taken");
        } else if (is(&mail, "bad-close")) {
            mote_ws_send_text(mote_ws_close(1005, NULL) == MOTE_INVALID &&
                                      mote_ws_close(999, NULL) == MOTE_INVALID
                                  ? "invalid"
                                  : "taken");
        } else if (is(&mail, "publish")) {
            mote_publish("crowd", 7, room, mail.size, NULL);
        } else if (is(&mail, "pid")) {
            uint64_t pid = mote_self();
            mote_ws_send(MOTE_WS_BINARY, &pid, sizeof pid);
        } else if (is(&mail, "forge")) {
            /* The best that a process can do: a label like a frame's. */
            mote_send(mote_self(), MOTE_WS_TEXT, "forged", 6);
        }
    }
}

/* Hears of the end of its client, and does not go. */
MOTE_HANDLER(stay)
{
    struct mote_mail mail;
    while (mote_receive(&mail, room, sizeof room) == MOTE_OK) {
        if (mail.kind == MOTE_MAIL_CLOSE) {
            log_close(&mail);
            mote_log(MOTE_INFO, mote_ws_send_text("x") == MOTE_CLOSED ? "send: closed" : "send: ?");
        }
    }
}

/* Sends without end; says how that ended. */
MOTE_HANDLER(flood)
{
    while (mote_ws_send(MOTE_WS_BINARY, room, 65536) == MOTE_OK) {
    }
    mote_log(MOTE_INFO, "flood: closed");
    struct mote_mail mail;
    if (mote_receive(&mail, room, sizeof room) == MOTE_OK && mail.kind == MOTE_MAIL_CLOSE) {
        log_close(&mail);
    }
}

/* Reads nothing until its message of another process comes. */
MOTE_HANDLER(hold)
{
    static const struct mote_filter sends = {1U << MOTE_MAIL_SEND, 0, 0, {0}};
    struct mote_mail mail;
    mote_register("hold", NULL);
    if (mote_receive_within(&sends, -1, &mail, room, sizeof room) != MOTE_OK) {
        return;
    }
    uint64_t count = 0;
    while (mote_ws_receive(&mail, room, sizeof room)) {
        count++;
        if (is(&mail, "end")) {
            mote_ws_send(MOTE_WS_BINARY, &count, sizeof count);
        }
    }
}

/* POST /send/:name: the body to the process of that name, from two processes at once if there are two requests. */
MOTE_HANDLER(send)
{
    char name[64];
    mote_param("name", name, sizeof name);
    int32_t size = mote_read(room, sizeof room);
    uint64_t pid = mote_whereis(name);
    if (pid == 0) {
        mote_reply_text(404, "nobody\n");
        return;
    }
    mote_reply_text(mote_send(pid, 1, room, size < 0 ? 0 : (size_t)size) == MOTE_OK ? 200 : 503,
                    "sent\n");
}

/* No WebSocket here. */
MOTE_HANDLER(misplaced)
{
    bool both = mote_ws_send_text("x") == MOTE_MISPLACED &&
                mote_ws_close(1000, NULL) == MOTE_MISPLACED;
    mote_reply_text(200, both ? "misplaced\n" : "taken\n");
}
