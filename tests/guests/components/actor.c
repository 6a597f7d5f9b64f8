/* A component whose processes use all of mote:runtime. `run` does what its first argument says; a check that fails
 * ends it with the line as its reason. */
#include "actor.h"

#include <stdlib.h>
#include <string.h>

#define PROCESS(name) mote_runtime_process_##name
#define MESSAGES(name) mote_runtime_messages_##name
#define TIES(name) mote_runtime_ties_##name
#define NAMES(name) mote_runtime_names_##name
#define STREAMS(name) mote_runtime_streams_##name
#define ERROR(name) MOTE_RUNTIME_TYPES_ERROR_##name
#define KIND(name) MOTE_RUNTIME_TYPES_MAIL_KIND_##name

typedef uint64_t pid;
typedef mote_runtime_types_mail_t mail;
typedef mote_runtime_types_error_t error;

static actor_string_t text(const char *words)
{
    return (actor_string_t){(uint8_t *)words, strlen(words)};
}

static actor_list_u8_t bytes(const char *words)
{
    return (actor_list_u8_t){(uint8_t *)words, strlen(words)};
}

static _Noreturn void fail(int line)
{
    char reason[] = "line 0000";
    for (size_t at = sizeof reason - 2; line > 0; line /= 10) {
        reason[at--] = (char)('0' + line % 10);
    }
    actor_string_t told = text(reason);
    TIES(exit)(&told);
    __builtin_trap(); /* it does not return */
}

#define CHECK(condition)                                                                           \
    if (!(condition)) {                                                                            \
        fail(__LINE__);                                                                            \
    }

static bool is(const actor_list_u8_t *found, const char *expected)
{
    return found->len == strlen(expected) && memcmp(found->ptr, expected, found->len) == 0;
}

/* Of a text that the host gave. */
static bool string_is(const actor_string_t *found, const char *expected)
{
    return found->len == strlen(expected) && memcmp(found->ptr, expected, found->len) == 0;
}

static mail receive(uint64_t label)
{
    mote_runtime_types_filter_t filter = {.labels = {&label, label != 0}};
    mail ret = {0};
    error why;
    CHECK(MESSAGES(receive)(&filter, NULL, &ret, &why));
    return ret;
}

static pid spawn(const char *target, const char *input, bool link, uint64_t *reference)
{
    mote_runtime_types_spawn_options_t options = {.link = link, .monitor = reference != NULL};
    actor_string_t name = text(target);
    actor_list_u8_t data = bytes(input);
    mote_runtime_types_spawned_t spawned;
    error why;
    CHECK(mote_runtime_spawning_spawn(&name, &data, &options, &spawned, &why));
    if (reference != NULL) {
        CHECK(spawned.reference != 0);
        *reference = spawned.reference;
    }
    return spawned.pid;
}

static bool sends(pid to, uint64_t label, const char *words)
{
    actor_list_u8_t data = bytes(words);
    error why;
    return MESSAGES(send)(to, label, &data, NULL, &why);
}

/* ---- what a test asks for ---- */

static void process(void)
{
    error why;
    actor_string_t told = text("a line"), name = text("NOTHING"), value, label = text("labelled");
    CHECK(PROCESS(self)() != 0 && PROCESS(parent)() != PROCESS(self)());
    CHECK(PROCESS(log)(MOTE_RUNTIME_TYPES_LOG_LEVEL_INFO, &told, &why));
    uint64_t before = PROCESS(clock)();
    CHECK(PROCESS(sleep)(1000000, &why) && PROCESS(clock)() - before >= 1000000);
    CHECK(PROCESS(wall_clock)() > UINT64_C(1600000000000000000));
    CHECK(!PROCESS(sleep)(UINT64_MAX, &why) && why == ERROR(INVALID));
    actor_list_u8_t random;
    CHECK(PROCESS(random)(16, &random, &why) && random.len == 16);
    CHECK(!PROCESS(random)(65537, &random, &why) && why == ERROR(LIMIT));
    CHECK(!PROCESS(env_get)(&name, &value, &why) && why == ERROR(DENIED));
    PROCESS(ready)();
    CHECK(PROCESS(set_label)(&label, &why));
    mote_runtime_types_process_info_t info;
    CHECK(PROCESS(info)(PROCESS(self)(), &info, &why) && info.turns > 0 && info.memory_bytes > 0);
    CHECK(info.phase == MOTE_RUNTIME_TYPES_PROCESS_PHASE_RUNNING);
    CHECK(!PROCESS(info)(12345, &info, &why) && why == ERROR(NOT_FOUND));
    mote_runtime_process_list_pid_t pids;
    CHECK(PROCESS(list)(&pids, &why) && pids.len >= 1);
    bool found = false;
    for (size_t i = 0; i < pids.len; i++) {
        found |= pids.ptr[i] == PROCESS(self)();
    }
    CHECK(found);
}

static void messages(void)
{
    error why;
    pid self = PROCESS(self)();
    CHECK(sends(self, 1, "one") && sends(self, 2, "two") && sends(self, 3, ""));
    mail second = receive(2), first = receive(1), third = receive(0);
    CHECK(is(&second.body, "two") && second.kind == KIND(SEND) && second.sender == self);
    CHECK(is(&first.body, "one") && third.label == 3 && third.body.len == 0);
    uint64_t none = 0, soon = 1000000;
    mail ret;
    CHECK(!MESSAGES(receive)(NULL, &none, &ret, &why) && why == ERROR(TIMEOUT));
    CHECK(!MESSAGES(receive)(NULL, &soon, &ret, &why) && why == ERROR(TIMEOUT));
    uint64_t many[9] = {0};
    mote_runtime_types_filter_t filter = {.labels = {many, 9}};
    CHECK(!MESSAGES(receive)(&filter, &none, &ret, &why) && why == ERROR(INVALID));
    size_t size = 1 << 20; /* across pages, and more than any buffer in between */
    char *large = malloc(size);
    memset(large, 'x', size);
    actor_list_u8_t data = {(uint8_t *)large, size};
    CHECK(MESSAGES(send)(self, 4, &data, NULL, &why));
    mail big = receive(4);
    CHECK(big.body.len == size && memcmp(big.body.ptr, large, size) == 0);
    data.len = 0;
    int32_t stranger = 77;
    CHECK(!MESSAGES(send)(self, 4, &data, &stranger, &why) && why == ERROR(NOT_FOUND));
}

/* Answers calls with what they hold, until there is one that is empty: then it traps. */
static void echo(void)
{
    for (;;) {
        mail asked = receive(0);
        error why;
        if (asked.kind == KIND(CALL) && asked.body.len == 0) {
            __builtin_trap();
        }
        CHECK(MESSAGES(reply)(asked.sender, asked.reference, 9, &asked.body, NULL, &why));
    }
}

static void calls(void)
{
    pid other = spawn("actor", "echo", false, NULL);
    actor_list_u8_t data = bytes("hello"), nothing = {0};
    mail reply;
    mote_runtime_types_call_error_t why;
    CHECK(MESSAGES(call)(other, 1, &data, NULL, NULL, &reply, &why));
    CHECK(reply.kind == KIND(REPLY) && is(&reply.body, "hello") && reply.label == 9);
    uint64_t reference;
    error failed;
    CHECK(MESSAGES(call_begin)(other, 1, &data, NULL, &reference, &failed));
    reply = receive(0);
    CHECK(reply.reference == reference && is(&reply.body, "hello"));
    CHECK(!MESSAGES(call)(PROCESS(self)(), 1, &data, NULL, NULL, &reply, &why));
    CHECK(why.tag == MOTE_RUNTIME_TYPES_CALL_ERROR_FAILED && why.val.failed == ERROR(INVALID));
    CHECK(!MESSAGES(call)(other, 1, &nothing, NULL, NULL, &reply, &why));
    CHECK(why.tag == MOTE_RUNTIME_TYPES_CALL_ERROR_ENDED && why.val.ended.kind == KIND(DOWN));
    CHECK(why.val.ended.exit_class == MOTE_RUNTIME_TYPES_EXIT_CLASS_CRASHED);
    CHECK(why.val.ended.body.len > 0);
    CHECK(!MESSAGES(call)(other, 1, &data, NULL, NULL, &reply, &why));
    CHECK(why.val.ended.exit_class == MOTE_RUNTIME_TYPES_EXIT_CLASS_NOPROC);
}

static void ties(void)
{
    error why;
    uint64_t reference;
    bool was = true;
    CHECK(TIES(trap_exits)(true, &was, &why) && !was);
    (void)spawn("actor", "trap", true, &reference);
    mail first = receive(0), second = receive(0);
    CHECK(first.kind + second.kind == KIND(DOWN) + KIND(EXIT));
    CHECK(first.exit_class == MOTE_RUNTIME_TYPES_EXIT_CLASS_CRASHED);
    pid other = spawn("actor", "echo", false, NULL);
    CHECK(TIES(monitor)(other, &reference, &why) && TIES(link)(other, &why) &&
          TIES(unlink)(other, &why));
    actor_string_t reason = text("enough");
    CHECK(TIES(exit_signal)(other, &reason, &why));
    mail down = receive(0);
    CHECK(down.kind == KIND(DOWN) && down.reference == reference && is(&down.body, "enough"));
    CHECK(!TIES(demonitor)(reference, &why) && why == ERROR(NOT_FOUND));
    CHECK(!TIES(kill)(other, &why) && why == ERROR(NOT_FOUND));
    other = spawn("actor", "echo", false, &reference);
    CHECK(TIES(kill)(other, &why));
    down = receive(0);
    CHECK(down.exit_class == MOTE_RUNTIME_TYPES_EXIT_CLASS_KILLED);
}

static void names(void)
{
    error why;
    actor_string_t name = text("it"), here = text(""), elsewhere = text("elsewhere");
    pid found;
    CHECK(NAMES(register)(&name, &why) && NAMES(whereis)(&here, &name, &found, &why));
    CHECK(found == PROCESS(self)());
    CHECK(!NAMES(whereis)(&elsewhere, &name, &found, &why) && why == ERROR(DENIED));
    CHECK(!NAMES(register)(&here, &why) && why == ERROR(INVALID));
    CHECK(NAMES(unregister)(&name, &why));
    CHECK(!NAMES(whereis)(&here, &name, &found, &why) && why == ERROR(NOT_FOUND));
    mote_runtime_names_list_pid_t pids;
    CHECK(NAMES(tag)(&name, &why) && NAMES(tagged)(&here, &name, &pids, &why));
    CHECK(pids.len == 1 && pids.ptr[0] == PROCESS(self)());
    CHECK(NAMES(untag)(&name, &why) && NAMES(tagged)(&here, &name, &pids, &why) && pids.len == 0);
    mote_runtime_types_publication_t publication;
    actor_list_u8_t data = bytes("news");
    CHECK(NAMES(join)(&name, &why) && NAMES(members)(&here, &name, &pids, &why) && pids.len == 1);
    CHECK(NAMES(publish)(&here, &name, 5, &data, &publication, &why));
    CHECK(publication.reached == 1 && publication.skipped == 0);
    mail news = receive(5);
    CHECK(is(&news.body, "news") && NAMES(leave)(&name, &why));
}

static void timers(void)
{
    error why;
    uint64_t reference;
    bool stopped = false;
    actor_list_u8_t data = bytes("later");
    CHECK(mote_runtime_timers_send_after(PROCESS(self)(), 3, &data, 1000000, &reference, &why));
    mail timer = receive(0);
    CHECK(timer.kind == KIND(TIMER) && timer.reference == reference && is(&timer.body, "later"));
    CHECK(mote_runtime_timers_send_after(PROCESS(self)(), 3, &data, UINT64_C(3600000000000),
                                         &reference, &why));
    CHECK(mote_runtime_timers_cancel(reference, &stopped, &why) && stopped);
    CHECK(!mote_runtime_timers_cancel(reference, &stopped, &why) && why == ERROR(NOT_FOUND));
    CHECK(mote_runtime_timers_interval(1000000, &data, &reference, &why));
    CHECK(receive(0).reference == reference && receive(0).reference == reference);
    CHECK(!mote_runtime_timers_interval(1, &data, &reference, &why) && why == ERROR(INVALID));
}

/* Writes into the stream that it is sent, and ends it. */
static void writer(void)
{
    mail sent = receive(0);
    actor_list_u8_t data = {malloc(100000), 100000};
    memset(data.ptr, 'w', data.len);
    uint32_t written;
    error why;
    CHECK(sent.stream > 0 && STREAMS(stream_write)(sent.stream, &data, NULL, &written, &why));
    CHECK(written == data.len && STREAMS(stream_end)(sent.stream, &why));
}

static void streams(void)
{
    error why;
    mote_runtime_types_stream_pair_t ends;
    actor_list_u8_t nothing = {0};
    CHECK(STREAMS(stream_open)(4096, &ends, &why));
    actor_option_list_u8_t piece;
    CHECK(!STREAMS(stream_try_read)(ends.reader, 100, &piece, &why) && why == ERROR(TIMEOUT));
    CHECK(!STREAMS(stream_read)(ends.writer, 100, NULL, &piece, &why) && why == ERROR(MISPLACED));
    CHECK(MESSAGES(send)(spawn("actor", "writer", false, NULL), 1, &nothing, &ends.writer, &why));
    mote_runtime_types_wait_item_t items[2] = {
        {MOTE_RUNTIME_TYPES_WAIT_KIND_MAIL, 0},
        {MOTE_RUNTIME_TYPES_WAIT_KIND_READABLE, ends.reader}};
    mote_runtime_messages_list_wait_item_t set = {items, 2};
    actor_list_u32_t ready;
    CHECK(MESSAGES(wait)(&set, NULL, &ready, &why) && ready.len == 1 && ready.ptr[0] == 1);
    size_t sum = 0;
    for (;;) {
        CHECK(STREAMS(stream_read)(ends.reader, 5000, NULL, &piece, &why));
        if (!piece.is_some) {
            break;
        }
        CHECK(piece.val.len > 0 && piece.val.len <= 5000 && piece.val.ptr[0] == 'w');
        sum += piece.val.len;
        actor_list_u8_free(&piece.val);
    }
    CHECK(sum == 100000 && STREAMS(stream_close)(ends.reader, &why));
    CHECK(!STREAMS(stream_close)(ends.reader, &why) && why == ERROR(NOT_FOUND));
    CHECK(STREAMS(stream_open)(0, &ends, &why) && STREAMS(stream_abort)(ends.writer, 42, &why));
    uint32_t reason;
    CHECK(!STREAMS(stream_read)(ends.reader, 1, NULL, &piece, &why) && why == ERROR(ABORTED));
    CHECK(STREAMS(stream_reason)(ends.reader, &reason, &why) && reason == 42);
    set.len = 0;
    CHECK(!MESSAGES(wait)(&set, NULL, &ready, &why) && why == ERROR(INVALID));
}

static void supervisors(void)
{
    error why;
    mote_runtime_supervisors_child_t children[2] = {
        {.name = text("first"),
         .component = text("actor"),
         .input = bytes("child"),
         .restart = MOTE_RUNTIME_TYPES_RESTART_PERMANENT,
         .start_timeout_ms = 60000},
        {.component = text("actor"),
         .input = bytes("echo"),
         .restart = MOTE_RUNTIME_TYPES_RESTART_TEMPORARY}};
    mote_runtime_supervisors_list_child_t list = {children, 2};
    mote_runtime_types_supervisor_spec_t spec = {
        .strategy = MOTE_RUNTIME_TYPES_STRATEGY_ONE_FOR_ONE, .max_restarts = 3, .window_ms = 60000};
    pid supervisor;
    actor_string_t name = text("boss");
    CHECK(NAMES(register)(&name, &why));
    CHECK(mote_runtime_supervisors_supervisor_start(&spec, &list, &supervisor, &why));
    mail started = receive(11);
    CHECK(is(&started.body, "child") && sends(started.sender, 1, "crash"));
    mail again = receive(11);
    CHECK(again.sender != started.sender);
    mote_runtime_supervisors_list_child_state_t states;
    CHECK(mote_runtime_supervisors_supervisor_children(supervisor, &states, &why));
    CHECK(states.len == 2 && string_is(&states.ptr[0].name, "first") &&
          states.ptr[0].restarts == 1);
    CHECK(string_is(&states.ptr[1].name, "actor"));
    spec.window_ms = 0;
    CHECK(!mote_runtime_supervisors_supervisor_start(&spec, &list, &supervisor, &why));
    CHECK(why == ERROR(INVALID));
}

/* Tells who started its supervisor that it is there. */
static void child(void)
{
    actor_string_t here = text(""), name = text("boss");
    pid boss;
    error why;
    PROCESS(ready)();
    CHECK(NAMES(whereis)(&here, &name, &boss, &why) && sends(boss, 11, "child"));
    (void)receive(0);
    __builtin_trap();
}

static void spawning(void)
{
    error why;
    uint64_t reference;
    mote_runtime_types_spawned_t spawned;
    actor_string_t unknown = text("unknown"), spawner;
    actor_list_u8_t nothing = {0};
    CHECK(!mote_runtime_spawning_spawn(&unknown, &nothing, NULL, &spawned, &why));
    CHECK(why == ERROR(NOT_FOUND));
    mote_runtime_spawning_spawner(&spawner);
    CHECK(spawner.len == 0);
    (void)spawn("actor", "child of actor", false, &reference);
    mail down = receive(0);
    CHECK(down.reference == reference && down.exit_class == MOTE_RUNTIME_TYPES_EXIT_CLASS_NORMAL);
    (void)spawn("actor#tick", "", false, &reference);
    CHECK(receive(0).exit_class == MOTE_RUNTIME_TYPES_EXIT_CLASS_NORMAL);
}

static void child_of_actor(void)
{
    actor_string_t spawner;
    mote_runtime_spawning_spawner(&spawner);
    CHECK(string_is(&spawner, "actor"));
}

static void fetching(void)
{
    error why;
    actor_string_t method = text("GET"), headers = text(""), none = text("http://nowhere/");
    mote_runtime_fetching_fetched_t fetched;
    mote_runtime_fetching_fetched_head_t head;
    /* A length, and no body. */
    mote_runtime_fetching_fetch_options_t options = {.body_bytes = {.is_some = true, .val = 5}};
    CHECK(!mote_runtime_fetching_fetch_start(&method, &none, &headers, &options, &fetched, &why));
    CHECK(why == ERROR(INVALID));
    CHECK(!mote_runtime_fetching_fetch_head(77, NULL, &head, &why) && why == ERROR(NOT_FOUND));
    CHECK(!mote_runtime_fetching_fetch_close(77, &why) && why == ERROR(NOT_FOUND));
}

/* ---- ways to end ---- */

static void trap(void)
{
    __builtin_trap();
}

static void spin(void)
{
    for (volatile int i = 0;; i++) {
    }
}

static void grow(void)
{
    for (;;) {
        (void)__builtin_wasm_memory_grow(0, 16);
    }
}

static void leave(void)
{
    actor_string_t reason = text("out of luck");
    TIES(exit)(&reason);
}

static void park(void)
{
    (void)receive(0);
}

static void nap(void)
{
    error why;
    (void)PROCESS(sleep)(UINT64_C(3600000000000), &why);
}

static void read_for_ever(void)
{
    error why;
    mote_runtime_types_stream_pair_t ends;
    actor_option_list_u8_t piece;
    CHECK(STREAMS(stream_open)(0, &ends, &why));
    (void)STREAMS(stream_read)(ends.reader, 1 << 20, NULL, &piece, &why);
}

static void call_for_ever(void)
{
    mail reply;
    mote_runtime_types_call_error_t why;
    actor_list_u8_t data = bytes("x");
    (void)MESSAGES(call)(spawn("actor", "nap", true, NULL), 1, &data, NULL, NULL, &reply, &why);
}

static const struct {
    const char *name;
    void (*function)(void);
} functions[] = {{"process", process},    {"messages", messages},
                 {"calls", calls},        {"echo", echo},
                 {"ties", ties},          {"names", names},
                 {"timers", timers},      {"streams", streams},
                 {"writer", writer},      {"supervisors", supervisors},
                 {"child", child},        {"spawning", spawning},
                 {"fetching", fetching},  {"child of actor", child_of_actor},
                 {"trap", trap},          {"spin", spin},
                 {"grow", grow},          {"leave", leave},
                 {"park", park},          {"nap", nap},
                 {"read", read_for_ever}, {"call", call_for_ever}};

void exports_actor_run(void)
{
    actor_list_u8_t input;
    mote_runtime_spawning_input_get(&input);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (is(&input, functions[i].name)) {
            functions[i].function();
            return;
        }
    }
    fail(__LINE__);
}

/* ---- a service, as mote.h's clients know it ---- */

static uint64_t label_of(const char *name)
{
    uint64_t label = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) {
        label = (label ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    }
    return label;
}

void exports_actor_counter(void)
{
    uint64_t count = 0;
    for (;;) {
        mail asked = receive(0);
        error why;
        if (asked.kind == KIND(STOP)) {
            return;
        }
        CHECK(asked.label != label_of("crash"));
        count += asked.label == label_of("bump");
        if (asked.kind == KIND(CALL)) {
            actor_list_u8_t data = {(uint8_t *)&count, sizeof count};
            CHECK(MESSAGES(reply)(asked.sender, asked.reference, 0, &data, NULL, &why));
        }
        actor_list_u8_free(&asked.body);
    }
}

void exports_actor_tick(void)
{
    actor_string_t here = text(""), name = text("counter");
    pid counter;
    error why;
    if (NAMES(whereis)(&here, &name, &counter, &why)) {
        CHECK(sends(counter, label_of("bump"), ""));
    }
}

/* ---- a handler ---- */

void exports_actor_page(void)
{
    actor_string_t path, headers = text("content-type: text/plain\n");
    actor_option_list_u8_t piece;
    actor_list_u8_t body = {0};
    error why;
    bool more;
    CHECK(mote_runtime_http_request_get(MOTE_RUNTIME_TYPES_REQUEST_FIELD_PATH, &path, &why));
    while (mote_runtime_http_request_read(4096, &piece, &why) && piece.is_some) {
        body.ptr = realloc(body.ptr, body.len + piece.val.len);
        memcpy(body.ptr + body.len, piece.val.ptr, piece.val.len);
        body.len += piece.val.len;
        actor_list_u8_free(&piece.val);
    }
    if (body.len == 0) {
        body = (actor_list_u8_t){path.ptr, path.len};
    }
    CHECK(mote_runtime_http_respond(200, &headers, &body, &more, &why) && !more);
}
