/* The core module of tests/e2e/test_rusm.py, made for RUSM's imports: a routed handler that tries them. */
#define IMPORT(name) __attribute__((import_module("rusm"), import_name(#name)))

typedef unsigned long long pid;
typedef long long wide;

IMPORT(own_pid) pid own_pid(void);
IMPORT(notify) void notify(void);
IMPORT(send) void send_to(pid to, const void *data, int size);
IMPORT(receive) int receive(void *buffer, int capacity);
IMPORT(list_processes) int list_processes(pid *pids, int capacity);
IMPORT(is_alive) int is_alive(pid target);
IMPORT(kill) int kill_process(pid target);
IMPORT(register) int register_name(const char *name, int size);
IMPORT(whereis) wide whereis(const char *name, int size);
IMPORT(unregister) int unregister(const char *name, int size);
IMPORT(set_label) void set_label(const char *text, int size);
IMPORT(stream_open) wide stream_open(pid to);
IMPORT(stream_write) int stream_write(wide stream, const void *data, int size);
IMPORT(stream_close) void stream_close(wide stream);
IMPORT(stream_accept) wide stream_accept(void);
IMPORT(stream_read) int stream_read(wide stream, void *buffer, int capacity);

static char envelope[16384], scratch[16];

static int is(const char *got, const char *wanted, int size)
{
    for (int i = 0; i < size; i++) {
        if (got[i] != wanted[i]) {
            return 0;
        }
    }
    return 1;
}

/* The number in quotes behind "from": */
static pid sender(int size)
{
    for (int i = 0; i + 8 < size; i++) {
        if (is(envelope + i, "\"from\":\"", 8)) {
            pid number = 0;
            for (i += 8; envelope[i] >= '0' && envelope[i] <= '9'; i++) {
                number = number * 10 + (pid)(envelope[i] - '0');
            }
            return number;
        }
    }
    return 0;
}

static int names(pid self)
{
    static pid pids[64];
    int count = list_processes(pids, 64), there = 0;
    for (int i = 0; i < count && i < 64; i++) {
        there |= pids[i] == self;
    }
    return register_name("core", 4) && (pid)whereis("core", 4) == self &&
           whereis("none", 4) == -1 && unregister("core", 4) && !unregister("core", 4) &&
           is_alive(self) && !is_alive(77) && there;
}

static int mail(pid self)
{
    send_to(self, "a message of some length", 24);
    return receive(scratch, 9) == 24 && is(scratch, "a message", 9);
}

static int streams(pid self)
{
    wide writer = stream_open(self), reader;
    if (writer < 0 || stream_write(writer, "abc", 3) != 0 || stream_write(writer, "", 0) != 0) {
        return 0;
    }
    stream_close(writer);
    reader = stream_accept();
    return stream_write(writer, "abc", 3) == -1 && stream_read(reader, scratch, 2) == 3 &&
           is(scratch, "ab", 2) && stream_read(reader, scratch, 16) == 0 &&
           stream_read(reader, scratch, 16) == -1 && stream_open(77) == -1 &&
           stream_read(12345, scratch, 1) == -1;
}

__attribute__((export_name("run"))) void run(void)
{
    static const char good[] = "{\"ref\":0,\"ok\":{\"status\":200,\"body\":\"Y29yZQ==\"}}";
    static const char bad[] = "{\"ref\":0,\"err\":\"core\"}";
    int size = receive(envelope, sizeof envelope);
    pid self = own_pid(), from = sender(size);
    notify();
    set_label("a module", 8);
    int all = names(self) && mail(self) && streams(self) && !kill_process(77);
    send_to(from, all ? good : bad, all ? sizeof good - 1 : sizeof bad - 1);
}
