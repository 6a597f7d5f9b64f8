/* The component of tests/e2e/test_rusm.py, made for RUSM's published interfaces. What it does says its first message: a request in JSON, a
 * writer's pid in decimal, or else a command. */
#include "text.h"

/* ---- requests ---- */

static void reply(uint64_t to, unsigned status, bytes body)
{
    char *coded = encode(body);
    size_t size = strlen(coded);
    char *message = malloc(size + 200);
    struct line head = {.size = 0};
    put_text(&head, "{\"ref\":0,\"ok\":{\"status\":");
    put_number(&head, status);
    put_text(&head, ",\"headers\":[[\"content-type\",\"text/plain\"],[\"x-made-for\",\"rusm\"]],"
                    "\"body\":\"");
    memcpy(message, head.text, head.size);
    memcpy(message + head.size, coded, size);
    memcpy(message + head.size + size, "\"}}", 4);
    send(to, data(message));
}

static void actors(void);
static void streams(void);
static void storage(void);
static void supervision(void);

static void publish(const char *tag, bytes message)
{
    PG(list_pid_t) members;
    string name = text(tag);
    PG(whereis_tag)(&name, &members);
    for (size_t i = 0; i < members.len; i++) {
        send(members.ptr[i], message);
    }
}

static void check(uint64_t from, void (*function)(void))
{
    function();
    struct line line = {.size = 0};
    put_text(&line, failed == 0 ? "good" : "line ");
    if (failed != 0) {
        put_number(&line, failed);
    }
    reply(from, failed == 0 ? 200 : 500, data(line.text));
}

static void answer(bytes envelope)
{
    size_t size, body_size;
    char *action = find(envelope, "action", &size);
    uint64_t from = number_in(find(envelope, "from", &body_size));
    char *coded = find(envelope, "body", &body_size);
    bytes body = decode(coded, body_size);
    action[size] = '\0';
    if (strcmp(action, "envelope") == 0) {
        action[size] = '"';
        reply(from, 200, envelope);
    } else if (strcmp(action, "echo") == 0) {
        reply(from, 201, body);
    } else if (strcmp(action, "raw") == 0) {
        send(from, body);
    } else if (strcmp(action, "twice") == 0) {
        reply(from, 200, data("first"));
        reply(from, 500, data("second"));
    } else if (strcmp(action, "delegate") == 0) {
        uint64_t worker = spawn("worker");
        ACTOR(monitor)(worker);
        command(worker, "answer", from);
        (void)receive();
    } else if (strcmp(action, "huge") == 0) {
        bytes large = {calloc(1, 2 << 20), 2 << 20};
        memset(large.ptr, 'h', large.len);
        reply(from, 200, large);
    } else if (strcmp(action, "too-huge") == 0) {
        bytes large = {calloc(1, 6 << 20), 6 << 20};
        reply(from, 200, large);
    } else if (strcmp(action, "late") == 0) {
        for (;;) {
            (void)receive();
        }
    } else if (strcmp(action, "trap") == 0) {
        __builtin_trap();
    } else if (strcmp(action, "publish") == 0) {
        publish("feed", body);
        reply(from, 200, data("published"));
    } else if (strcmp(action, "heard") == 0) {
        string name = text("counter");
        uint64_t counter = 0;
        CHECK(ACTOR(whereis)(&name, &counter));
        command(counter, "tell", ACTOR(own_pid)());
        reply(from, 200, receive());
    } else if (strcmp(action, "actors") == 0) {
        check(from, actors);
    } else if (strcmp(action, "streams") == 0) {
        check(from, streams);
    } else if (strcmp(action, "storage") == 0) {
        check(from, storage);
    } else if (strcmp(action, "supervision") == 0) {
        check(from, supervision);
    } else if (strcmp(action, "silent") != 0) {
        reply(from, 404, data("no such action"));
    }
}

/* ---- what it can do ---- */

static bool is_down(bytes message, uint64_t pid, const char *reason)
{
    struct line wanted = {.size = 0};
    put_text(&wanted, "{\"__down\":\"");
    put_number(&wanted, pid);
    put_text(&wanted, "\",\"reason\":\"");
    put_text(&wanted, reason);
    put_text(&wanted, "\"}");
    return is(message, wanted.text);
}

static void selective(void)
{
    uint64_t self = ACTOR(own_pid)();
    bytes nothing = {0};
    send(self, data("one"));
    send(self, data("two"));
    send(self, nothing);
    bytes first = receive();
    CHECK(is(first, "one"));
    ACTOR(stash)(&first);
    CHECK(is(receive(), "two"));
    send(self, data("four"));
    ACTOR(unstash)();
    ACTOR(unstash)();
    CHECK(is(receive(), "one") && receive().len == 0 && is(receive(), "four"));
    bytes none;
    CHECK(!ACTOR(receive_timeout)(0, &none) && !ACTOR(receive_timeout)(5, &none));
}

static void timers(void)
{
    uint64_t self = ACTOR(own_pid)();
    bytes message = data("later");
    CHECK(ACTOR(send_after)(self, 1, &message) != 0 && is(receive(), "later"));
    uint64_t timer = ACTOR(send_after)(self, 3600000, &message);
    CHECK(ACTOR(cancel_timer)(timer) && !ACTOR(cancel_timer)(timer) && !ACTOR(cancel_timer)(77));
}

static void names(void)
{
    uint64_t self = ACTOR(own_pid)(), found = 0;
    string name = text("handler"), label = text("a handler that has a label");
    CHECK(!ACTOR(whereis)(&name, &found) && ACTOR(register)(&name) && ACTOR(register)(&name));
    CHECK(ACTOR(whereis)(&name, &found) && found == self);
    ACTOR(set_label)(&label);
    rusm_runtime_actor_process_info_t info;
    CHECK(ACTOR(info)(self, &info) && info.pid == self && info.names.len == 1);
    CHECK(info.names.ptr[0].len == 7 && memcmp(info.names.ptr[0].ptr, "handler", 7) == 0);
    CHECK(info.label.is_some && info.label.val.len == label.len && !info.trap_exit);
    CHECK(ACTOR(unregister)(&name) && !ACTOR(unregister)(&name));
    CHECK(!ACTOR(info)(12345, &info) && !ACTOR(is_alive)(12345) && ACTOR(is_alive)(self));
    ACTOR(list_pid_t) pids;
    ACTOR(list_processes)(&pids);
    bool there = false;
    for (size_t i = 0; i < pids.len; i++) {
        there = there || pids.ptr[i] == self;
    }
    CHECK(there);
}

static void actors(void)
{
    selective();
    timers();
    names();
    uint64_t worker = spawn("worker"), pid;
    ACTOR(monitor)(worker);
    command(worker, "echo", ACTOR(own_pid)());
    CHECK(is(receive(), "ready"));
    send(worker, data("back"));
    CHECK(is(receive(), "back") && is_down(receive(), worker, "normal"));
    ACTOR(monitor)(worker);
    CHECK(is_down(receive(), worker, "noproc"));
    worker = spawn("worker");
    ACTOR(monitor)(worker);
    send(worker, data("trap"));
    CHECK(is_down(receive(), worker, "crashed"));
    worker = spawn("worker");
    ACTOR(monitor)(worker);
    CHECK(ACTOR(kill)(worker) && is_down(receive(), worker, "killed") && !ACTOR(kill)(worker));
    string unknown = text("nobody"), source = text("inline:x"), why = {0}, tag = text("crowd");
    CHECK(!ACTOR(spawn)(&unknown, &pid, &why) && why.len > 0);
    CHECK(!ACTOR(spawn_from)(&unknown, &source, &pid, &why) && why.len > 0);
    PG(register_tag)(&tag);
    PG(list_pid_t) members;
    PG(whereis_tag)(&tag, &members);
    CHECK(members.len == 1 && members.ptr[0] == ACTOR(own_pid)());
    PG(unregister_tag)(&tag);
    CHECK(PG(kill_tag)(&tag) == 0);
    rusm_runtime_serve_connection_info_t info;
    bytes nothing = {0};
    CHECK(!SERVE(connection)(&info) && !SERVE(ws_send_text)(&nothing));
    CHECK(!SERVE(sse_send)(&nothing, NULL, NULL, NULL));
}

static void streams(void)
{
    uint64_t worker = spawn("worker"), stream = 0;
    command(worker, "pour", ACTOR(own_pid)());
    stream = STREAMS(stream_accept)();
    bytes chunk;
    CHECK(STREAMS(stream_read)(stream, &chunk) && is(chunk, "one"));
    CHECK(STREAMS(stream_read)(stream, &chunk) && chunk.len == 0);
    CHECK(STREAMS(stream_read)(stream, &chunk) && chunk.len == 600000 && chunk.ptr[599999] == 'p');
    CHECK(!STREAMS(stream_read)(stream, &chunk) && !STREAMS(stream_read)(stream, &chunk));
    CHECK(is(receive(), "poured"));
    CHECK(!STREAMS(stream_open)(12345, &stream));
    bytes some = data("some");
    CHECK(!STREAMS(stream_write)(777, &some) && !STREAMS(stream_read)(UINT64_MAX, &chunk));
    STREAMS(stream_close)(777);
}

/* Writes chunks into a stream to who asked, the last one larger than what fits at once. */
static void pour(uint64_t to)
{
    uint64_t stream;
    bytes one = data("one"), nothing = {0}, large = {malloc(600000), 600000};
    memset(large.ptr, 'p', large.len);
    CHECK(STREAMS(stream_open)(to, &stream) && STREAMS(stream_write)(stream, &one));
    send(to, data("poured"));
    CHECK(STREAMS(stream_write)(stream, &nothing) && STREAMS(stream_write)(stream, &large));
    STREAMS(stream_close)(stream);
}

static void storage(void)
{
    string bucket = text("b"), key = text("k"), why = {0};
    process_option_list_u8_t found;
    bytes value = data("v");
    bool was;
    CHECK(!rusm_runtime_kv_get(&bucket, &key, &found, &why) && why.len > 0);
    CHECK(begins((bytes){why.ptr, why.len}, "kv: not configured"));
    CHECK(!rusm_runtime_kv_set(&bucket, &key, &value, &why));
    CHECK(!rusm_runtime_kv_delete(&bucket, &key, &was, &why));
    CHECK(!rusm_runtime_kv_exists(&bucket, &key, &was, &why));
    process_list_string_t keys;
    CHECK(!rusm_runtime_kv_list(&bucket, &keys, &why));
    string line = text("a line of the guest's");
    rusm_runtime_log_log(RUSM_RUNTIME_LOG_LOG_LEVEL_WARN, &line);
}

/* Two children that tell who they are; the first one crashes and comes again. */
static void supervision(void)
{
    string boss = text("boss"), names[] = {text("child"), text("child")}, why;
    CHECK(ACTOR(register)(&boss));
    process_list_string_t children = {names, 2};
    uint64_t supervisor;
    CHECK(ACTOR(supervise)(RUSM_RUNTIME_ACTOR_SUPERVISE_STRATEGY_ONE_FOR_ONE, &children, 0, 0,
                           &supervisor, &why));
    uint64_t first = number_in(receive().ptr);
    uint64_t second = number_in(receive().ptr);
    CHECK(first != 0 && second != 0 && first != second);
    send(first, data("trap"));
    uint64_t third = number_in(receive().ptr);
    CHECK(third != 0 && third != first && third != second && ACTOR(is_alive)(second));
    names[1] = text("nobody");
    CHECK(!ACTOR(supervise)(RUSM_RUNTIME_ACTOR_SUPERVISE_STRATEGY_ONE_FOR_ALL, &children, 1, 1,
                            &supervisor, &why));
}

/* ---- connections ---- */

static void tell_counter(const char *what)
{
    string name = text("counter");
    uint64_t counter;
    if (ACTOR(whereis)(&name, &counter)) {
        send(counter, data(what));
    }
}

static void put_pair(struct line *line, const char *what, string name, string value)
{
    put_text(line, what);
    put(line, (char *)name.ptr, name.len);
    put_text(line, "=");
    put(line, (char *)value.ptr, value.len);
}

static void tell_info(const rusm_runtime_serve_connection_info_t *info)
{
    struct line line = {.size = 0};
    put(&line, (char *)info->method.ptr, info->method.len);
    put_text(&line, " ");
    put(&line, (char *)info->path.ptr, info->path.len);
    put_text(&line, "?");
    put(&line, (char *)info->query.ptr, info->query.len);
    for (size_t i = 0; i < info->params.len; i++) {
        put_pair(&line, " param ", info->params.ptr[i].f0, info->params.ptr[i].f1);
    }
    for (size_t i = 0; i < info->headers.len; i++) {
        if (memcmp(info->headers.ptr[i].f0.ptr, "x-", 2) == 0) {
            put_pair(&line, " header ", info->headers.ptr[i].f0, info->headers.ptr[i].f1);
        }
    }
    if (info->subprotocol.is_some) {
        put_text(&line, " speaks ");
        put(&line, (char *)info->subprotocol.val.ptr, info->subprotocol.val.len);
    }
    bytes payload = data(line.text);
    CHECK(SERVE(ws_send_text)(&payload));
}

static void flood(uint64_t writer)
{
    bytes frame = {malloc(100000), 100000};
    for (unsigned i = 0; i < 200; i++) {
        memset(frame.ptr, 'a' + i % 26, frame.len);
        send(writer, frame);
    }
    send(writer, data("end"));
}

static void talk(uint64_t writer, const rusm_runtime_serve_connection_info_t *info)
{
    for (;;) {
        bytes frame = receive();
        bytes rest = {frame.ptr + 5, frame.len > 5 ? frame.len - 5 : 0};
        string bye = text("bye");
        if (is_down(frame, writer, "normal")) {
            tell_counter("ws closed");
            return;
        } else if (begins(frame, "text:")) {
            CHECK(SERVE(ws_send_text)(&rest));
        } else if (is(frame, "info")) {
            tell_info(info);
        } else if (is(frame, "close")) {
            SERVE(ws_close)(4001, &bye);
        } else if (is(frame, "trap")) {
            __builtin_trap();
        } else if (is(frame, "leave")) {
            send(writer, data("left"));
            return;
        } else if (is(frame, "flood")) {
            flood(writer);
        } else {
            send(writer, frame);
        }
    }
}

static void feed(uint64_t writer)
{
    string tag = text("feed"), event = text("gre\neting"), id = text("7");
    uint32_t retry = 1500;
    bytes hello = data("hello\nworld");
    CHECK(SERVE(sse_send)(&hello, &event, &id, &retry));
    PG(register_tag)(&tag);
    for (;;) {
        bytes message = receive();
        if (is_down(message, writer, "normal")) {
            tell_counter("sse closed");
            return;
        } else if (is(message, "trap")) {
            __builtin_trap();
        } else if (is(message, "end")) {
            return;
        }
        send(writer, message);
    }
}

static void connection(uint64_t writer)
{
    rusm_runtime_serve_connection_info_t info;
    CHECK(SERVE(connection)(&info));
    if (info.query.len > 0 && memcmp(info.query.ptr, "stay", 4) == 0) {
        for (;;) { /* It looks after nothing. */
            (void)receive();
        }
    }
    ACTOR(monitor)(writer);
    if (info.path.len >= 7 && memcmp(info.path.ptr, "/events", 7) == 0) {
        feed(writer);
    } else {
        talk(writer, &info);
    }
}

/* ---- workers and services ---- */

/* Remembers what it was told, in one line. */
static void counter(bytes first)
{
    static struct line heard;
    string name = text("counter");
    CHECK(ACTOR(register)(&name));
    for (bytes message = first;; message = receive()) {
        if (begins(message, "tell ")) {
            send(number_in(message.ptr), data(heard.text));
        } else {
            put(&heard, (char *)message.ptr, message.len);
            put_text(&heard, ";");
        }
    }
}

static void child(void)
{
    string name = text("boss");
    uint64_t boss;
    if (ACTOR(whereis)(&name, &boss)) {
        command(boss, "child", ACTOR(own_pid)());
    }
    (void)receive();
    __builtin_trap();
}

void exports_process_run(void)
{
    string role = {0};
    rusm_runtime_actor_process_info_t info;
    if (ACTOR(info)(ACTOR(own_pid)(), &info) && info.label.is_some) {
        role = info.label.val; /* the component's name */
    }
    if (role.len == 5 && memcmp(role.ptr, "child", 5) == 0) {
        child();
        return;
    }
    bytes first = receive();
    uint64_t pid = number_in(first.ptr);
    if (role.len == 7 && memcmp(role.ptr, "counter", 7) == 0) {
        counter(first);
    } else if (begins(first, "{")) {
        answer(first);
    } else if (first.ptr[0] >= '0' && first.ptr[0] <= '9') {
        connection(pid);
    } else if (begins(first, "echo ")) {
        send(pid, data("ready"));
        send(pid, receive());
    } else if (begins(first, "pour ")) {
        pour(pid);
    } else if (begins(first, "answer ")) {
        reply(pid, 202, data("by another"));
    } else {
        __builtin_trap();
    }
}
