/* Many clients at once: the load for the WebSocket and event rows, the same for each server. bench/web.py drives it;
 * docs/benchmarks.md says what the figures mean.
 *
 *     bench-crowd MODE PORT PATH CLIENTS MS      of 127.0.0.1, on two threads; then one line: "COUNT WALL_NS CPU_NS"
 *
 * echo     each client has a WebSocket, sends a text, and the next one when it is back. Counts texts that are back.
 * visit    each client connects, has a WebSocket, one text there and back, closes as RFC 6455 wants it, and begins again.
 *          Counts those that have left.
 * events   each client asks for PATH and reads. Counts events, which is how often a '~' has come.
 *
 * CPU_NS is what this program itself has used. Status 1: something came that should not, or somebody hung up. */
#include "base/number.h"
#include "core/env.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LANES = 2,
    CLIENTS_MAX = 10000,
    MS_MAX = 3600 * 1000,
    TEXT_BYTES = 100,
    FRAME_HEAD_BYTES = 6, /* masked, of a short text */
    ECHO_BYTES = 2 + TEXT_BYTES,
    ROOM_BYTES = 256 * 1024,
    HEAD_BYTES = 1024,
    NS_PER_MS = 1000000,
    EVENTS_MAX = 64,
};

enum mode { MODE_ECHO, MODE_VISIT, MODE_EVENTS };

/* What a client waits for. */
enum step { STEP_HEAD, STEP_ECHO, STEP_END, STEP_EVENTS };

struct client {
    int fd;
    enum step step;
    size_t got;
    char head[HEAD_BYTES];
};

struct crowd {
    enum mode mode;
    struct sockaddr_in address;
    char request[HEAD_BYTES];
    size_t request_size;
    unsigned char text[FRAME_HEAD_BYTES + TEXT_BYTES], close[FRAME_HEAD_BYTES + 2];
    uint64_t until_ns;
};

struct lane {
    const struct crowd *crowd;
    pthread_t thread;
    int epoll;
    struct client *clients;
    size_t client_count;
    uint64_t count;
    bool failed;
    char room[ROOM_BYTES];
};

static bool fail(const char *what, int error)
{
    fprintf(stderr, "bench-crowd: %s%s%s\n", what, error != 0 ? ": " : "",
            error != 0 ? strerror(error) : "");
    return false;
}

static bool say(const struct client *client, const void *data, size_t size)
{
    ssize_t sent = send(client->fd, data, size, MSG_NOSIGNAL);
    return sent == (ssize_t)size || fail("send", sent < 0 ? errno : EMSGSIZE);
}

/* ---- A client ---- */

static bool client_begin(struct lane *lane, struct client *client)
{
    const struct crowd *crowd = lane->crowd;
    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0), .step = STEP_HEAD};
    if (client->fd < 0) {
        return fail("socket", errno);
    }
    /* On loopback it takes as long as the two calls of a connect that does not wait. */
    if (connect(client->fd, (const struct sockaddr *)(const void *)&crowd->address,
                sizeof crowd->address) != 0) {
        return fail("connect", errno);
    }
    int on = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(lane->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0) {
        return fail("epoll_ctl", errno);
    }
    return say(client, crowd->request, crowd->request_size);
}

static void client_end(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
}

/* The head of the answer; what lies behind it is moved to the front of the room. */
static bool take_head(struct lane *lane, struct client *client, size_t *size)
{
    size_t before = client->got, fits = sizeof client->head - before;
    size_t taken = *size < fits ? *size : fits;
    memcpy(client->head + before, lane->room, taken);
    client->got += taken;
    const char *end = memmem(client->head, client->got, "\r\n\r\n", 4);
    if (end == NULL) {
        *size = 0;
        return client->got < sizeof client->head || fail("a long head", 0);
    }
    bool events = lane->crowd->mode == MODE_EVENTS;
    if (memcmp(client->head, events ? "HTTP/1.1 200" : "HTTP/1.1 101", 12) != 0) {
        client->head[client->got < HEAD_BYTES ? client->got : HEAD_BYTES - 1] = '\0';
        return fail(client->head, 0);
    }
    size_t consumed = (size_t)(end + 4 - client->head) - before;
    memmove(lane->room, lane->room + consumed, *size - consumed);
    *size -= consumed;
    client->got = 0;
    client->step = events ? STEP_EVENTS : STEP_ECHO;
    return events || say(client, lane->crowd->text, sizeof lane->crowd->text);
}

static bool take_echo(struct lane *lane, struct client *client, size_t size)
{
    client->got += size;
    if (client->got < ECHO_BYTES) {
        return true;
    }
    if (client->got > ECHO_BYTES || (unsigned char)lane->room[size - 1] != 'x') {
        return fail("something else than the text came back", 0);
    }
    client->got = 0;
    if (lane->crowd->mode == MODE_ECHO) {
        lane->count++;
        return say(client, lane->crowd->text, sizeof lane->crowd->text);
    }
    client->step = STEP_END;
    return say(client, lane->crowd->close, sizeof lane->crowd->close);
}

static uint64_t tildes_in(const char *data, size_t size)
{
    uint64_t count = 0;
    const char *end = data + size;
    while ((data = memchr(data, '~', (size_t)(end - data))) != NULL) {
        count++;
        data++;
    }
    return count;
}

/* Something can be read, or the server has ended. */
static bool client_read(struct lane *lane, struct client *client)
{
    ssize_t got = recv(client->fd, lane->room, sizeof lane->room, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR || fail("recv", errno);
    }
    if (got == 0) {
        if (client->step != STEP_END) {
            return fail("the server hung up", 0);
        }
        client_end(client);
        lane->count++;
        return client_begin(lane, client);
    }
    size_t size = (size_t)got;
    if (client->step == STEP_HEAD && (!take_head(lane, client, &size) || size == 0)) {
        return size == 0;
    }
    switch (client->step) {
    case STEP_HEAD:
        BUG("a head that was taken");
    case STEP_ECHO:
        return take_echo(lane, client, size);
    case STEP_END:
        return true; /* its close */
    case STEP_EVENTS:
        lane->count += tildes_in(lane->room, size);
        return true;
    }
    BUG("step %d", (int)client->step);
}

/* ---- A thread ---- */

static bool lane_run(struct lane *lane)
{
    struct env *env = env_system();
    for (size_t i = 0; i < lane->client_count; i++) {
        if (!client_begin(lane, &lane->clients[i])) {
            return false;
        }
    }
    while (env->monotonic_ns(env) < lane->crowd->until_ns) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(lane->epoll, events, EVENTS_MAX, 10);
        if (count < 0 && errno != EINTR) {
            return fail("epoll_wait", errno);
        }
        for (int i = 0; i < count; i++) {
            if (!client_read(lane, events[i].data.ptr)) {
                return false;
            }
        }
    }
    return true;
}

static void *lane_main(void *argument)
{
    struct lane *lane = argument;
    lane->failed = !lane_run(lane);
    for (size_t i = 0; i < lane->client_count; i++) {
        client_end(&lane->clients[i]);
    }
    return NULL;
}

static bool lanes_run(struct lane *lanes, const struct crowd *crowd, size_t clients)
{
    bool good = true;
    for (size_t i = 0; i < LANES; i++) {
        struct lane *lane = &lanes[i];
        lane->crowd = crowd;
        lane->client_count = clients / LANES + (i < clients % LANES ? 1 : 0);
        lane->clients = calloc(lane->client_count + 1, sizeof *lane->clients);
        lane->epoll = epoll_create1(0);
        if (lane->clients == NULL || lane->epoll < 0) {
            return fail("no memory", 0);
        }
        for (size_t each = 0; each < lane->client_count; each++) {
            lane->clients[each].fd = -1;
        }
    }
    size_t started = 0;
    while (started < LANES &&
           pthread_create(&lanes[started].thread, NULL, lane_main, &lanes[started]) == 0) {
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        pthread_join(lanes[i].thread, NULL);
        good = good && !lanes[i].failed;
    }
    return good && started == LANES;
}

/* ---- What is said ---- */

/* RFC 6455, 5.2: a frame of a client, whose mask may be any. */
static void frame_make(unsigned char *frame, unsigned opcode, const void *data, size_t size)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    const unsigned char *bytes = data;
    frame[0] = (unsigned char)(0x80 | opcode);
    frame[1] = (unsigned char)(0x80 | size);
    memcpy(frame + 2, mask, sizeof mask);
    for (size_t i = 0; i < size; i++) {
        frame[FRAME_HEAD_BYTES + i] = bytes[i] ^ mask[i % 4];
    }
}

static bool crowd_make(struct crowd *crowd, const char *mode, const char *port, const char *path)
{
    static const char upgrade[] = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                  "Sec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    static const char *const modes[] = {"echo", "visit", "events"};
    uint64_t number = 0;
    while (number < 3 && strcmp(mode, modes[number]) != 0) {
        number++;
    }
    crowd->mode = (enum mode)number;
    if (number == 3 || !number_parse(port, strlen(port), UINT16_MAX, &number)) {
        return false;
    }
    crowd->address = (struct sockaddr_in){.sin_family = AF_INET,
                                          .sin_port = htons((uint16_t)number),
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[TEXT_BYTES];
    memset(text, 'x', sizeof text);
    frame_make(crowd->text, 1, text, sizeof text);
    frame_make(crowd->close, 8, "\x03\xe8", 2);
    int size = snprintf(crowd->request, sizeof crowd->request,
                        "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n", path,
                        crowd->mode == MODE_EVENTS ? "" : upgrade);
    crowd->request_size = (size_t)size;
    return size > 0 && (size_t)size < sizeof crowd->request;
}

static uint64_t timeval_ns(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000 * NS_PER_MS + (uint64_t)time.tv_usec * 1000;
}

int main(int count, char **arguments)
{
    static struct crowd crowd;
    static struct lane lanes[LANES];
    uint64_t clients = 0, ms = 0;
    if (count != 6 || !crowd_make(&crowd, arguments[1], arguments[2], arguments[3]) ||
        !number_parse(arguments[4], strlen(arguments[4]), CLIENTS_MAX, &clients) ||
        !number_parse(arguments[5], strlen(arguments[5]), MS_MAX, &ms)) {
        fprintf(stderr, "bench-crowd echo|visit|events PORT PATH CLIENTS MS\n");
        return 2;
    }
    struct env *env = env_system();
    uint64_t begin_ns = env->monotonic_ns(env);
    crowd.until_ns = begin_ns + ms * NS_PER_MS;
    bool good = lanes_run(lanes, &crowd, (size_t)clients);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%llu %llu %llu\n", (unsigned long long)(lanes[0].count + lanes[1].count),
           (unsigned long long)(env->monotonic_ns(env) - begin_ns),
           (unsigned long long)(timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime)));
    for (size_t i = 0; i < LANES; i++) {
        free(lanes[i].clients);
        if (lanes[i].epoll > 0) {
            close(lanes[i].epoll);
        }
    }
    return good ? 0 : 1;
}
