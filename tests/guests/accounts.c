/* Sends so much, and traps: for the tests of accounts. */
#include <mote.h>

MOTE_HANDLER(bump_counter)
{
    static unsigned char data[100], out[16];

    mote_call("counter", "peek", data, 50, out, sizeof out);
    mote_cast("counter", "bump", data, 10);
    mote_cast("counter", "bump", data, 10);
    __builtin_trap();
}
