/* How many primes there are below a number: counted by workers, each of them a process with a memory of its own, on all
 * processors. One that crashed would be counted as missing; the request goes on. */
#include <mote_app.h>

enum { WORKERS = 4, MOST = 2000000, PATIENCE_MS = 20000 };

struct part {
    uint64_t from, to; /* without `to` */
};

static bool is_prime(uint64_t n)
{
    for (uint64_t d = 2; d * d <= n; d++) {
        if (n % d == 0) {
            return false;
        }
    }
    return n > 1;
}

/* A worker: counts its part, and sends the result to who started it. */
MOTE_WORKER(count)
{
    struct part part;
    uint64_t found = 0;
    if (mote_input(&part, sizeof part) != sizeof part) {
        mote_exit("no part to count");
    }
    for (uint64_t n = part.from; n < part.to; n++) {
        found += is_prime(n);
    }
    mote_send(mote_parent(), mote_label("found"), &found, sizeof found);
}

static int start_workers(uint64_t below)
{
    int started = 0;
    for (uint64_t i = 0; i < WORKERS; i++) {
        struct part part = {below * i / WORKERS, below * (i + 1) / WORKERS};
        struct mote_spawned spawned;
        started += mote_spawn_monitored("counter", &part, sizeof part, &spawned) == MOTE_OK;
    }
    return started;
}

/* GET /primes?below=N */
MOTE_HANDLER(primes)
{
    char room[128];
    struct mote_text answer = mote_text(room, sizeof room);
    uint64_t below = mote_query_number("below", 1000), sum = 0, found;
    if (below > MOST) {
        mote_reply_text(400, "below is at most 2000000\n");
        return;
    }
    /* Each sends its result, and then the news of its end comes, because it is monitored. */
    int left = start_workers(below), answered = 0;
    bool all = left == WORKERS;
    while (left > 0) {
        struct mote_mail mail;
        if (mote_receive_within(NULL, PATIENCE_MS, &mail, &found, sizeof found) != MOTE_OK) {
            break;
        }
        if (mail.kind == MOTE_MAIL_SEND && mail.label == mote_label("found")) {
            sum += found;
            answered++;
        } else if (mail.kind == MOTE_MAIL_DOWN) {
            left--;
        }
    }
    if (!all || answered < WORKERS) {
        mote_reply_text(503, "a worker did not finish\n");
        return;
    }
    mote_put_text(&answer, "{\"below\":");
    mote_put_number(&answer, (int64_t)below);
    mote_put_text(&answer, ",\"primes\":");
    mote_put_number(&answer, (int64_t)sum);
    mote_put_text(&answer, ",\"workers\":");
    mote_put_number(&answer, WORKERS);
    mote_put_text(&answer, "}\n");
    mote_reply_built(200, "application/json", &answer);
}
