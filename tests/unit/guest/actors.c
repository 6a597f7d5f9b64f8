/* What test_abi.c spawns: each entry checks for itself and ends normally, or says which check failed. */
#include <mote.h>

/* A pid that is nobody's, as far as one can know. */
#define NOBODY UINT64_C(12345)

#define MUST(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            mote_exit(#what);                                                                      \
        }                                                                                          \
    } while (0)

static unsigned char big[70000];
static char text[256];
static struct mote_mail mail;

static bool is(const char *data, size_t size, const char *expected)
{
    size_t length = mote_size_of(expected);
    if (size != length) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] != expected[i]) {
            return false;
        }
    }
    return true;
}

/* ---- messages ---- */

MOTE_WORKER(selects)
{
    uint64_t self = mote_self();
    MUST(mote_receive_within(NULL, 0, &mail, text, sizeof text) == MOTE_TIMEOUT);
    MUST(mote_receive_within(NULL, 5, &mail, text, sizeof text) == MOTE_TIMEOUT);
    MUST(mote_send(self, 1, "one", 3) == MOTE_OK);
    MUST(mote_send(self, 2, "two", 3) == MOTE_OK);
    MUST(mote_send(self, 3, "three", 5) == MOTE_OK);
    struct mote_filter filter = {.label_count = 2, .labels = {7, 2}};
    MUST(mote_receive_within(&filter, 0, &mail, text, sizeof text) == MOTE_OK);
    MUST(mail.kind == MOTE_MAIL_SEND && mail.label == 2 && mail.sender == self);
    MUST(is(text, mail.size, "two"));
    MUST(mote_receive_within(&filter, 0, &mail, text, sizeof text) == MOTE_TIMEOUT);
    filter = (struct mote_filter){.kinds = 1 << MOTE_MAIL_DOWN};
    MUST(mote_receive_within(&filter, 0, &mail, text, sizeof text) == MOTE_TIMEOUT);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && is(text, mail.size, "one"));
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && is(text, mail.size, "three"));
    MUST(mote_send(NOBODY, 1, "x", 1) == MOTE_OK); /* to nobody is no error */
}

MOTE_WORKER(reads_on)
{
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (unsigned char)(i * 7);
    }
    MUST(mote_mail_read(0, text, 1) == MOTE_MISPLACED);
    MUST(mote_send(mote_self(), 0, big, sizeof big) == MOTE_OK);
    MUST(mote_receive(&mail, text, 100) == MOTE_OK);
    MUST(mail.size == sizeof big);
    MUST((unsigned char)text[99] == big[99]);
    MUST(mote_mail_read(100, text, sizeof text) == (int32_t)sizeof text);
    MUST((unsigned char)text[0] == big[100] && (unsigned char)text[255] == big[355]);
    MUST(mote_mail_read(sizeof big - 1, text, sizeof text) == 1);
    MUST((unsigned char)text[0] == big[sizeof big - 1]);
    MUST(mote_mail_read(sizeof big, text, sizeof text) == 0);
    MUST(mote_mail_read(UINT32_MAX, text, sizeof text) == 0);
    MUST(mote_receive_within(NULL, 0, &mail, text, 1) == MOTE_TIMEOUT);
    MUST(mote_mail_read(0, text, 1) == MOTE_MISPLACED); /* gone with the next receive */
}

MOTE_WORKER(bad_receives)
{
    struct mote_filter filter = {.kinds = 1 << 9};
    MUST(mote_receive_within(&filter, 0, &mail, text, 1) == MOTE_INVALID);
    filter = (struct mote_filter){.label_count = 9};
    MUST(mote_receive_within(&filter, 0, &mail, text, 1) == MOTE_INVALID);
    MUST(mote_abi_receive(NULL, &mail, text, 1, -2) == MOTE_INVALID);
    MUST(mote_abi_receive(NULL, &mail, text, 1, INT64_MIN) == MOTE_INVALID);
    MUST(mote_abi_receive(NULL, &mail, text, 1, INT64_MAX) == MOTE_INVALID);
}

/* The grant: messages of 100,000 bytes, a mailbox of 10. */
MOTE_WORKER(sends_too_much)
{
    uint64_t self = mote_self();
    MUST(mote_send(self, 0, NULL, 0) == MOTE_OK);
    MUST(mote_abi_send(self, 0, 0, 100001, 0) == MOTE_LIMIT);
    MUST(mote_abi_send(self, 0, 0, 1, 77) == MOTE_NOT_FOUND); /* no such stream */
    for (int i = 1; i < 10; i++) {
        MUST(mote_send(self, 0, "x", 1) == MOTE_OK);
    }
    MUST(mote_send(self, 0, "x", 1) == MOTE_FULL);
    MUST(mote_send_after(self, 0, "t", 1, 0) > 0); /* a timer is never refused */
    struct mote_filter filter = {.kinds = 1 << MOTE_MAIL_TIMER};
    MUST(mote_receive_within(&filter, -1, &mail, text, sizeof text) == MOTE_OK);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK);
    MUST(mote_send(self, 0, "x", 1) == MOTE_OK);
}

/* Twice as many as its mailbox takes. Where that drops what is new, nobody is told. */
MOTE_WORKER(floods_itself)
{
    for (int i = 0; i < 20; i++) {
        MUST(mote_send(mote_self(), (uint64_t)i, NULL, 0) == MOTE_OK);
    }
    for (uint64_t i = 0; i < 10; i++) {
        MUST(mote_receive_within(NULL, 0, &mail, NULL, 0) == MOTE_OK && mail.label == i);
    }
    MUST(mote_receive_within(NULL, 0, &mail, NULL, 0) == MOTE_TIMEOUT);
}

/* ---- calls ---- */

static uint64_t total;
static uint64_t late_caller, late_reference;

MOTE_FUNCTION(bump)
{
    total++;
    return mote_put(out, out_capacity, &total, sizeof total);
}

MOTE_FUNCTION(refuse)
{
    return -1234;
}

MOTE_FUNCTION(hang)
{
    late_caller = mail->sender;
    late_reference = mail->reference;
    return MOTE_LATER;
}

MOTE_FUNCTION(answer_late)
{
    mote_abi_reply(late_caller, late_reference, 0, "late", 4, 0);
    return 0;
}

/* Answers with a stream to read the rest from. */
MOTE_FUNCTION(pour)
{
    struct mote_stream_pair ends;
    MUST(mote_stream_open(&ends) == MOTE_OK);
    MUST(mote_answer_stream(mail, "head", 4, ends.reader) == MOTE_OK);
    MUST(mote_answer_stream(mail, "head", 4, ends.reader) == MOTE_NOT_FOUND); /* given away */
    MUST(mote_stream_write(ends.writer, "and body", 8) >= 0);
    MUST(mote_stream_end(ends.writer) == MOTE_OK);
    return MOTE_LATER;
}

MOTE_FUNCTION(crash)
{
    /* By the host's hand: the test program takes the signals of other traps for its own. */
    return mote_abi_log(MOTE_INFO, (const char *)(uintptr_t)0x7fffffff, 16);
}

static const struct mote_function functions[] = {{"bump", bump}, {"refuse", refuse},
                                                 {"hang", hang}, {"late", answer_late},
                                                 {"pour", pour}, {"crash", crash}};

MOTE_WORKER(counter)
{
    MUST(mote_register("counter", NULL) == MOTE_OK);
    static unsigned char in[64], out[64];
    static const struct mote_room room = {in, out, sizeof in, sizeof out};
    mote_serve(functions, sizeof functions / sizeof *functions, &room);
}

static void await_counter(void)
{
    while (mote_whereis("counter") == 0) {
        mote_sleep_ms(1);
    }
}

MOTE_WORKER(calls)
{
    await_counter();
    uint64_t value = 0;
    MUST(mote_call("counter", "bump", NULL, 0, &value, sizeof value) == sizeof value && value == 1);
    MUST(mote_cast("counter", "bump", NULL, 0) == MOTE_OK);
    MUST(mote_call("counter", "bump", NULL, 0, &value, sizeof value) == sizeof value && value == 3);
    MUST(mote_call("counter", "absent", NULL, 0, NULL, 0) == MOTE_NOT_FOUND);
    MUST(mote_call("counter", "refuse", NULL, 0, NULL, 0) == -1234);
    MUST(mote_call("counter", "bump", big, 65, NULL, 0) ==
         MOTE_LIMIT); /* more than it has room for */
    MUST(mote_call("nobody", "bump", NULL, 0, NULL, 0) == MOTE_NOT_FOUND);
    MUST(mote_call_within("counter", "hang", NULL, 0, NULL, 0, 5) == MOTE_TIMEOUT);
    MUST(mote_call("counter", "late", NULL, 0, NULL, 0) ==
         0); /* its reply to the one before is dropped */
    MUST(mote_receive_within(NULL, 0, &mail, text, sizeof text) == MOTE_TIMEOUT);
    /* Answered out of order, and given up. */
    uint64_t pid = mote_whereis("counter");
    int64_t first = mote_abi_call_begin(pid, mote_label("bump"), NULL, 0, 0);
    int64_t second = mote_abi_call_begin(pid, mote_label("bump"), NULL, 0, 0);
    MUST(first > 0 && second > 0 && first != second);
    struct mote_filter filter = {.reference = (uint64_t)second};
    MUST(mote_receive_within(&filter, -1, &mail, &value, sizeof value) == MOTE_OK);
    MUST(mail.kind == MOTE_MAIL_REPLY && value == 5);
    MUST(mote_demonitor(first) <= 0); /* answered already, or not: it does not come */
    MUST(mote_receive_within(NULL, 0, &mail, text, sizeof text) == MOTE_TIMEOUT);
    /* An answer that goes on as a stream. */
    MUST(mote_call_pid(pid, mote_label("pour"), NULL, 0, text, sizeof text, 5000, &mail) == 4);
    MUST(is(text, 4, "head") && mail.stream > 0);
    MUST(mote_stream_read(mail.stream, text, sizeof text) == 8 && is(text, 8, "and body"));
    MUST(mote_stream_read(mail.stream, text, sizeof text) == 0);
    /* It dies over our request. */
    MUST(mote_call_pid(pid, mote_label("crash"), NULL, 0, text, sizeof text, 5000, &mail) ==
         MOTE_CLOSED);
    MUST(mail.kind == MOTE_MAIL_DOWN && mail.exit_class == MOTE_EXIT_CRASHED && mail.sender == pid);
    MUST(mote_call_pid(pid, 0, NULL, 0, text, sizeof text, 5000, &mail) == MOTE_CLOSED);
    MUST(mail.exit_class == MOTE_EXIT_NOPROC && is(text, mail.size, "noproc"));
    MUST(mote_whereis("counter") == 0);
    /* What makes no sense. */
    MUST(mote_call_pid(mote_self(), 0, NULL, 0, NULL, 0, 5, NULL) == MOTE_INVALID);
    mail = (struct mote_mail){.sender = pid};
    MUST(mote_abi_call(&mail, NULL, 0, text, 1, -7) == MOTE_INVALID);
    mail = (struct mote_mail){.sender = pid, .stream = 9};
    MUST(mote_abi_call(&mail, NULL, 0, text, 1, 0) == MOTE_NOT_FOUND);
    mail = (struct mote_mail){.sender = pid};
    MUST(mote_abi_call(&mail, 0, 100001, text, 1, 0) == MOTE_LIMIT);
    MUST(mote_abi_reply(pid, 0, 0, NULL, 0, 0) == MOTE_INVALID);
    MUST(mote_abi_reply(NOBODY, 4711, 0, NULL, 0, 0) == MOTE_OK); /* dropped */
}

/* ---- ties ---- */

MOTE_WORKER(ties)
{
    int64_t reference = mote_monitor(NOBODY);
    MUST(reference > 0);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK);
    MUST(mail.kind == MOTE_MAIL_DOWN && mail.reference == (uint64_t)reference);
    MUST(mail.exit_class == MOTE_EXIT_NOPROC && mail.sender == NOBODY);
    MUST(mote_demonitor(reference) == MOTE_NOT_FOUND);
    MUST(mote_demonitor(999) == MOTE_NOT_FOUND);
    MUST(!mote_trap_exits(true) && mote_trap_exits(true));
    MUST(mote_abi_trap_exits(2) == MOTE_INVALID);
    MUST(mote_link(NOBODY) == MOTE_OK);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mail.kind == MOTE_MAIL_EXIT);
    MUST(mail.exit_class == MOTE_EXIT_NOPROC && is(text, mail.size, "noproc"));
    MUST(mote_link(mote_self()) == MOTE_OK); /* nothing */
    mote_unlink(NOBODY);
    MUST(mote_kill(NOBODY) == MOTE_NOT_FOUND);
    MUST(mote_exit_signal(NOBODY, "bye") == MOTE_NOT_FOUND);
    MUST(mote_abi_exit_signal(mote_self(), (const char *)big, 256) == MOTE_LIMIT);
    MUST(mote_exit_signal(mote_self(), "mine") == MOTE_OK); /* trapped */
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && is(text, mail.size, "mine"));
    /* The grant: 20 ties. */
    for (int i = 0; i < 20; i++) {
        MUST(mote_monitor(mote_parent()) > 0);
    }
    MUST(mote_monitor(mote_parent()) == MOTE_LIMIT);
}

MOTE_WORKER(exits)
{
    mote_exit("had enough");
}

MOTE_WORKER(exits_normally)
{
    mote_exit("");
}

MOTE_WORKER(exits_by_shutdown)
{
    mote_exit("shutdown");
}

MOTE_WORKER(kills_itself)
{
    mote_kill(mote_self());
    mote_sleep_ms(60000);
}

/* Nobody's child and nobody's parent. */
MOTE_WORKER(touches_others)
{
    await_counter();
    uint64_t pid = mote_whereis("counter");
    MUST(mote_link(pid) == MOTE_DENIED);
    MUST(mote_kill(pid) == MOTE_DENIED);
    MUST(mote_exit_signal(pid, "bye") == MOTE_DENIED);
    MUST(mote_monitor(pid) > 0);
    struct mote_info info;
    MUST(mote_info(pid, &info) == MOTE_OK && info.turns > 0);
}

/* ---- namespaces ---- */

/* It is of another namespace, and knows the pid from its spawner. */
MOTE_WORKER(reaches_out)
{
    uint64_t pid = mote_parent();
    struct mote_info info;
    MUST(mote_info(pid, &info) == MOTE_NOT_FOUND);
    MUST(mote_kill(pid) == MOTE_NOT_FOUND);
    MUST(mote_send(pid, 0, "x", 1) == MOTE_OK);
    MUST(mote_monitor(pid) > 0);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mail.exit_class == MOTE_EXIT_NOPROC);
    MUST(mote_call_pid(pid, 0, NULL, 0, text, sizeof text, 5000, &mail) == MOTE_CLOSED);
    MUST(mail.exit_class == MOTE_EXIT_NOPROC);
    mote_trap_exits(true);
    MUST(mote_link(pid) == MOTE_OK);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mail.exit_class == MOTE_EXIT_NOPROC);
    uint64_t pids[4], found;
    MUST(mote_list(pids, 4) == 1 && pids[0] == mote_self());
    MUST(mote_whereis("counter") == 0);
    MUST(mote_abi_whereis("main", 4, "counter", 7, &found) == MOTE_DENIED);
    MUST(mote_abi_members("main", 4, "g", 1, pids, 4) == MOTE_DENIED);
    MUST(mote_abi_tagged("main", 4, "g", 1, pids, 4) == MOTE_DENIED);
    MUST(mote_abi_publish("main", 4, "g", 1, 0, "x", 1, NULL) == MOTE_DENIED);
    MUST(mote_abi_whereis((const char *)big, 64, "a", 1, &found) == MOTE_INVALID);
    MUST(mote_abi_whereis("other", 5, "a", 1, &found) == MOTE_NOT_FOUND); /* its own */
    MUST(mote_abi_whereis("third", 5, "a", 1, &found) == MOTE_NOT_FOUND); /* allowed */
}

/* It is of another namespace too, and may look into all. */
MOTE_WORKER(visits)
{
    uint64_t pid = 0, value = 0;
    while (mote_abi_whereis("main", 4, "counter", 7, &pid) == MOTE_NOT_FOUND) {
        mote_sleep_ms(1);
    }
    struct mote_info info;
    MUST(pid != 0 && mote_whereis("counter") == 0);
    MUST(mote_info(pid, &info) == MOTE_OK);
    MUST(mote_call_pid(pid, mote_label("bump"), NULL, 0, &value, sizeof value, 5000, NULL) ==
         sizeof value);
    MUST(value == 1 && mote_link(pid) == MOTE_DENIED);
}

/* ---- names ---- */

MOTE_WORKER(names)
{
    uint64_t self = mote_self(), holder = 0, pids[4];
    char name[130];
    __builtin_memset(name, 'n', sizeof name);
    MUST(mote_register("mine", NULL) == MOTE_OK);
    MUST(mote_whereis("mine") == self);
    MUST(mote_register("mine", &holder) == MOTE_EXISTS && holder == self);
    MUST(mote_register("", NULL) == MOTE_INVALID);
    MUST(mote_abi_register("a\0b", 3, NULL) == MOTE_INVALID);
    MUST(mote_abi_register(name, 129, NULL) == MOTE_INVALID);
    MUST(mote_abi_register(name, 128, NULL) == MOTE_OK);
    MUST(mote_register("third", NULL) == MOTE_LIMIT); /* the grant: 2 names, 1 tag, 1 group */
    MUST(mote_unregister("mine") == MOTE_OK && mote_unregister("mine") == MOTE_NOT_FOUND);
    MUST(mote_whereis("mine") == 0);
    MUST(mote_tag("blue") == MOTE_OK && mote_tag("blue") == MOTE_OK);
    MUST(mote_tag("red") == MOTE_LIMIT);
    MUST(mote_tagged("blue", pids, 4) == 1 && pids[0] == self);
    MUST(mote_tagged("blue", NULL, 0) == 1 && mote_tagged("red", pids, 4) == 0);
    MUST(mote_abi_tagged(NULL, 0, "blue", 4, (uint64_t *)(uintptr_t)1, 1) == MOTE_INVALID);
    MUST(mote_untag("blue") == MOTE_OK && mote_untag("blue") == MOTE_NOT_FOUND);
}

MOTE_WORKER(groups)
{
    uint64_t pids[4];
    struct mote_publication sum = {9, 9};
    MUST(mote_publish("topic", 5, "x", 1, &sum) == MOTE_OK && sum.reached == 0 && sum.skipped == 0);
    MUST(mote_join("topic") == MOTE_OK && mote_join("other") == MOTE_LIMIT);
    MUST(mote_members("topic", pids, 4) == 1 && pids[0] == mote_self());
    MUST(mote_publish("topic", 5, "hear", 4, &sum) == MOTE_OK && sum.reached == 1);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mail.label == 5);
    MUST(is(text, mail.size, "hear") && mail.sender == mote_self());
    for (int i = 0; i < 10; i++) {
        MUST(mote_publish("topic", 5, "x", 1, NULL) == MOTE_OK);
    }
    MUST(mote_publish("topic", 5, "x", 1, &sum) == MOTE_OK && sum.reached == 0 && sum.skipped == 1);
    MUST(mote_abi_publish(NULL, 0, "topic", 5, 0, 0, 100001, NULL) == MOTE_LIMIT);
    MUST(mote_publish("", 0, NULL, 0, NULL) == MOTE_INVALID);
    MUST(mote_leave("topic") == MOTE_OK && mote_leave("topic") == MOTE_NOT_FOUND);
}

/* ---- timers ---- */

MOTE_WORKER(timers)
{
    uint64_t self = mote_self();
    int64_t one = mote_send_after(self, 7, "later", 5, 1);
    MUST(one > 0);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mail.kind == MOTE_MAIL_TIMER);
    MUST(mail.reference == (uint64_t)one && is(text, mail.size, "later"));
    MUST(mote_cancel(one) <= 0);
    int64_t never = mote_send_after(self, 7, NULL, 0, 60000);
    MUST(mote_cancel(never) == 1 && mote_cancel(never) == MOTE_NOT_FOUND);
    MUST(mote_cancel(4711) == MOTE_NOT_FOUND);
    int64_t every = mote_interval(1);
    MUST(every > 0);
    for (int i = 0; i < 3; i++) {
        MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mail.label >= 1);
        MUST(mail.kind == MOTE_MAIL_TIMER && mail.reference == (uint64_t)every);
    }
    MUST(mote_cancel(every) >= 0);
    MUST(mote_receive_within(NULL, 3, &mail, text, sizeof text) == MOTE_TIMEOUT);
    MUST(mote_abi_interval(0, NULL, 0) == MOTE_INVALID &&
         mote_abi_interval(-1, NULL, 0) == MOTE_INVALID);
    MUST(mote_abi_send_after(self, 0, NULL, 0, -1) == MOTE_INVALID);
    MUST(mote_abi_send_after(self, 0, 0, 100001, 1) == MOTE_LIMIT);
    MUST(mote_send_after(NOBODY, 0, NULL, 0, 1) > 0); /* fires into nothing */
    mote_sleep_ms(5);
    MUST(mote_send_after(self, 0, NULL, 0, 60000) > 0); /* the grant: 2 timers */
    MUST(mote_send_after(self, 0, NULL, 0, 60000) > 0);
    MUST(mote_send_after(self, 0, NULL, 0, 60000) == MOTE_LIMIT);
}

/* ---- waiting, and what can be known ---- */

MOTE_WORKER(waits)
{
    struct mote_wait set[2] = {{MOTE_WAIT_MAIL, 0, 9, 0}, {MOTE_WAIT_READABLE, 77, 0, 0}};
    MUST(mote_wait(set, 1, 0) == MOTE_TIMEOUT && set[0].ready == 0);
    MUST(mote_wait(set, 1, 3) == MOTE_TIMEOUT);
    mote_send(mote_self(), 1, "x", 1);
    MUST(mote_wait(set, 1, 0) == 1 && set[0].ready == 1);
    struct mote_filter filter = {.label_count = 1, .labels = {2}};
    MUST(mote_receive_within(&filter, 0, &mail, text, 1) == MOTE_TIMEOUT);
    MUST(mote_wait(set, 1, 0) == MOTE_TIMEOUT); /* that mail was looked at */
    mote_send_after(mote_self(), 2, "y", 1, 1);
    MUST(mote_wait(set, 1, -1) == 1);
    MUST(mote_wait(set, 2, 0) == MOTE_NOT_FOUND);
    MUST(mote_wait(set, 0, 0) == MOTE_INVALID && mote_wait(set, 66, 0) == MOTE_INVALID);
    set[0].kind = 99;
    MUST(mote_wait(set, 1, 0) == MOTE_INVALID && mote_abi_wait(set, 1, -5) == MOTE_INVALID);
    set[0].kind = MOTE_WAIT_CLIENT_GONE;
    MUST(mote_wait(set, 1, 0) == MOTE_MISPLACED);
    struct mote_stream_pair ends;
    MUST(mote_stream_open(&ends) == MOTE_OK);
    set[0] = (struct mote_wait){MOTE_WAIT_READABLE, ends.reader, 0, 0};
    set[1] = (struct mote_wait){MOTE_WAIT_WRITABLE, ends.writer, 0, 0};
    MUST(mote_wait(set, 1, 1) == MOTE_TIMEOUT);
    MUST(mote_wait(set, 2, -1) == 1 && set[0].ready == 0 && set[1].ready == 1);
    MUST(mote_stream_write(ends.writer, "x", 1) >= 0);
    MUST(mote_wait(set, 2, -1) == 2 && set[0].ready == 1 && set[1].ready == 1);
}

#include "polls.h"

MOTE_WORKER(knows)
{
    uint64_t self = mote_self(), pids[64];
    struct mote_info info;
    mote_sleep_ms(1); /* so that a turn has ended */
    MUST(mote_monitor(mote_parent()) > 0 && mote_send_after(self, 0, NULL, 0, 60000) > 0);
    MUST(mote_send(self, 0, "abc", 3) == MOTE_OK);
    MUST(mote_info(self, &info) == MOTE_OK);
    MUST(info.parent == mote_parent() && info.phase == MOTE_PHASE_RUNNING);
    MUST(info.mailbox_messages == 1 && info.mailbox_bytes == 3);
    MUST(info.memory_bytes >= 65536 && info.turns > 0 && info.monitors == 1 && info.timers == 1);
    MUST(info.messages_sent == 1 && info.bytes_sent == 3 && info.messages_received == 0);
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mote_info(self, &info) == MOTE_OK);
    MUST(info.messages_received == 1 && info.bytes_received == 3 && info.mailbox_messages == 0);
    MUST(mote_info(NOBODY, &info) == MOTE_NOT_FOUND);
    int32_t count = mote_list(pids, 64);
    MUST(count >= 1 && mote_list(NULL, 0) == count);
    bool found = false;
    for (int32_t i = 0; i < count && i < 64; i++) {
        found |= pids[i] == self;
    }
    MUST(found);
    MUST(mote_set_label("shelf 12 \xc3\xa4") == MOTE_OK);
    MUST(mote_set_label("a\nb") == MOTE_INVALID && mote_set_label("\xff") == MOTE_INVALID);
    MUST(mote_abi_set_label((const char *)big, 64) == MOTE_LIMIT);
    MUST(mote_send(mote_parent(), 0, "labelled", 8) == MOTE_OK);
    mote_receive(&mail, text, sizeof text); /* until the test has looked */
}

/* Leaves its mail unread. */
MOTE_WORKER(hears_nothing)
{
    mote_sleep_ms(60000);
}

/* Told to stop, it does. */
MOTE_WORKER(stops)
{
    mote_ready();
    MUST(mote_receive(&mail, text, sizeof text) == MOTE_OK && mail.kind == MOTE_MAIL_STOP);
}
