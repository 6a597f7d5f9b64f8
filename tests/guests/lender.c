/* A handler that spawns a process of code which it is given, and tells how that went. */
#include <mote.h>

enum { SOURCE_BYTES_MAX = 4 << 20, MILLISECOND_NS = 1000000 };

static char source[SOURCE_BYTES_MAX];
static char told[1024];

/* The body of the request is the source; or what `source` of the query says. */
static size_t read_source(void)
{
    int32_t size = mote_query("source", source, sizeof source);
    if (size > 0) {
        return (size_t)size;
    }
    size_t all = 0;
    while (all < sizeof source && (size = mote_read(source + all, sizeof source - all)) > 0) {
        all += (size_t)size;
    }
    return all;
}

static void tell_error(int32_t error)
{
    char text[] = "error -00\n";
    text[7] = (char)('0' + -error / 10);
    text[8] = (char)('0' + -error % 10);
    mote_reply_text(503, text);
}

/* How its child ended, or with `stay` nothing until it has. */
MOTE_HANDLER(run)
{
    char name[64];
    struct mote_mail mail;
    struct mote_spawned child;
    struct mote_spawn_options options = {.flags = MOTE_SPAWN_MONITOR};
    uint64_t timeout_ms = mote_query_number("timeout", 0);
    int32_t name_size = mote_query("template", name, sizeof name);
    options.max_memory_mb = (uint32_t)mote_query_number("memory", 0);
    int32_t error =
        mote_abi_spawn_from(name, (size_t)name_size, source, read_source(), "hello", 5, &options,
                            timeout_ms == 0 ? -1 : (int64_t)timeout_ms * MILLISECOND_NS, &child);
    if (error != MOTE_OK) {
        tell_error(error);
        return;
    }
    if (mote_receive(&mail, told, sizeof told - 2) != MOTE_OK || mail.kind != MOTE_MAIL_DOWN ||
        mail.sender != child.pid) {
        mote_reply_text(500, "no news of its end\n");
        return;
    }
    told[mail.size] = '\n';
    mote_reply(200, "Content-Type: text/plain\n", told, mail.size + 1);
}
