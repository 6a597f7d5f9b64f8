/* A service that others call in CBOR, and who calls such a service: test_calls.py has a pair of each with every language. */
#include <mote_cbor.h>

/* add({a, b}) -> a + b */
MOTE_FUNCTION(add)
{
    (void)mail;
    struct mote_cbor args = mote_cbor_read(in, in_size), value;
    struct mote_cbor_writer answer = mote_cbor_write(out, out_capacity);
    int64_t a, b;
    if (!mote_cbor_find(&args, "a", &value) || !mote_cbor_get_int(&value, &a) ||
        !mote_cbor_find(&args, "b", &value) || !mote_cbor_get_int(&value, &b)) {
        return MOTE_MALFORMED;
    }
    mote_cbor_put_int(&answer, a + b);
    return mote_cbor_end(&answer);
}

/* describe({name, numbers, fine}) -> {text, count, fine} */
MOTE_FUNCTION(describe)
{
    (void)mail;
    struct mote_cbor args = mote_cbor_read(in, in_size), value;
    struct mote_cbor_writer answer = mote_cbor_write(out, out_capacity);
    const char *name;
    size_t size;
    uint64_t count;
    bool fine;
    if (!mote_cbor_find(&args, "name", &value) || !mote_cbor_get_text(&value, &name, &size) ||
        !mote_cbor_find(&args, "numbers", &value) ||
        !mote_cbor_get_count(&value, MOTE_CBOR_ARRAY, &count) ||
        !mote_cbor_find(&args, "fine", &value) || !mote_cbor_get_bool(&value, &fine)) {
        return MOTE_MALFORMED;
    }
    mote_cbor_put_map(&answer, 3);
    mote_cbor_put_text(&answer, "text", 4);
    mote_cbor_put_text(&answer, name, size);
    mote_cbor_put_text(&answer, "count", 5);
    mote_cbor_put_int(&answer, (int64_t)count);
    mote_cbor_put_text(&answer, "fine", 4);
    mote_cbor_put_bool(&answer, !fine);
    return mote_cbor_end(&answer);
}

static const struct mote_function functions[] = {{"add", add}, {"describe", describe}};
MOTE_SERVICE(service, functions)

/* ---- who calls ---- */

static char name[64], text[512];
static uint8_t request[512], reply[512];
static size_t text_size;

static void say(const char *what, size_t size)
{
    for (size_t i = 0; i < size && text_size < sizeof text - 1; i++) {
        text[text_size++] = what[i];
    }
}

static void say_text(const char *what)
{
    say(what, mote_size_of(what));
}

static void say_number(int64_t number)
{
    char digits[24], *at = digits + sizeof digits;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        *--at = '-';
    }
    say(at, (size_t)(digits + sizeof digits - at));
    say_text("\n");
}

static void ask_sum(void)
{
    struct mote_cbor_writer to = mote_cbor_write(request, sizeof request);
    mote_cbor_put_map(&to, 3); /* a name that nobody knows is skipped, with all that is in it */
    mote_cbor_put_text(&to, "unknown", 7);
    mote_cbor_put_array(&to, 2);
    mote_cbor_put_null(&to);
    mote_cbor_put_bytes(&to, "\xff", 1);
    mote_cbor_put_text(&to, "a", 1);
    mote_cbor_put_int(&to, -4000000000);
    mote_cbor_put_text(&to, "b", 1);
    mote_cbor_put_int(&to, 300);
    int32_t size = mote_call(name, "add", request, to.size, reply, sizeof reply);
    int64_t sum = size;
    struct mote_cbor from = mote_cbor_read(reply, size < 0 ? 0 : (size_t)size);
    say_text(mote_cbor_get_int(&from, &sum) ? "sum " : "failed ");
    say_number(sum);
}

static void ask_description(void)
{
    struct mote_cbor_writer to = mote_cbor_write(request, sizeof request);
    mote_cbor_put_map(&to, 3);
    mote_cbor_put_text(&to, "name", 4);
    mote_cbor_put_text(&to, "z\xc3\xbcrich", 7);
    mote_cbor_put_text(&to, "numbers", 7);
    mote_cbor_put_array(&to, 3);
    for (int i = 0; i < 3; i++) {
        mote_cbor_put_int(&to, 100000 << i);
    }
    mote_cbor_put_text(&to, "fine", 4);
    mote_cbor_put_bool(&to, true);
    int32_t size = mote_call(name, "describe", request, to.size, reply, sizeof reply);
    struct mote_cbor answer = mote_cbor_read(reply, size < 0 ? 0 : (size_t)size), value;
    const char *described;
    size_t described_size;
    int64_t count;
    bool fine;
    if (!mote_cbor_find(&answer, "text", &value) ||
        !mote_cbor_get_text(&value, &described, &described_size) ||
        !mote_cbor_find(&answer, "count", &value) || !mote_cbor_get_int(&value, &count) ||
        !mote_cbor_find(&answer, "fine", &value) || !mote_cbor_get_bool(&value, &fine)) {
        say_text("failed ");
        say_number(size);
        return;
    }
    say(described, described_size);
    say_text(fine ? " fine " : " not fine ");
    say_number(count);
}

/* GET /?service= */
MOTE_HANDLER(ask)
{
    mote_query("service", name, sizeof name);
    ask_sum();
    ask_description();
    int32_t size = mote_call(name, "add", "\x01", 1, reply, sizeof reply);
    say_text(size == MOTE_MALFORMED ? "malformed\n" : "not malformed\n");
    size = mote_call(name, "subtract", NULL, 0, reply, sizeof reply);
    say_text(size == MOTE_NOT_FOUND ? "not found\n" : "found\n");
    text[text_size] = '\0';
    mote_reply_text(200, text);
}
