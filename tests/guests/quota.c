/* Does one thing until it is told that this was enough: for the tests of quotas. */
#include <mote.h>

static char data[1 << 16];
static struct mote_stream_pair ends;

/* "n" and the number, which makes a name. */
static void name_of(uint64_t number, char name[24])
{
    size_t at = 23;

    name[at] = '\0';
    do {
        name[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    name[--at] = 'n';
    for (size_t i = 0; at + i <= 23; i++) {
        name[i] = name[at + i];
    }
}

static int32_t take_name(uint64_t number)
{
    char name[24];

    name_of(number, name);
    return mote_register(name, NULL);
}

static int32_t take_tag(uint64_t number)
{
    char name[24];

    name_of(number, name);
    return mote_tag(name);
}

static int32_t take_group(uint64_t number)
{
    char name[24];

    name_of(number, name);
    return mote_join(name);
}

static int32_t take_tie(uint64_t number)
{
    (void)number;
    return (int32_t)(mote_monitor(mote_self()) >> 63 != 0 ? MOTE_LIMIT : MOTE_OK);
}

static int32_t take_timer(uint64_t number)
{
    (void)number;
    int64_t reference = mote_send_after(mote_self(), 1, NULL, 0, 3600000);
    return reference < 0 ? (int32_t)reference : MOTE_OK;
}

static int32_t take_stream(uint64_t number)
{
    struct mote_stream_pair pair;

    (void)number;
    return mote_stream_open(&pair);
}

static int32_t take_child(uint64_t number)
{
    (void)number;
    return mote_spawn("quota#waiter", NULL, 0, NULL, NULL);
}

/* Of as many bytes as were sent before. */
static int32_t take_length(uint64_t number)
{
    return mote_send(mote_self(), 1, data, number);
}

static int32_t take_message(uint64_t number)
{
    (void)number;
    return mote_send(mote_self(), 1, NULL, 0);
}

static int32_t take_kilobyte(uint64_t number)
{
    (void)number;
    return mote_send(mote_self(), 1, data, 1024);
}

static int32_t take_buffer(uint64_t number)
{
    if (number == 0 && mote_stream_open(&ends) != MOTE_OK) {
        return MOTE_INVALID;
    }
    int32_t written = mote_stream_write_within(ends.writer, data, 1024, 0);
    return written < 0 ? written : MOTE_OK;
}

static const struct {
    const char *name;
    int32_t (*take)(uint64_t number);
} things[] = {{"name", take_name},         {"tag", take_tag},       {"group", take_group},
              {"tie", take_tie},           {"timer", take_timer},   {"stream", take_stream},
              {"child", take_child},       {"length", take_length}, {"message", take_message},
              {"kilobyte", take_kilobyte}, {"buffer", take_buffer}};

static bool is_same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Answers how many there were, and the error that ended it. */
MOTE_HANDLER(take)
{
    enum { MANY = 100000 };
    char what[16], text[64];
    int32_t result = MOTE_OK;
    uint64_t count = 0;

    mote_query("what", what, sizeof what);
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++) {
        while (is_same(things[i].name, what) && count < MANY && result == MOTE_OK) {
            result = things[i].take(count);
            count += result == MOTE_OK;
        }
    }
    name_of(count, text);
    size_t size = mote_size_of(text);
    text[size] = ' ';
    name_of((uint64_t)-result, text + size + 1);
    mote_reply_text(200, text);
}

/* Lives as long as who has spawned it. */
MOTE_WORKER(waiter)
{
    struct mote_mail mail;

    mote_monitor(mote_parent());
    mote_receive(&mail, NULL, 0);
}
