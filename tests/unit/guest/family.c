/* What test_family.c spawns: parents, children, streams between them, and a supervisor. */
#include <mote.h>

#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            mote_exit(#what);                                                                      \
        }                                                                                          \
    } while (0)

enum { CHUNK = 3000, CHUNKS = 1000, LABEL = 5 };

static struct mote_mail mail;
static char text[256];
static unsigned char chunk[CHUNK];

/* Crashes without a signal, for which the test's frame has handlers of its own: what it passes lies outside its memory. */
static void crash(void)
{
    mote_abi_random((void *)~(uintptr_t)0, 16);
}

/* The next mail with a stream; its handle. */
static int32_t receive_stream(void)
{
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK);
    MUST(mail.kind == MOTE_MAIL_SEND && mail.label == LABEL && mail.stream > 0);
    return mail.stream;
}

static uint32_t hash_on(uint32_t hash, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ data[i]) * 16777619;
    }
    return hash;
}

/* ---- three processes in a row ---- */

MOTE_WORKER(source)
{
    struct mote_stream_pair ends;
    MUST(mote_stream_open(&ends) == MOTE_OK);
    MUST(mote_send_stream(mote_parent(), LABEL, NULL, 0, ends.reader) == MOTE_OK);
    MUST(mote_stream_close(ends.reader) == MOTE_NOT_FOUND); /* gone with the message */
    for (uint32_t i = 0; i < CHUNKS; i++) {
        for (uint32_t j = 0; j < CHUNK; j++) {
            chunk[j] = (unsigned char)(i * 31 + j * 7);
        }
        MUST(mote_stream_write(ends.writer, chunk, CHUNK) == CHUNK);
    }
    MUST(mote_stream_end(ends.writer) == MOTE_OK);
    MUST(mote_stream_write(ends.writer, chunk, 1) == MOTE_NOT_FOUND);
}

MOTE_WORKER(middle)
{
    struct mote_spawned source;
    MUST(mote_spawn_linked("family#source", NULL, 0, &source) == MOTE_OK);
    int32_t from = receive_stream();
    struct mote_stream_pair to;
    MUST(mote_stream_open(&to) == MOTE_OK);
    MUST(mote_send_stream(mote_parent(), LABEL, NULL, 0, to.reader) == MOTE_OK);
    int32_t size;
    while ((size = mote_stream_read(from, chunk, 777)) > 0) {
        MUST(mote_stream_write(to.writer, chunk, (size_t)size) == size);
    }
    MUST(size == 0);
    MUST(mote_stream_end(to.writer) == MOTE_OK);
}

MOTE_WORKER(pipeline)
{
    struct mote_spawned middle;
    MUST(mote_spawn_monitored("family#middle", NULL, 0, &middle) == MOTE_OK);
    int32_t from = receive_stream();
    uint32_t hash = 1;
    uint32_t total = 0;
    int32_t size;
    while ((size = mote_stream_read(from, chunk, sizeof chunk)) > 0) {
        hash = hash_on(hash, chunk, (size_t)size);
        total += (uint32_t)size;
    }
    MUST(size == 0 && total == CHUNK * CHUNKS);
    uint32_t expected = 1;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        for (uint32_t j = 0; j < CHUNK; j++) {
            unsigned char byte = (unsigned char)(i * 31 + j * 7);
            expected = hash_on(expected, &byte, 1);
        }
    }
    MUST(hash == expected);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK);
    MUST(mail.kind == MOTE_MAIL_DOWN && mail.reference == middle.reference);
    MUST(mail.exit_class == MOTE_EXIT_NORMAL);
}

/* ---- ends that are not ends ---- */

/* Its input says how: 0: returns without having said that it is done, 1: crashes, 2: aborts with a reason. */
MOTE_WORKER(breaks_off)
{
    char how = 0;
    MUST(mote_input(&how, 1) == 1);
    struct mote_stream_pair ends;
    MUST(mote_stream_open(&ends) == MOTE_OK);
    MUST(mote_stream_write(ends.writer, "half", 4) == 4);
    MUST(mote_send_stream(mote_parent(), LABEL, NULL, 0, ends.reader) == MOTE_OK);
    if (how == 1) {
        crash();
    }
    if (how == 2) {
        MUST(mote_stream_abort(ends.writer, 7) == MOTE_OK);
    }
}

MOTE_WORKER(sees_half)
{
    for (char how = 0; how < 3; how++) {
        MUST(mote_spawn("family#breaks_off", &how, 1, NULL, NULL) == MOTE_OK);
        int32_t from = receive_stream();
        int32_t size;
        while ((size = mote_stream_read(from, chunk, sizeof chunk)) > 0) {
        }
        MUST(size == MOTE_ABORTED);
        MUST(mote_stream_reason(from) == (how == 2 ? 7 : 0));
        MUST(mote_stream_close(from) == MOTE_OK);
    }
}

/* Reads a little and leaves. */
MOTE_WORKER(leaves)
{
    int32_t from = receive_stream();
    MUST(mote_stream_read(from, chunk, 10) > 0);
}

MOTE_WORKER(sees_closed)
{
    struct mote_spawned reader;
    MUST(mote_spawn("family#leaves", NULL, 0, NULL, &reader) == MOTE_OK);
    struct mote_stream_pair ends;
    MUST(mote_stream_open(&ends) == MOTE_OK);
    MUST(mote_send_stream(reader.pid, LABEL, NULL, 0, ends.reader) == MOTE_OK);
    int32_t size;
    while ((size = mote_stream_write(ends.writer, chunk, sizeof chunk)) > 0) {
    }
    MUST(size == MOTE_CLOSED);
}

/* ---- arguments ---- */

MOTE_WORKER(child)
{
    MUST(mote_input(text, sizeof text) == 5 && text[0] == 'h' && text[4] == 'o');
    MUST(mote_spawner(text, sizeof text) == 6 && text[0] == 'f' && text[6] == '\0');
    MUST(mote_parent() != 0);
    mote_exit("seen");
}

MOTE_WORKER(parent)
{
    struct mote_spawned spawned;
    const struct mote_spawn_options options = {.flags = MOTE_SPAWN_MONITOR, .max_memory_mb = 1};
    MUST(mote_spawn("family#child", "hello", 5, &options, &spawned) == MOTE_OK);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK);
    MUST(mail.kind == MOTE_MAIL_DOWN && mail.sender == spawned.pid);
    MUST(mail.exit_class == MOTE_EXIT_EXITED && mail.size >= 4);
    const struct mote_spawn_options more = {.max_memory_mb = 1000};
    MUST(mote_spawn("family#child", NULL, 0, &more, NULL) == MOTE_DENIED);
    MUST(mote_spawn("other", NULL, 0, NULL, NULL) == MOTE_DENIED);
    MUST(mote_spawn("family#none", NULL, 0, NULL, NULL) == MOTE_NOT_FOUND);
    MUST(mote_spawn("family", NULL, 0, NULL, NULL) == MOTE_NOT_FOUND); /* no entry of its own */
}

/* ---- supervised ---- */

MOTE_WORKER(resident)
{
    mote_ready();
    for (;;) {
        MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK);
        if (mail.kind == MOTE_MAIL_STOP) {
            return;
        }
        crash();
    }
}

static struct mote_child_state states[2];

/* Wait until both children run, and return the pid of the first. */
static uint64_t first_child(uint64_t supervisor)
{
    for (;;) {
        MUST(mote_supervisor_children(supervisor, states, 2) == 2);
        if (states[0].pid != 0 && states[1].pid != 0) {
            return states[0].pid;
        }
        mote_sleep_ms(1);
    }
}

MOTE_WORKER(supervises)
{
    const struct mote_child children[] = {
        {.name = "one",
         .component = "family#resident",
         .shutdown_ms = 1000,
         .start_timeout_ms = 5000},
        {.name = "two",
         .component = "family#resident",
         .shutdown_ms = 1000,
         .start_timeout_ms = 5000},
    };
    struct mote_child_spec specs[] = {mote_child_spec(&children[0]), mote_child_spec(&children[1])};
    const struct mote_supervisor_spec spec = {
        .strategy = MOTE_STRATEGY_ONE_FOR_ALL, .max_restarts = 3, .window_ms = 5000};
    uint64_t supervisor = 0;
    MUST(mote_supervisor_start(&spec, specs, 2, &supervisor) == MOTE_OK);
    uint64_t first = first_child(supervisor);
    uint64_t second = states[1].pid;
    MUST(states[0].name[0] == 'o' && states[1].name[0] == 't');
    MUST(mote_send(first, LABEL, NULL, 0) == MOTE_OK); /* of which it crashes */
    while (first_child(supervisor) == first || states[1].pid == second) {
        mote_sleep_ms(1);
    }
    MUST(states[0].restarts == 1);
}
