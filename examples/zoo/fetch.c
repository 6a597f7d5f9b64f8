/* A request to somebody else, whose answer goes on to the client. */
#include <mote.h>

static char url[2048];
static char piece[16384];

/* The answer's body as it comes; the client must not take half of it for all. */
static void pass_on(struct mote_fetch *fetch)
{
    int32_t got;
    while ((got = mote_fetch_read(fetch, piece, sizeof piece)) > 0) {
        if (mote_write(piece, (size_t)got) != MOTE_OK) {
            return;
        }
    }
    if (got < 0) {
        __builtin_trap();
    }
}

/* GET /fetch?url= */
MOTE_HANDLER(fetch)
{
    int32_t size = mote_query("url", url, sizeof url);
    if (size <= 0 || (size_t)size >= sizeof url) {
        mote_reply_text(400, "url is missing, or too long\n");
        return;
    }
    struct mote_fetch fetch;
    switch (mote_fetch("GET", url, NULL, NULL, 0, &fetch)) {
    case MOTE_OK:
        mote_begin((int)fetch.head.status, "content-type: text/plain\n");
        pass_on(&fetch);
        mote_fetch_close(&fetch);
        return;
    case MOTE_DENIED:
        mote_reply_text(403, "denied: the log says what would allow it\n");
        return;
    case MOTE_INVALID:
        mote_reply_text(400, "only http and https, without a user\n");
        return;
    default:
        mote_reply_text(502, "no answer from there\n");
    }
}
