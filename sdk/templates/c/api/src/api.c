#include <mote_app.h>

#define JSON "application/json"

static char room[4096];

/* {"error": text} */
static void fail(int status, const char *text)
{
    struct mote_text answer = mote_text(room, sizeof room);
    mote_put_text(&answer, "{\"error\":");
    mote_put_json(&answer, text, mote_size_of(text));
    mote_put_text(&answer, "}\n");
    mote_reply_built(status, JSON, &answer);
}

/* GET /api/status */
MOTE_HANDLER(status)
{
    struct mote_text answer = mote_text(room, sizeof room);
    mote_put_text(&answer, "{\"app\":\"__NAME__\",\"time\":");
    mote_put_number(&answer, (int64_t)(mote_wall_clock_ns() / 1000000000));
    mote_put_text(&answer, "}\n");
    mote_reply_built(200, JSON, &answer);
}

/* GET /api/square/:n */
MOTE_HANDLER(square)
{
    uint64_t n;
    struct mote_text answer = mote_text(room, sizeof room);
    if (!mote_param_number("n", &n) || n > 1000000) {
        fail(400, "n is a number up to 1000000");
        return;
    }
    mote_put_text(&answer, "{\"n\":");
    mote_put_number(&answer, (int64_t)n);
    mote_put_text(&answer, ",\"square\":");
    mote_put_number(&answer, (int64_t)(n * n));
    mote_put_text(&answer, "}\n");
    mote_reply_built(200, JSON, &answer);
}

/* POST /api/sum: numbers of at most 12 digits, with spaces between them. */
MOTE_HANDLER(sum)
{
    static char body[2048];
    int64_t total = 0, number = 0, count = 0;
    int digits = 0;
    int32_t size = mote_read_all(body, sizeof body);
    if (size < 0) {
        fail(size == MOTE_LIMIT ? 413 : 400, "a body of at most 2048 bytes is wanted");
        return;
    }
    for (int32_t i = 0; i <= size; i++) {
        char c = i < size ? body[i] : ' ';
        if (c >= '0' && c <= '9' && digits < 12) {
            number = number * 10 + (c - '0');
            digits++;
        } else if (c == ' ' || c == '\n') {
            total += number;
            count += digits > 0;
            number = digits = 0;
        } else {
            fail(400, "numbers with spaces between them are wanted");
            return;
        }
    }
    struct mote_text answer = mote_text(room, sizeof room);
    mote_put_text(&answer, "{\"count\":");
    mote_put_number(&answer, count);
    mote_put_text(&answer, ",\"sum\":");
    mote_put_number(&answer, total);
    mote_put_text(&answer, "}\n");
    mote_reply_built(200, JSON, &answer);
}
