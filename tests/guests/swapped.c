/* What is put in the place of itself while it runs: the tests change the digits of the version in the file. */
#include <mote.h>

static char version[] = "version-0000\n";

MOTE_HANDLER(show)
{
    mote_reply_text(200, version);
}

/* Says so to each message. */
MOTE_HANDLER(socket)
{
    struct mote_mail mail;
    char buffer[64];
    while (mote_ws_receive(&mail, buffer, sizeof buffer)) {
        mote_ws_send_text(version);
    }
}

/* Ends only once its client has left. */
MOTE_HANDLER(stay)
{
    mote_begin(200, "content-type: text/plain\n");
    while (mote_write_text(version) == MOTE_OK && mote_sleep_ms(20) == MOTE_OK) {
    }
}

MOTE_FUNCTION(tell)
{
    (void)mail, (void)in, (void)in_size;
    return mote_put(out, out_capacity, version, sizeof version - 1);
}

static const struct mote_function functions[] = {{"tell", tell}};
MOTE_SERVICE(keeper, functions)

/* One that is told of new code, and ends when it is next asked for something. */
static char told[] = "told";
static int changed;

MOTE_FUNCTION(change)
{
    (void)in, (void)in_size, (void)out, (void)out_capacity;
    changed = mail->sender == 0 && mail->kind == MOTE_MAIL_SEND;
    return 0;
}

MOTE_FUNCTION(tell_or_end)
{
    (void)in, (void)in_size;
    if (changed) {
        mote_answer(mail, told, sizeof told - 1);
        mote_exit("my work is done");
    }
    return mote_put(out, out_capacity, version, sizeof version - 1);
}

static const struct mote_function patient[] = {{"tell", tell_or_end}, {"code-change", change}};
MOTE_SERVICE(waiter, patient)

static void ask(const char *service)
{
    char text[32];
    int32_t size = mote_call(service, "tell", NULL, 0, text, sizeof text);
    mote_reply(size < 0 ? 503 : 200, NULL, text, size < 0 ? 0 : (size_t)size);
}

MOTE_HANDLER(ask_keeper)
{
    ask("keeper");
}

MOTE_HANDLER(ask_waiter)
{
    ask("waiter");
}
