/* Tries what it is told to: each request is one attempt, and its answer is what came of it: a number, and what was seen. */
#include <mote.h>

enum { NAME_MAX = 128, LIST_MAX = 64 };

static char name[NAME_MAX], space[NAME_MAX], answer[4096];
static uint64_t pids[LIST_MAX];
static size_t name_size, space_size;

static void add_text(const char *text)
{
    size_t used = mote_size_of(answer);
    for (size_t i = 0; text[i] != '\0' && used + 1 < sizeof answer; i++) {
        answer[used++] = text[i];
    }
    answer[used] = '\0';
}

static void add_number(int64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    uint64_t left = number < 0 ? (uint64_t)-number : (uint64_t)number;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    add_text(&digits[at]);
    add_text(" ");
}

static void add_pid(uint64_t pid)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + pid % 10);
        pid /= 10;
    } while (pid > 0);
    add_text(&digits[at]);
    add_text(" ");
}

static void add_pids(int32_t count)
{
    add_number(count);
    for (int32_t i = 0; i < count && i < LIST_MAX; i++) {
        add_pid(pids[i]);
    }
}

static bool is_asked(const char *wanted)
{
    static char asked[32];
    mote_query("do", asked, sizeof asked);
    size_t i = 0;
    while (wanted[i] != '\0' && wanted[i] == asked[i]) {
        i++;
    }
    return wanted[i] == asked[i];
}

/* What it hears within a second of whom it has linked or watches: the class of its end. */
static void add_news(void)
{
    struct mote_mail mail;
    int32_t error = mote_receive_within(NULL, 1000, &mail, NULL, 0);
    add_number(error != MOTE_OK ? error : (int64_t)mail.exit_class);
}

static void try_own(void)
{
    char value[64] = "";
    if (is_asked("env")) {
        add_number(mote_abi_env_get(name, name_size, value, sizeof value - 1));
        add_text(value);
    } else if (is_asked("self")) {
        add_pid(mote_self());
    } else if (is_asked("parent")) {
        add_pid(mote_parent());
    } else if (is_asked("list")) {
        add_pids(mote_list(pids, LIST_MAX));
    } else if (is_asked("register")) {
        uint64_t holder = 0;
        add_number(mote_register(name, &holder));
        add_pid(holder);
    } else if (is_asked("join")) {
        add_number(mote_join(name));
        struct mote_publication sum = {0, 0};
        add_number(mote_publish(name, 1, "x", 1, &sum));
        add_number((int64_t)sum.reached);
    }
}

static void try_names(void)
{
    uint64_t pid = 0;
    struct mote_publication sum = {0, 0};
    if (is_asked("whereis")) {
        add_number(mote_abi_whereis(space, space_size, name, name_size, &pid));
        add_pid(pid);
    } else if (is_asked("tagged")) {
        add_pids(mote_abi_tagged(space, space_size, name, name_size, pids, LIST_MAX));
    } else if (is_asked("members")) {
        add_pids(mote_abi_members(space, space_size, name, name_size, pids, LIST_MAX));
    } else if (is_asked("publish")) {
        add_number(mote_abi_publish(space, space_size, name, name_size, 1, "x", 1, &sum));
        add_number((int64_t)sum.reached);
    }
}

static void try_process(uint64_t pid)
{
    struct mote_info info;
    struct mote_child_state children[4];
    mote_trap_exits(true);
    if (is_asked("info")) {
        add_number(mote_info(pid, &info));
    } else if (is_asked("kill")) {
        add_number(mote_kill(pid));
    } else if (is_asked("exit")) {
        add_number(mote_exit_signal(pid, "intruder"));
    } else if (is_asked("link")) {
        int32_t error = mote_link(pid);
        add_number(error);
        if (error == MOTE_OK) {
            add_news();
        }
    } else if (is_asked("unlink")) {
        add_number(mote_abi_unlink(pid));
    } else if (is_asked("monitor")) {
        add_number(mote_monitor(pid) > 0 ? MOTE_OK : MOTE_LIMIT);
        add_news();
    } else if (is_asked("send")) {
        add_number(mote_send(pid, 1, "x", 1));
    } else if (is_asked("call")) {
        struct mote_mail mail = {.sender = pid, .label = 1};
        add_number(mote_abi_call(&mail, "x", 1, NULL, 0, mote_ns(1000)));
    } else if (is_asked("children")) {
        add_number(mote_supervisor_children(pid, children, 4));
    } else if (is_asked("forge-reply")) {
        for (uint64_t reference = 1; reference < 1000; reference++) {
            mote_abi_reply(pid, reference, 0, "forged", 6, 0);
            mote_abi_reply(pid, pid + reference, 0, "forged", 6, 0);
        }
        add_number(MOTE_OK);
    } else if (is_asked("forge-pids")) {
        int64_t found = 0;
        for (uint64_t step = 1; step < 5000; step++) {
            uint64_t guesses[] = {pid + step, pid - step, pid ^ step, pid ^ step << 32, step};
            for (size_t i = 0; i < 5; i++) {
                bool known = guesses[i] == mote_self() || guesses[i] == mote_parent();
                found += !known && mote_info(guesses[i], &info) == MOTE_OK;
            }
        }
        add_number(found);
    }
}

static void try_spawn(void)
{
    struct mote_spawned spawned = {0, 0};
    struct mote_spawn_options options = {.flags = MOTE_SPAWN_MONITOR,
                                         .max_memory_mb = (uint32_t)mote_query_number("memory", 0),
                                         .max_cpu_ms = (uint32_t)mote_query_number("cpu", 0),
                                         .deadline_ms = (uint32_t)mote_query_number("deadline", 0)};
    if (is_asked("spawn")) {
        add_number(mote_abi_spawn(name, name_size, "x", 1, &options, &spawned));
    } else if (is_asked("supervise")) {
        struct mote_supervisor_spec spec = {.max_restarts = 0, .window_ms = 1000};
        struct mote_child child = {.component = name, .restart = MOTE_RESTART_TEMPORARY};
        struct mote_child_spec line = mote_child_spec(&child);
        uint64_t pid = 0;
        add_number(mote_supervisor_start(&spec, &line, 1, &pid));
    } else if (is_asked("errand")) {
        /* What a child of its own is allowed is no more. */
        char told[64] = "";
        struct mote_mail mail;
        add_number(mote_abi_spawn("intruder#errand", 15, name, name_size, &options, &spawned));
        if (mote_receive_within(NULL, 5000, &mail, told, sizeof told - 1) == MOTE_OK) {
            add_text(told);
        }
    }
}

static void try_streams(void)
{
    char data[16];
    struct mote_stream_pair ends = {0, 0};
    int64_t used = 0;
    if (!is_asked("forge-handles")) {
        return;
    }
    mote_stream_open(&ends);
    for (int64_t i = -3; i < 70000; i++) {
        /* Numbers near its own, small ones, and those that differ in high bits. */
        int32_t tries[] = {(int32_t)i, (int32_t)(ends.reader + i), (int32_t)((uint64_t)i << 16),
                           INT32_MAX - (int32_t)i - 3};
        for (size_t t = 0; t < 4; t++) {
            if (tries[t] == ends.reader || tries[t] == ends.writer) {
                continue;
            }
            used += mote_abi_stream_try_read(tries[t], data, sizeof data) != MOTE_NOT_FOUND;
            used += mote_abi_stream_close(tries[t]) != MOTE_NOT_FOUND;
            /* 0 is no stream at all. */
            used += tries[t] != 0 &&
                    mote_send_stream(mote_self(), 1, "", 0, tries[t]) != MOTE_NOT_FOUND;
        }
    }
    add_number(used);
}

MOTE_HANDLER(attempt)
{
    int32_t size = mote_query("name", name, sizeof name);
    name_size = size > 0 ? (size_t)size : 0;
    size = mote_query("space", space, sizeof space);
    space_size = size > 0 ? (size_t)size : 0;
    try_own();
    try_names();
    try_spawn();
    try_streams();
    try_process(mote_query_number("pid", 0));
    mote_reply_text(200, answer);
}

/* Tells its parent what it could read. */
MOTE_WORKER(errand)
{
    char wanted[NAME_MAX], value[64] = "";
    int32_t size = mote_input(wanted, sizeof wanted - 1);
    wanted[size > 0 ? size : 0] = '\0';
    add_number(mote_env(wanted, value, sizeof value));
    add_text(value);
    mote_send(mote_parent(), 1, answer, mote_size_of(answer));
}

/* ---- whom it shall not reach ---- */

MOTE_WORKER(vault)
{
    struct mote_mail mail;

    mote_register("gold", NULL);
    mote_tag("treasure");
    mote_join("guards");
    for (;;) {
        if (mote_receive(&mail, NULL, 0) != MOTE_OK || mail.kind == MOTE_MAIL_STOP) {
            return;
        }
        mote_log(MOTE_WARN, "vault was reached");
        mote_answer(&mail, "gold", 4);
    }
}

/* Calls the vault, which it may, and tells what it was answered; `wait` is for who wants to answer in its place. */
MOTE_HANDLER(client)
{
    char text[16] = "";
    struct mote_mail mail = {.sender = mote_query_number("pid", 0), .label = 1};

    mote_set_label("caller");
    int32_t error = mote_abi_call(&mail, "x", 1, text, sizeof text - 1, mote_ns(60000));
    add_number(error);
    add_text(text);
    mote_reply_text(200, answer);
}

/* Answers the first call only when somebody else has called. */
MOTE_WORKER(slow)
{
    struct mote_mail first, second;

    mote_ready();
    for (;;) {
        if (mote_receive(&first, NULL, 0) != MOTE_OK || first.kind == MOTE_MAIL_STOP) {
            return;
        }
        if (mote_receive(&second, NULL, 0) != MOTE_OK || second.kind == MOTE_MAIL_STOP) {
            return;
        }
        mote_answer(&first, "true", 4);
        mote_answer(&second, "second", 6);
    }
}

/* A secret in its hands, and a trap. */
MOTE_HANDLER(stumble)
{
    char secret[64];
    mote_env("TOKEN_OF_APP", secret, sizeof secret);
    __builtin_trap();
}
