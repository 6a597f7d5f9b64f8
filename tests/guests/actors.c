/* Services, jobs and actors for the tests of the manifest's side of them. */
#include <mote.h>

/* ---- a service that counts ---- */

static uint64_t total;

MOTE_FUNCTION(bump)
{
    total++;
    return mote_put(out, out_capacity, &total, sizeof total);
}

MOTE_FUNCTION(crash)
{
    __builtin_trap();
}

MOTE_FUNCTION(peek)
{
    return mote_put(out, out_capacity, &total, sizeof total);
}

static const struct mote_function counter_functions[] = {
    {"bump", bump}, {"crash", crash}, {"peek", peek}};

MOTE_WORKER(counter)
{
    static unsigned char in[64], out[64];
    static const struct mote_room room = {in, out, sizeof in, sizeof out};

    mote_log(MOTE_INFO, "counter starts");
    mote_serve(counter_functions, 3, &room);
    mote_log(MOTE_INFO, "counter stops");
}

/* The same under another name, to see an order. */
MOTE_WORKER(ledger)
{
    static unsigned char in[64], out[64];
    static const struct mote_room room = {in, out, sizeof in, sizeof out};

    mote_log(MOTE_INFO, "ledger starts");
    mote_serve(counter_functions, 3, &room);
    mote_log(MOTE_INFO, "ledger stops");
}

/* Never says that it has started. */
MOTE_WORKER(mute)
{
    for (;;) {
        mote_sleep_ms(3600000);
    }
}

/* Is there, and cannot stay. */
MOTE_WORKER(fragile)
{
    mote_ready();
    __builtin_trap();
}

/* Hears that it shall stop, and does not. */
MOTE_WORKER(obstinate)
{
    struct mote_mail mail;

    for (;;) {
        if (mote_receive(&mail, NULL, 0) == MOTE_OK && mail.kind == MOTE_MAIL_STOP) {
            mote_log(MOTE_INFO, "obstinate was asked");
        }
    }
}

/* ---- what is run at times ---- */

MOTE_WORKER(tick)
{
    mote_cast("counter", "bump", NULL, 0);
}

MOTE_WORKER(dawdle)
{
    mote_sleep_ms(86400000);
}

/* ---- an actor alone ---- */

static bool is(const char *text, const char *expected)
{
    while (*text != '\0' && *text == *expected) {
        text++;
        expected++;
    }
    return *text == *expected;
}

/* Its input says what to do. */
MOTE_WORKER(act)
{
    static char input[64];
    struct mote_mail mail;

    if (mote_input(input, sizeof input - 1) < 0) {
        mote_exit("no input");
    }
    if (is(input, "trap")) {
        __builtin_trap();
    }
    if (is(input, "spin")) {
        for (volatile int i = 0;; i++) {
        }
    }
    if (is(input, "shutdown")) {
        mote_exit("shutdown");
    }
    if (is(input, "")) {
        uint64_t self = mote_self();
        char body[8];
        mote_send(self, 7, "hello", 5);
        bool good = mote_receive(&mail, body, sizeof body) == MOTE_OK && mail.label == 7 &&
                    mail.size == 5;
        if (!good || mote_register("me", NULL) != MOTE_OK || mote_whereis("me") != self) {
            mote_exit("no mail, or no name");
        }
        return;
    }
    if (is(input, "spawn")) {
        struct mote_spawned child;
        if (mote_spawn_monitored("actors", "trap", 4, &child) != MOTE_OK ||
            mote_receive(&mail, NULL, 0) != MOTE_OK || mail.kind != MOTE_MAIL_DOWN ||
            mail.sender != child.pid) {
            mote_exit("no child, or no news of its end");
        }
        return;
    }
    mote_exit(input);
}

/* ---- handlers ---- */

static void answer(const char *function)
{
    uint64_t value = 0;
    char text[24];
    size_t at = sizeof text - 1;
    int32_t result = mote_call("counter", function, NULL, 0, &value, sizeof value);

    if (result < 0) {
        mote_reply_text(503, "no counter\n");
        return;
    }
    text[at] = '\0';
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    mote_reply_text(200, &text[at]);
}

MOTE_HANDLER(web_bump)
{
    answer("bump");
}

MOTE_HANDLER(web_peek)
{
    answer("peek");
}

MOTE_HANDLER(web_crash)
{
    answer("crash");
}

/* Tries to take the name of a service. */
MOTE_HANDLER(web_steal)
{
    mote_reply_text(mote_register("counter", NULL) == MOTE_OK ? 500 : 200, "ok\n");
}

/* Needs the service after a while. */
MOTE_HANDLER(web_late)
{
    mote_register("sleeper", NULL);
    mote_sleep_ms(500);
    answer("bump");
}

MOTE_HANDLER(web_nap)
{
    mote_register("sleeper", NULL);
    mote_register("bad\033name", NULL);
    mote_set_label("sleeps well");
    mote_sleep_ms(86400000);
}
