/* A handler that spawns what its path names, waits for its end and tells how that was. */
#include <mote.h>

static char text[256];

MOTE_HANDLER(run)
{
    char name[64];
    struct mote_mail mail;
    struct mote_spawned child;
    int32_t size = mote_param("name", name, sizeof name - 1);

    name[size > 0 ? size : 0] = '\0';
    if (mote_spawn_monitored(name, NULL, 0, &child) != MOTE_OK) {
        mote_reply_text(503, "not spawned\n");
        return;
    }
    if (mote_receive(&mail, text, sizeof text - 2) != MOTE_OK || mail.kind != MOTE_MAIL_DOWN ||
        mail.sender != child.pid) {
        mote_reply_text(500, "no news of its end\n");
        return;
    }
    mote_reply(200, "Content-Type: text/plain\n", text, mail.size);
}
