/* What the event rows of `make bench` are answered by; bench/peers/web does the same in Go. */
#include <mote.h>

#define NEWS "~ eight bells, and all is well aboard"

/* One event after the other, for as long as the client listens. */
MOTE_HANDLER(row)
{
    static const struct mote_event news = {.data = NEWS, .size = sizeof NEWS - 1};
    mote_sse_begin(NULL);
    while (mote_sse_send(&news) == MOTE_OK) {
    }
}

/* A thousand through a buffer before it is emptied. */
MOTE_HANDLER(buffered)
{
    static const struct mote_event news = {.data = NEWS, .size = sizeof NEWS - 1};
    static char room[16384];
    struct mote_sse_buffer buffer = {.room = room, .capacity = sizeof room};
    mote_sse_begin(NULL);
    do {
        for (unsigned i = 0; i < 1000; i++) {
            if (mote_sse_put(&buffer, &news) != MOTE_OK) {
                return;
            }
        }
    } while (mote_sse_flush(&buffer) == MOTE_OK);
}

/* An event each millisecond. */
MOTE_HANDLER(paced)
{
    static const struct mote_event news = {.data = NEWS, .size = sizeof NEWS - 1};
    mote_sse_begin(NULL);
    while (mote_sse_send(&news) == MOTE_OK && mote_sleep_ms(1) == MOTE_OK) {
    }
}
