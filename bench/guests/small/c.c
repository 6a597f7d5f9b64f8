#include <mote.h>

MOTE_HANDLER(hello)
{
    mote_reply_text(200, "hello\n");
}
