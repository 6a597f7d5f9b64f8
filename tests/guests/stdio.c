/* A guest that uses the C library's output, as code that was written for elsewhere does. */
#include <mote.h>

#include <stdio.h>

/* The answer says whether printing worked. */
MOTE_HANDLER(print)
{
    int refused = 0;
    for (uint64_t i = 0; i < mote_query_number("n", 1); i++) {
        refused |= printf("printed line %d\n", (int)i + 1) < 0 || fflush(stdout) != 0;
        clearerr(stdout);
    }
    mote_reply_text(200, refused ? "refused\n" : "printed\n");
}

MOTE_HANDLER(complain)
{
    fprintf(stderr, "to standard error\n");
    mote_reply_text(200, "said\n");
}
