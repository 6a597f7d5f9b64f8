#include "client.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENT_WAIT_MS = 20000 };

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    INVARIANT(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    INVARIANT(fd >= 0);
    INVARIANT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static int connect_tcp(const char *host, const char *port)
{
    uint64_t number;
    INVARIANT(number_parse(port, strlen(port), 65535, &number));
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number)};
    bool is_v6 = host[0] == '[';
    if (is_v6) {
        v6.sin6_addr = in6addr_loopback;
    } else {
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    INVARIANT(fd >= 0);
    struct sockaddr *address = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    INVARIANT(connect(fd, address, is_v6 ? sizeof(v6) : sizeof(v4)) == 0);
    return fd;
}

struct client client_connect(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return (struct client){.fd = connect_unix(address + 5)};
    }
    return (struct client){.fd = connect_tcp(address + 7, strrchr(address, ':') + 1)};
}

void client_close(struct client *client)
{
    close(client->fd);
    bytes_fini(&client->in);
}

void client_reset(struct client *client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    client_close(client);
}

void client_send(struct client *client, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(client->fd, at, size, MSG_NOSIGNAL);
        if (sent < 0) {
            return; /* The server has closed: what it has said will be read. */
        }
        at += sent;
        size -= (size_t)sent;
    }
}

void client_wait_delivered(const struct client *client)
{
    int left = 1;
    while (ioctl(client->fd, SIOCOUTQ, &left) == 0 && left > 0) {
        sched_yield();
    }
}

void client_send_text(struct client *client, const char *text)
{
    client_send(client, text, strlen(text));
}

/* Read some more; false: the end. A test that waits in vain fails. */
static bool receive(struct client *client)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    int ready = poll(&poll_fd, 1, CLIENT_WAIT_MS);
    if (ready != 1) {
        BUG("the server says nothing");
    }
    INVARIANT(bytes_reserve(&client->in, 65536));
    ssize_t got = recv(client->fd, client->in.data + client->in.size, 65536, 0);
    if (got <= 0) {
        return false;
    }
    client->in.size += (size_t)got;
    return true;
}

/* The first `size` bytes, or false. */
static bool take(struct client *client, size_t size, struct bytes *ret)
{
    while (client->in.size < size) {
        if (!receive(client)) {
            return false;
        }
    }
    INVARIANT(ret == NULL || bytes_append(ret, client->in.data, size));
    bytes_consume(&client->in, size);
    return true;
}

/* Up to and with `mark`, as text. */
static bool take_until(struct client *client, const char *mark, char *ret, size_t capacity)
{
    for (;;) {
        const uint8_t *found = client->in.size == 0
                                   ? NULL
                                   : memmem(client->in.data, client->in.size, mark, strlen(mark));
        if (found != NULL) {
            size_t size = (size_t)(found - client->in.data) + strlen(mark);
            INVARIANT(size < capacity);
            memcpy(ret, client->in.data, size);
            ret[size] = 0;
            bytes_consume(&client->in, size);
            return true;
        }
        if (!receive(client)) {
            return false;
        }
    }
}

static bool read_chunks(struct client *client, struct bytes *body)
{
    for (;;) {
        char line[100];
        unsigned size = 0;
        if (!take_until(client, "\r\n", line, sizeof(line))) {
            return false;
        }
        INVARIANT(sscanf(line, "%x\r\n", &size) == 1);
        if (size == 0) {
            return take(client, 2, NULL);
        }
        if (!take(client, size, body) || !take(client, 2, NULL)) {
            return false;
        }
    }
}

bool answer_has(const struct answer *answer, const char *line)
{
    char whole[300];
    snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
    return strstr(answer->head, whole) != NULL;
}

struct answer client_read(struct client *client, bool head_only)
{
    struct answer answer = {0};
    if (!take_until(client, "\r\n\r\n", answer.head, sizeof(answer.head))) {
        return answer;
    }
    INVARIANT(sscanf(answer.head, "HTTP/1.1 %3u ", &answer.status) == 1);
    const char *length = strstr(answer.head, "\r\nContent-Length: ");
    bool chunked = strstr(answer.head, "\r\nTransfer-Encoding: chunked\r\n") != NULL;
    unsigned long size = 0;
    if (head_only || answer.status == 204 || answer.status == 304 || answer.status < 200) {
        answer.whole = true;
    } else if (chunked) {
        answer.whole = read_chunks(client, &answer.body);
    } else if (length != NULL) {
        INVARIANT(sscanf(length, "\r\nContent-Length: %lu\r\n", &size) == 1);
        answer.whole = take(client, size, &answer.body);
    } else {
        while (receive(client)) {
        }
        INVARIANT(take(client, client->in.size, &answer.body));
        answer.whole = true;
    }
    return answer;
}

void answer_fini(struct answer *answer)
{
    bytes_fini(&answer->body);
}

bool client_is_closed(struct client *client)
{
    return client->in.size == 0 && !receive(client);
}

void client_expect(struct client *client, const char *text, unsigned status, const char *body)
{
    client_send_text(client, text);
    struct answer answer = client_read(client, false);
    assert_int_equal(answer.status, status);
    assert_true(answer.whole);
    if (body != NULL) {
        assert_int_equal(answer.body.size, strlen(body));
        assert_memory_equal(answer.body.data, body, answer.body.size);
    }
    answer_fini(&answer);
}
