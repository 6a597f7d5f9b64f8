/* Waits for its request's body, and for room for its answer, beside other things; test_patience.py drives it. */
#include <mote.h>

static char piece[65536];

/* 1: ready, 0: not in that time, below 0: an error. */
static int32_t ready(uint32_t kind, int64_t ms)
{
    struct mote_wait one = {.kind = kind};
    int32_t result = mote_abi_wait(&one, 1, ms < 0 ? -1 : ms * 1000000);
    return result == MOTE_TIMEOUT ? 0 : result == 1 && one.ready != 1 ? MOTE_INVALID : result;
}

static void answer_number(int status, int32_t value)
{
    char text[16];
    size_t at = sizeof text;
    uint32_t rest = value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
    text[--at] = '\n';
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        text[--at] = '-';
    }
    mote_abi_respond(status, NULL, 0, text + at, (uint32_t)(sizeof text - at));
}

/* Counts its body, and says whenever it waits. */
MOTE_HANDLER(reads)
{
    int32_t sum = 0;
    for (;;) {
        int32_t result = ready(MOTE_WAIT_BODY, 20);
        if (result == 0) {
            mote_log(MOTE_INFO, "nothing to read");
            continue;
        }
        result = result < 0 ? result : mote_abi_request_read(piece, sizeof piece);
        if (result <= 0) {
            answer_number(result < 0 ? 500 : 200, result < 0 ? result : sum);
            return;
        }
        sum += result;
    }
}

/* Writes 8 MiB, and says whenever it waits. */
MOTE_HANDLER(writes)
{
    int32_t before = ready(MOTE_WAIT_ANSWER, 0);
    if (before != MOTE_MISPLACED) {
        answer_number(500, before);
        return;
    }
    mote_begin(200, NULL);
    for (int left = 128; left > 0;) {
        int32_t result = ready(MOTE_WAIT_ANSWER, 20);
        if (result == 0) {
            mote_log(MOTE_INFO, "no room");
        } else if (result < 0 || mote_write(piece, sizeof piece) != 0) {
            return;
        } else {
            left--;
        }
    }
}

/* Both at once, and the client: what is ready is told by the array. */
MOTE_HANDLER(several)
{
    struct mote_wait set[] = {{.kind = MOTE_WAIT_MAIL}, {.kind = MOTE_WAIT_BODY}};
    int32_t result = mote_abi_wait(set, 2, -1);
    answer_number(200, result * 100 + (int32_t)set[0].ready * 10 + (int32_t)set[1].ready);
}

/* Nobody asks it: it has neither. */
MOTE_WORKER(nobody)
{
    mote_log(MOTE_INFO, ready(MOTE_WAIT_BODY, 0) == MOTE_MISPLACED &&
                                ready(MOTE_WAIT_ANSWER, 0) == MOTE_MISPLACED
                            ? "as it shall be"
                            : "a worker has a request");
}
