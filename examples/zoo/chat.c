/* The feed of a room, a page that shows it, and what the page says. The room is a service: room.c. */
#include "chat_page.h"
#include "room.h"

static char json[ROOM_JSON_BYTES];

/* ---- the page ---- */

/* GET /chat */
MOTE_HANDLER(page)
{
    mote_reply(200,
               "content-type: text/html; charset=utf-8\n"
               "cache-control: no-cache\n"
               "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; script-src "
               "'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action "
               "'none'; frame-ancestors 'none'\n"
               "x-content-type-options: nosniff\n",
               chat_page, sizeof chat_page - 1);
}

/* ---- saying something ---- */

/* False: no name, or no text. `*ret_id` is 0: nobody keeps the room. */
static bool tell_room(const struct room_said *said, uint64_t *ret_id)
{
    if (said->name[0] == '\0' || said->text[0] == '\0') {
        return false;
    }
    *ret_id = 0;
    mote_call("room", "say", said, sizeof *said, ret_id, sizeof *ret_id);
    return true;
}

/* POST /chat/messages?name=: the body is the text. */
MOTE_HANDLER(say)
{
    struct room_said said = {"sse", "", ""};
    uint64_t id = 0;
    int32_t name = mote_query("name", said.name, sizeof said.name);
    size_t size = 0;
    int32_t got = 1;
    while (size < sizeof said.text &&
           (got = mote_read(said.text + size, sizeof said.text - size)) > 0) {
        size += (size_t)got;
    }
    if (name <= 0 || (size_t)name >= sizeof said.name || size >= sizeof said.text || got < 0 ||
        !tell_room(&said, &id)) {
        mote_reply_text(400, "a name has 1 to 31 bytes, a text 1 to 399\n");
    } else if (id == 0) {
        mote_reply_text(503, "nobody keeps the room\n");
    } else {
        mote_reply(204, NULL, NULL, 0);
    }
}

/* A message of a WebSocket: the name, a line break, the text. */
static void take_frame(const char *data, size_t size)
{
    struct room_said said = {"ws", "", ""};
    uint64_t id;
    size_t at = 0, text = 0;
    while (at < size && data[at] != '\n' && at < sizeof said.name - 1) {
        said.name[at] = data[at];
        at++;
    }
    for (at++; at < size && text < sizeof said.text - 1; at++) {
        said.text[text++] = data[at];
    }
    tell_room(&said, &id);
}

/* ---- the feed ---- */

/* One message to the client, whichever way it listens; its JSON is in `json`. */
typedef int32_t deliver_function(uint64_t id, size_t size);

static int32_t deliver_event(uint64_t id, size_t size)
{
    char digits[21];
    char *number = digits + sizeof digits - 1;
    *number = '\0';
    for (uint64_t rest = id; rest > 0; rest /= 10) {
        *--number = (char)('0' + rest % 10);
    }
    const struct mote_event event = {NULL, number, json, size};
    return mote_sse_send(&event);
}

static int32_t deliver_frame(uint64_t id, size_t size)
{
    (void)id; /* it is in the JSON too */
    return mote_ws_send(MOTE_WS_TEXT, json, size);
}

static uint64_t last; /* the newest that the client has */

/* What the room still has of what came after that. */
static int32_t replay(deliver_function *deliver)
{
    struct room_entry entry;
    struct mote_mail mail;
    int32_t size = mote_call_pid(mote_whereis("room"), mote_label("since"), &last, sizeof last,
                                 NULL, 0, 5000, &mail);
    uint32_t offset = 0;
    while ((int32_t)offset < size && mote_mail_read(offset, &entry, sizeof entry) == sizeof entry &&
           entry.size <= sizeof json) {
        mote_mail_read(offset + (uint32_t)sizeof entry, json, entry.size);
        offset += (uint32_t)sizeof entry + entry.size;
        last = entry.id;
        if (deliver(entry.id, entry.size) != MOTE_OK) {
            return MOTE_CLOSED;
        }
    }
    return MOTE_OK;
}

/* What was published, if it is new. */
static int32_t pass_on(const struct mote_mail *mail, deliver_function *deliver)
{
    if (mail->kind != MOTE_MAIL_SEND || mail->label <= last || mail->size > sizeof json) {
        return MOTE_OK;
    }
    last = mail->label;
    return deliver(last, mail->size);
}

/* GET /events: what was said since the client was here last, and then what is said. */
MOTE_HANDLER(events)
{
    struct mote_mail mail;
    char text[24] = "";
    mote_sse_last_id(text, sizeof text);
    for (const char *c = text; *c >= '0' && *c <= '9'; c++) {
        last = last * 10 + (uint64_t)(*c - '0');
    }
    mote_sse_begin(NULL);
    mote_sse_retry(1000);
    mote_join(ROOM_GROUP); /* before the replay: what is said meanwhile waits in the mailbox */
    int32_t result = replay(deliver_event);
    while (result == MOTE_OK && mote_receive(&mail, json, sizeof json) == MOTE_OK) {
        result = pass_on(&mail, deliver_event);
    }
}

/* WS /chat/socket?since=: the same by a WebSocket, which can also say something. */
MOTE_HANDLER(socket)
{
    struct mote_mail mail;
    last = mote_query_number("since", 0);
    mote_join(ROOM_GROUP);
    int32_t result = replay(deliver_frame);
    while (result == MOTE_OK && mote_ws_receive(&mail, json, sizeof json)) {
        if (mail.kind == MOTE_MAIL_FRAME) {
            take_frame(json, mail.size < sizeof json ? mail.size : sizeof json);
        } else {
            result = pass_on(&mail, deliver_frame);
        }
    }
}
