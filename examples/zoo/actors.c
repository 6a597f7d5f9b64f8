/* Processes that work together: a service, workers, links, streams, topics, supervisors. README.md has the list. */
#include <mote.h>

/* ---- JSON ---- */

static char json[1024];
static char *end = json;

static void put(const char *text)
{
    while (*text != '\0' && end < json + sizeof json - 2) {
        bool quoted = *text == '"' || *text == '\\';
        *end++ = quoted || (unsigned char)*text < ' ' ? '\'' : *text;
        text++;
    }
}

static void put_number(uint64_t number)
{
    char digits[21];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(at);
}

/* The separator, the name, a colon. Names are ours, so their quotes may stand. */
static void put_name(const char *name)
{
    bool first = end == json;
    *end++ = first ? '{' : ',';
    *end++ = '"';
    put(name);
    *end++ = '"';
    *end++ = ':';
}

static void put_text(const char *name, const char *text)
{
    put_name(name);
    *end++ = '"';
    put(text);
    *end++ = '"';
}

static void put_count(const char *name, uint64_t number)
{
    put_name(name);
    put_number(number);
}

static void answer(int status)
{
    *end++ = '}';
    *end++ = '\n';
    mote_reply(status, "content-type: application/json\n", json, (size_t)(end - json));
}

static void answer_error(int status, const char *error)
{
    put_text("error", error);
    answer(status);
}

static char reason[256]; /* the text of what was received last */
static struct mote_mail mail;

/* Wait for mail; its text, terminated, is in `reason`. */
static bool hear(int64_t timeout_ms)
{
    if (mote_receive_within(NULL, timeout_ms, &mail, reason, sizeof reason - 1) != MOTE_OK) {
        return false;
    }
    reason[mail.size < sizeof reason ? mail.size : sizeof reason - 1] = '\0';
    return true;
}

/* ---- the counter, a service ---- */

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

MOTE_FUNCTION(hang)
{
    return MOTE_LATER;
}

static const struct mote_function functions[] = {{"bump", bump}, {"crash", crash}, {"hang", hang}};
MOTE_SERVICE(counter, functions)

/* The counter, waiting while it is being restarted; 0: it does not come back. */
static uint64_t find_counter(void)
{
    uint64_t pid;
    for (int i = 0; (pid = mote_whereis("counter")) == 0 && i < 2000; i++) {
        mote_sleep_ms(1);
    }
    return pid;
}

/* POST /counter/bump */
MOTE_HANDLER(counter_bump)
{
    uint64_t now = 0;
    if (mote_call_pid(find_counter(), mote_label("bump"), NULL, 0, &now, sizeof now, 5000, NULL) !=
        sizeof now) {
        answer_error(503, "no counter");
        return;
    }
    put_count("total", now);
    answer(200);
}

/* POST /counter/crash */
MOTE_HANDLER(counter_crash)
{
    int32_t result = mote_call_pid(find_counter(), mote_label("crash"), NULL, 0, reason,
                                   sizeof reason - 1, 5000, NULL);
    put_text("result", result == MOTE_CLOSED ? "closed" : "still there");
    put_text("reason", reason);
    answer(200);
}

/* POST /counter/hang?timeout=: a call that is never answered. */
MOTE_HANDLER(counter_hang)
{
    uint64_t timeout_ms = mote_query_number("timeout", 100);
    int32_t result = mote_call_pid(find_counter(), mote_label("hang"), NULL, 0, NULL, 0,
                                   (int64_t)timeout_ms, NULL);
    put_count("timeout", timeout_ms);
    answer_error(504, result == MOTE_TIMEOUT ? "no answer within the timeout" : "something else");
}

/* ---- workers ---- */

/* What a process is spawned with. */
struct task {
    uint64_t number;
    uint64_t boss; /* who wants to hear of it */
};

static struct task task_of_mine(void)
{
    struct task task = {0, 0};
    mote_input(&task, sizeof task);
    return task;
}

MOTE_WORKER(square)
{
    struct task task = task_of_mine();
    uint64_t result = task.number * task.number;
    mote_send(task.boss, 0, &result, sizeof result);
}

MOTE_WORKER(trap)
{
    __builtin_trap();
}

/* GET /workers?n=&crash=: the squares of 1 to n, but for the first `crash` workers, which crash. */
MOTE_HANDLER(workers)
{
    uint64_t n = mote_query_number("n", 10);
    uint64_t crashes = mote_query_number("crash", 0);
    if (n > 100 || crashes > n) {
        answer_error(400, "n is at most 100, and crash at most n");
        return;
    }
    for (uint64_t i = 1; i <= n; i++) {
        struct task task = {i, mote_self()};
        struct mote_spawned worker;
        if (mote_spawn_monitored(i <= crashes ? "worker#trap" : "worker#square", &task, sizeof task,
                                 &worker) != MOTE_OK) {
            answer_error(503, "cannot spawn");
            return;
        }
    }
    uint64_t sum = 0, normal = 0, crashed = 0, other = 0;
    while (normal + crashed + other < n && hear(10000)) {
        if (mail.kind == MOTE_MAIL_SEND) {
            uint64_t result;
            __builtin_memcpy(&result, reason, sizeof result);
            sum += result;
        } else if (mail.kind == MOTE_MAIL_DOWN) {
            normal += mail.exit_class == MOTE_EXIT_NORMAL;
            crashed += mail.exit_class == MOTE_EXIT_CRASHED;
            other += mail.exit_class != MOTE_EXIT_NORMAL && mail.exit_class != MOTE_EXIT_CRASHED;
        }
    }
    put_count("sum", sum);
    put_count("normal", normal);
    put_count("crashed", crashed);
    put_count("other", other);
    answer(200);
}

/* ---- links ---- */

/* Is linked to one that crashes; says what it sees of that, if it lives to do so. */
MOTE_WORKER(partner)
{
    struct task task = task_of_mine();
    mote_trap_exits(task.number == 1);
    if (mote_spawn_linked("worker#trap", NULL, 0, NULL) == MOTE_OK && hear(-1)) {
        mote_send(task.boss, 0, reason, mail.size);
    }
}

/* GET /links?trap=0|1: what the other one of a linked pair saw. */
MOTE_HANDLER(links)
{
    struct task task = {mote_query_number("trap", 0), mote_self()};
    struct mote_spawned partner;
    if (mote_spawn_monitored("worker#partner", &task, sizeof task, &partner) != MOTE_OK) {
        answer_error(503, "cannot spawn");
        return;
    }
    bool saw = false;
    while (hear(10000) && mail.kind == MOTE_MAIL_SEND) {
        put_text("saw", reason);
        saw = true;
    }
    if (!saw) {
        put_text("saw", "nothing");
    }
    put_text("ended", mail.kind == MOTE_MAIL_DOWN ? reason : "not");
    answer(200);
}

/* ---- byte streams ---- */

static unsigned char chunk[4096];

/* Wait for a message that brings the end of a stream. */
static int32_t hear_stream(void)
{
    return hear(5000) ? mail.stream : 0;
}

/* Writes so many MiB; byte i is i * 7 + i / 4096. */
MOTE_WORKER(source)
{
    int32_t out = hear_stream();
    uint64_t chunks = task_of_mine().number * (1048576 / sizeof chunk);
    for (uint64_t n = 0; n < chunks; n++) {
        for (size_t i = 0; i < sizeof chunk; i++) {
            chunk[i] = (unsigned char)(i * 7 + n);
        }
        if (mote_stream_write(out, chunk, sizeof chunk) < 0) {
            return;
        }
    }
    mote_stream_end(out);
}

/* From one stream into the next. */
MOTE_WORKER(relay)
{
    int32_t in = hear_stream();
    int32_t out = hear_stream();
    int32_t size;
    while ((size = mote_stream_read(in, chunk, sizeof chunk)) > 0) {
        if (mote_stream_write(out, chunk, (size_t)size) < 0) {
            return;
        }
    }
    if (size == 0) {
        mote_stream_end(out);
    }
}

struct digest {
    uint64_t size, hash;
};

/* Counts and hashes (FNV-1a). */
MOTE_WORKER(sink)
{
    int32_t in = hear_stream();
    struct digest digest = {0, UINT64_C(0xcbf29ce484222325)};
    int32_t size;
    while ((size = mote_stream_read(in, chunk, sizeof chunk)) > 0) {
        for (int32_t i = 0; i < size; i++) {
            digest.hash = (digest.hash ^ chunk[i]) * UINT64_C(0x100000001b3);
        }
        digest.size += (uint64_t)size;
    }
    if (size == 0) {
        mote_send(task_of_mine().boss, 0, &digest, sizeof digest);
    }
}

/* GET /pipeline?mb=: bytes through three processes. */
MOTE_HANDLER(pipeline)
{
    struct task task = {mote_query_number("mb", 1), mote_self()};
    struct mote_spawned source, relay, sink;
    struct mote_stream_pair first, second;
    if (task.number > 64) {
        answer_error(400, "mb is at most 64");
        return;
    }
    if (mote_spawn_linked("worker#source", &task, sizeof task, &source) != MOTE_OK ||
        mote_spawn_linked("worker#relay", &task, sizeof task, &relay) != MOTE_OK ||
        mote_spawn_linked("worker#sink", &task, sizeof task, &sink) != MOTE_OK ||
        mote_stream_open(&first) != MOTE_OK || mote_stream_open(&second) != MOTE_OK) {
        answer_error(503, "cannot spawn");
        return;
    }
    mote_send_stream(source.pid, 0, NULL, 0, first.writer);
    mote_send_stream(relay.pid, 0, NULL, 0, first.reader);
    mote_send_stream(relay.pid, 0, NULL, 0, second.writer);
    mote_send_stream(sink.pid, 0, NULL, 0, second.reader);
    struct digest digest;
    if (!hear(25000) || mail.size != sizeof digest) {
        answer_error(500, "the pipeline broke");
        return;
    }
    __builtin_memcpy(&digest, reason, sizeof digest);
    put_count("size", digest.size);
    put_count("hash", digest.hash);
    answer(200);
}

/* ---- topics ---- */

static char topic[128];

/* Whether the request names a topic, which is then there; else it is answered. */
static bool read_topic(void)
{
    int32_t size = mote_query("topic", topic, sizeof topic);
    if (size < 1 || (size_t)size >= sizeof topic) {
        answer_error(400, "a topic has 1 to 127 bytes");
        return false;
    }
    return true;
}

/* POST /publish?topic=: the body goes to all who are subscribed. */
MOTE_HANDLER(publish)
{
    struct mote_publication sum = {0, 0};
    size_t size = 0;
    int32_t got;
    while (size < sizeof chunk && (got = mote_read(chunk + size, sizeof chunk - size)) > 0) {
        size += (size_t)got;
    }
    if (!read_topic()) {
        return;
    }
    if (size == sizeof chunk) { /* A subscriber makes it a line: one byte more. */
        answer_error(413, "a publication has at most 4095 bytes");
        return;
    }
    if (mote_publish(topic, 0, chunk, size, &sum) != MOTE_OK) {
        answer_error(400, "a topic has no zero bytes");
        return;
    }
    put_count("reached", sum.reached);
    put_count("skipped", sum.skipped);
    answer(200);
}

/* GET /subscribe?topic=: what is published, a line each, until the client leaves. */
MOTE_HANDLER(subscribe)
{
    if (!read_topic()) {
        return;
    }
    if (mote_join(topic) != MOTE_OK) {
        answer_error(400, "a topic has no zero bytes");
        return;
    }
    mote_begin(200, "content-type: text/plain\n");
    mote_write_text("joined\n");
    struct mote_wait set[2] = {{MOTE_WAIT_MAIL, 0, 0, 0}, {MOTE_WAIT_CLIENT_GONE, 0, 0, 0}};
    while (mote_wait(set, 2, -1) > 0 && set[1].ready == 0) {
        while (mote_receive_within(NULL, 0, &mail, chunk, sizeof chunk - 1) == MOTE_OK) {
            size_t size = mail.size < sizeof chunk ? mail.size : sizeof chunk - 1;
            chunk[size] = '\n';
            if (mote_write(chunk, size + 1) != MOTE_OK) {
                return;
            }
        }
    }
}

/* ---- supervisors ---- */

static const char *const names[] = {"a", "b", "c"};

/* Says that it has started, and which one it is, then waits until it is stopped. */
MOTE_WORKER(child)
{
    struct task task = task_of_mine();
    mote_send(task.boss, task.number, NULL, 0);
    while (hear(-1) && mail.kind != MOTE_MAIL_STOP) {
    }
}

/* Says that it has started, and crashes. */
MOTE_WORKER(doomed)
{
    mote_send(task_of_mine().boss, 0, NULL, 0);
    __builtin_trap();
}

/* The strategy that the query names; 3: none. */
static uint32_t read_strategy(void)
{
    static const char *const strategies[] = {"one-for-one", "one-for-all", "rest-for-one"};
    char text[16];
    uint32_t strategy = 0;
    if (mote_query("strategy", text, sizeof text) < 0) {
        return MOTE_STRATEGY_ONE_FOR_ONE;
    }
    while (strategy < 3 && mote_label(text) != mote_label(strategies[strategy])) {
        strategy++;
    }
    return strategy;
}

/* GET /supervisor?strategy=&kill=: kills the k-th of three children; who is restarted, in what order? */
MOTE_HANDLER(supervisor)
{
    uint32_t strategy = read_strategy();
    uint64_t kill = mote_query_number("kill", 1);
    if (strategy == 3 || kill < 1 || kill > 3) {
        answer_error(400, "strategy is one-for-one, one-for-all or rest-for-one; kill 1 to 3");
        return;
    }
    struct task tasks[3];
    struct mote_child_spec specs[3];
    for (uint64_t i = 0; i < 3; i++) {
        tasks[i] = (struct task){i, mote_self()};
        specs[i] = mote_child_spec(&(struct mote_child){names[i], "worker#child", &tasks[i],
                                                        sizeof tasks[i], MOTE_RESTART_PERMANENT,
                                                        1000, 5000});
    }
    const struct mote_supervisor_spec spec = {strategy, 3, 5000, 0};
    if (mote_supervisor_start(&spec, specs, 3, NULL) != MOTE_OK) {
        answer_error(503, "cannot start");
        return;
    }
    uint64_t victim = 0;
    for (uint64_t started = 0; started < 3 && hear(5000); started++) {
        victim = mail.label == kill - 1 ? mail.sender : victim;
    }
    if (mote_kill(victim) != MOTE_OK) {
        answer_error(403, "may not kill it");
        return;
    }
    uint64_t expected = strategy == MOTE_STRATEGY_ONE_FOR_ONE   ? 1
                        : strategy == MOTE_STRATEGY_ONE_FOR_ALL ? 3
                                                                : 4 - kill;
    put_count("killed", kill);
    put_name("restarted");
    /* One more than should come gets a moment to prove that wrong. */
    for (uint64_t i = 0; i <= expected && hear(i < expected ? 5000 : 20); i++) {
        put(i == 0 ? "[" : ",");
        put_number(mail.kind == MOTE_MAIL_SEND ? mail.label + 1 : 0);
    }
    put("]");
    answer(200);
}

/* GET /storm: a child that always crashes, until its supervisor gives up. */
MOTE_HANDLER(storm)
{
    struct task task = {0, mote_self()};
    struct mote_child_spec child = mote_child_spec(&(struct mote_child){
        "doomed", "worker#doomed", &task, sizeof task, MOTE_RESTART_PERMANENT, 1000, 0});
    const struct mote_supervisor_spec spec = {MOTE_STRATEGY_ONE_FOR_ONE, 5, 60000, 0};
    mote_trap_exits(true);
    if (mote_supervisor_start(&spec, &child, 1, NULL) != MOTE_OK) {
        answer_error(503, "cannot start");
        return;
    }
    uint64_t starts = 0;
    while (hear(10000) && mail.kind == MOTE_MAIL_SEND) {
        starts++;
    }
    put_count("restarts", starts - 1);
    put_text("escalation", mail.kind == MOTE_MAIL_EXIT ? reason : "none");
    answer(200);
}
