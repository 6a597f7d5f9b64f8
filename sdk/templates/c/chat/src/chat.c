/* Each client has a process of its own, which lives as long as its WebSocket. All are in one group: what a client sends is
 * published there, and comes to each process as mail. */
#include <mote_app.h>

enum { NAME_BYTES = 40, TEXT_BYTES = 1000 };

static const char group[] = "room";

static size_t find_break(const char *data, size_t size)
{
    size_t at = 0;
    while (at < size && data[at] != '\n') {
        at++;
    }
    return at;
}

/* {"kind": ..., "name": ..., "text": ..., "here": number} to all. */
static void tell(const char *kind, const char *name, size_t name_size, const char *text,
                 size_t text_size)
{
    static char room[8192];
    struct mote_text json = mote_text(room, sizeof room);
    mote_put_text(&json, "{\"kind\":");
    mote_put_json(&json, kind, mote_size_of(kind));
    mote_put_text(&json, ",\"name\":");
    mote_put_json(&json, name, name_size);
    mote_put_text(&json, ",\"text\":");
    mote_put_json(&json, text, text_size);
    mote_put_text(&json, ",\"here\":");
    mote_put_number(&json, mote_members(group, NULL, 0));
    mote_put_text(&json, "}");
    if (!json.full) {
        mote_publish(group, 0, json.data, json.size, NULL);
    }
}

static void on_open(void)
{
    mote_join(group);
    tell("here", "", 0, "", 0);
}

/* A name, a line break, a text. */
static void on_message(enum mote_ws_kind kind, const void *data, size_t size)
{
    const char *message = data;
    size_t name = find_break(message, size);
    size_t text = name < size ? size - name - 1 : 0;
    if (kind != MOTE_WS_TEXT || name == 0 || name > NAME_BYTES || text == 0 || text > TEXT_BYTES) {
        mote_ws_close(4000, "a name, a line break and a text are wanted");
        return;
    }
    tell("said", message, name, message + name + 1, text);
}

/* What was published. */
static void on_mail(const struct mote_mail *mail, const void *data, size_t size)
{
    if (mail->kind == MOTE_MAIL_SEND && size == mail->size) {
        mote_ws_send(MOTE_WS_TEXT, data, size);
    }
}

static void on_close(uint32_t code, const void *reason, size_t size)
{
    (void)code, (void)reason, (void)size;
    mote_leave(group);
    tell("here", "", 0, "", 0);
}

/* WS /socket */
MOTE_HANDLER(socket)
{
    static char room[8192];
    static const struct mote_ws callbacks = {
        .open = on_open, .message = on_message, .mail = on_mail, .close = on_close};
    mote_ws_serve(&callbacks, room, sizeof room);
}
