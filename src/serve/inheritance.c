#include "serve/inheritance.h"

#include "base/log.h"
#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GO_MS_MAX = 30000 };

static int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* ---- Names ---- */

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("._-/@[]", c) != NULL);
}

static int digit_of(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

/* What handover_add() wrote: "+" or "-" for `owned`, and the key with "%XX" for everything unusual. */
static bool decode(const char *name, size_t size, struct inherited *ret)
{
    if (size == 0 || (name[0] != '+' && name[0] != '-')) {
        return false;
    }
    ret->owned = name[0] == '+';
    char *to = ret->key;
    for (size_t i = 1; i < size; i++) {
        if (name[i] != '%') {
            *to++ = name[i];
            continue;
        }
        int high = i + 2 < size ? digit_of(name[i + 1]) : -1;
        int low = high >= 0 ? digit_of(name[i + 2]) : -1;
        if (low < 0 || high * 16 + low == 0) {
            return false;
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    *to = '\0';
    return true;
}

static bool name_socket(struct inherited *socket, const char *name, size_t size, bool succeeds,
                        struct err *err)
{
    static const char prefix[] = "systemd:";
    socket->key = malloc(sizeof prefix + size);
    if (socket->key == NULL) {
        return err_set_memory(err);
    }
    if (!succeeds) {
        memcpy(socket->key, prefix, sizeof prefix - 1);
        memcpy(socket->key + sizeof prefix - 1, name, size);
        socket->key[sizeof prefix - 1 + size] = '\0';
        return true;
    }
    return decode(name, size, socket) ||
           err_set(err, ERR_INPUT, "LISTEN_FDNAMES: '%.*s' is no name that a node gives", (int)size,
                   name);
}

/* ---- Variables ---- */

static bool parse_number(const char *text, size_t size, uint64_t max, uint64_t *ret)
{
    return text != NULL && number_parse(text, size, max, ret);
}

static bool parse_handover(const char *text, struct inheritance *ret, struct err *err)
{
    uint64_t control, error;
    const char *colon = strchr(text, ':');
    if (colon == NULL || !parse_number(text, (size_t)(colon - text), INT32_MAX, &control) ||
        !parse_number(colon + 1, strlen(colon + 1), INT32_MAX, &error)) {
        return err_set(err, ERR_INPUT, "MOTE_HANDOVER is '%.80s'; a predecessor writes two numbers",
                       text);
    }
    ret->succeeds = true;
    ret->control_fd = (int)control;
    ret->error_fd = (int)error;
    return true;
}

static bool name_all(struct inheritance *ret, const char *names, struct err *err)
{
    for (size_t i = 0; i < ret->count; i++) {
        struct inherited *socket = &ret->sockets[i];
        *socket = (struct inherited){.fd = INHERITANCE_FIRST + (int)i};
        if (names == NULL && ret->succeeds) {
            return err_set(err, ERR_INPUT, "LISTEN_FDNAMES is missing");
        }
        const char *name = names == NULL ? "unknown" : names; /* as sd_listen_fds_with_names(3) */
        size_t size = strcspn(name, ":");
        if (!name_socket(socket, name, size, ret->succeeds, err)) {
            return false;
        }
        if (names != NULL && (names[size] == ':') != (i + 1 < ret->count)) {
            return err_set(err, ERR_INPUT, "LISTEN_FDNAMES has not as many names as LISTEN_FDS");
        }
        names = names == NULL ? NULL : names + size + 1;
    }
    return true;
}

bool inheritance_parse(const struct inheritance_variables *variables, pid_t self, pid_t parent,
                       struct inheritance *ret, struct err *err)
{
    uint64_t pid, count;
    *ret = (struct inheritance){.control_fd = -1, .error_fd = -1};
    if (variables->pid == NULL || variables->fds == NULL) {
        return true;
    }
    if (!parse_number(variables->pid, strlen(variables->pid), INT32_MAX, &pid)) {
        return err_set(err, ERR_INPUT, "LISTEN_PID is '%.80s', no process", variables->pid);
    }
    bool by_parent = variables->handover != NULL && (pid_t)pid == parent;
    if ((pid_t)pid != self && !by_parent) {
        return true;
    }
    if (!parse_number(variables->fds, strlen(variables->fds), INHERITANCE_MAX, &count)) {
        return err_set(err, ERR_INPUT, "LISTEN_FDS is '%.80s'; it must be a number up to %d",
                       variables->fds, INHERITANCE_MAX);
    }
    if (variables->handover != NULL && !parse_handover(variables->handover, ret, err)) {
        return false;
    }
    ret->sockets = calloc(count + 1, sizeof *ret->sockets);
    if (ret->sockets == NULL) {
        return err_set_memory(err);
    }
    ret->count = count;
    if (!name_all(ret, variables->names, err)) {
        inheritance_fini(ret);
        return false;
    }
    return true;
}

/* ---- Descriptors ---- */

static bool option_is(int fd, int name, int wanted)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 && value == wanted;
}

static bool prepare(struct inherited *socket, struct err *err)
{
    int fd = socket->fd, on = 1;
    struct endpoint *endpoint = &socket->endpoint;
    endpoint->address_bytes = sizeof endpoint->address;
    if (!option_is(fd, SO_TYPE, SOCK_STREAM) || !option_is(fd, SO_ACCEPTCONN, 1) ||
        getsockname(fd, &endpoint->address.any, &endpoint->address_bytes) != 0) {
        return err_set(err, ERR_INPUT,
                       "descriptor %d ('%s') was handed over, but is no listening stream socket",
                       fd, socket->key);
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return err_set_os(err, errno, "descriptor %d ('%s')", fd, socket->key);
    }
    if (!endpoint_is_unix(endpoint)) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* connections inherit it */
    }
    return true;
}

bool inheritance_read(struct inheritance *ret, struct err *err)
{
    struct inheritance_variables variables = {.pid = getenv("LISTEN_PID"),
                                              .fds = getenv("LISTEN_FDS"),
                                              .names = getenv("LISTEN_FDNAMES"),
                                              .handover = getenv("MOTE_HANDOVER")};
    bool good = inheritance_parse(&variables, getpid(), getppid(), ret, err);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    unsetenv("LISTEN_PIDFDID");
    unsetenv("MOTE_HANDOVER");
    for (size_t i = 0; good && i < ret->count; i++) {
        good = prepare(&ret->sockets[i], err);
    }
    if (good && ret->succeeds &&
        (fcntl(ret->control_fd, F_SETFD, FD_CLOEXEC) < 0 ||
         fcntl(ret->error_fd, F_SETFD, FD_CLOEXEC) < 0)) {
        good = err_set_os(err, errno, "MOTE_HANDOVER");
    }
    return good;
}

void inheritance_fini(struct inheritance *inheritance)
{
    for (size_t i = 0; i < inheritance->count; i++) {
        free(inheritance->sockets[i].key);
    }
    free(inheritance->sockets);
    *inheritance = (struct inheritance){.control_fd = -1, .error_fd = -1};
}

/* ---- Taking ---- */

static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
    if (a->address.any.sa_family != b->address.any.sa_family) {
        return false;
    }
    if (a->address.any.sa_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)&a->address, *y = (const void *)&b->address;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    if (a->address.any.sa_family == AF_INET6) {
        const struct sockaddr_in6 *x = (const void *)&a->address, *y = (const void *)&b->address;
        return x->sin6_port == y->sin6_port && x->sin6_scope_id == y->sin6_scope_id &&
               memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
    }
    /* An abstract name begins with a zero and is not meant: nothing in a manifest says it. */
    const char *path = a->address.local.sun_path;
    return *path != '\0' && strcmp(path, b->address.local.sun_path) == 0;
}

static unsigned take(struct inheritance *inheritance, const char *key,
                     const struct endpoint *endpoint, int *ret_sockets, unsigned max,
                     struct endpoint *ret_endpoint, bool *ret_owned)
{
    unsigned count = 0;
    for (size_t i = 0; i < inheritance->count && count < max; i++) {
        struct inherited *socket = &inheritance->sockets[i];
        if (socket->fd < 0 || !(endpoint == NULL ? strcmp(socket->key, key) == 0
                                                 : same_place(&socket->endpoint, endpoint))) {
            continue;
        }
        if (count == 0) {
            *ret_endpoint = socket->endpoint;
            *ret_owned = socket->owned;
        }
        ret_sockets[count++] = take_fd(&socket->fd);
    }
    return count;
}

unsigned inheritance_take(struct inheritance *inheritance, const char *key,
                          const struct endpoint *endpoint, int *ret_sockets, unsigned max,
                          struct endpoint *ret_endpoint, bool *ret_owned)
{
    unsigned count = take(inheritance, key, NULL, ret_sockets, max, ret_endpoint, ret_owned);
    if (count == 0 && endpoint != NULL) {
        count = take(inheritance, key, endpoint, ret_sockets, max, ret_endpoint, ret_owned);
    }
    return count;
}

bool inheritance_find(const struct inheritance *inheritance, const char *key, struct endpoint *ret)
{
    for (size_t i = 0; inheritance != NULL && i < inheritance->count; i++) {
        const struct inherited *socket = &inheritance->sockets[i];
        if (socket->fd >= 0 && strcmp(socket->key, key) == 0) {
            *ret = socket->endpoint;
            return true;
        }
    }
    return false;
}

/* ---- The place is taken ---- */

static bool say(int fd, enum handover_word word)
{
    char byte = (char)word;
    return send(fd, &byte, 1, MSG_NOSIGNAL) == 1;
}

bool inheritance_announce(struct inheritance *inheritance, struct err *err)
{
    if (!inheritance->succeeds) {
        return true;
    }
    if (!say(inheritance->control_fd, HANDOVER_READY)) {
        return errno == EPIPE || errno == ECONNRESET || err_set_os(err, errno, "handover");
    }
    struct pollfd answer = {.fd = inheritance->control_fd, .events = POLLIN};
    int got;
    do {
        got = poll(&answer, 1, GO_MS_MAX);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        return err_set(err, ERR_LIMIT, "the node whose place this one takes does not answer");
    }
    char word = 0;
    ssize_t size = recv(inheritance->control_fd, &word, 1, 0);
    return size <= 0 || word == HANDOVER_GO ||
           err_set(err, ERR_INPUT, "the node whose place this one takes says something odd");
}

static void close_leftover(struct inherited *socket)
{
    char text[ENDPOINT_TEXT_BYTES];
    endpoint_format(&socket->endpoint, false, text);
    log_printf(LOG_WARN, "%s was handed over as '%s', and no listener wants it: closed", text,
               socket->key);
    if (socket->owned && endpoint_is_unix(&socket->endpoint)) {
        unlink(socket->endpoint.address.local.sun_path);
    }
    close(take_fd(&socket->fd));
}

void inheritance_settle(struct inheritance *inheritance)
{
    for (size_t i = 0; i < inheritance->count; i++) {
        if (inheritance->sockets[i].fd >= 0) {
            close_leftover(&inheritance->sockets[i]);
        }
    }
    if (inheritance->succeeds) {
        log_flush();
        dup2(inheritance->error_fd, STDERR_FILENO);
        close(take_fd(&inheritance->error_fd));
        (void)say(inheritance->control_fd, HANDOVER_SERVING); /* If it is gone, so be it. */
        close(take_fd(&inheritance->control_fd));
    }
    inheritance->succeeds = false;
}

/* ---- Handing over ---- */

void handover_fini(struct handover *handover)
{
    bytes_fini(&handover->names);
    handover->count = 0;
}

bool handover_add(struct handover *handover, int fd, const char *key, bool owned, struct err *err)
{
    if (handover->count == INHERITANCE_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d sockets to hand over", INHERITANCE_MAX);
    }
    bool good = bytes_printf(&handover->names, "%s%c", handover->count == 0 ? "" : ":",
                             owned ? '+' : '-');
    for (const char *at = key; good && *at != '\0'; at++) {
        good = is_plain(*at) ? bytes_append(&handover->names, at, 1)
                             : bytes_printf(&handover->names, "%%%02X", (unsigned char)*at);
    }
    handover->fds[handover->count] = fd;
    handover->count += good;
    return good || err_set_memory(err);
}
