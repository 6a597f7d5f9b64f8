#include <mote_app.h>

/* Each request runs in an instance of its own, which is gone when its handler returns. */

/* GET / */
MOTE_HANDLER(home)
{
    mote_reply_text(200, "hello from __NAME__\n");
}

/* GET /hello/:name */
MOTE_HANDLER(greet)
{
    char name[64], room[128];
    struct mote_text answer = mote_text(room, sizeof room);
    int32_t size = mote_param("name", name, sizeof name);
    if (size < 0 || (size_t)size >= sizeof name) {
        mote_reply_text(400, "that is a long name\n");
        return;
    }
    mote_put_text(&answer, "hello, ");
    mote_put_text(&answer, name);
    mote_put_text(&answer, "\n");
    mote_reply_built(200, "text/plain; charset=utf-8", &answer);
}
