#include "serve/endpoint.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

/* ---- From text ---- */

static bool resolve_unix(const char *path, struct endpoint *ret, struct err *err)
{
    struct sockaddr_un *address = &ret->address.local;
    size_t size = strlen(path);
    _Static_assert(ADDRESS_PATH_MAX == sizeof(address->sun_path) - 1, "the kernel's own bound");
    if (size > ADDRESS_PATH_MAX) {
        return err_set(err, ERR_INPUT, "a socket's path has 1 to %d bytes", ADDRESS_PATH_MAX);
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size + 1);
    ret->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return true;
}

static void set_port(struct endpoint *endpoint, uint16_t port)
{
    if (endpoint->address.any.sa_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)&endpoint->address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)(void *)&endpoint->address)->sin_port = htons(port);
    }
}

static bool resolve_host(const char *host, struct endpoint *ret, struct err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, NULL, &hints, &found);
    if (failed != 0) {
        return err_set(err, ERR_NOT_FOUND, "%s: %s", host, gai_strerror(failed));
    }
    INVARIANT(found != NULL);
    const struct addrinfo *best = found;
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        if (one->ai_family == AF_INET) {
            best = one;
            break;
        }
    }
    memcpy(&ret->address, best->ai_addr, best->ai_addrlen);
    ret->address_bytes = best->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool endpoint_resolve(const char *text, struct endpoint *ret, struct err *err)
{
    struct address address;
    *ret = (struct endpoint){0};
    if (!address_parse(text, &address, err)) {
        return false;
    }
    if (address.kind == ADDRESS_UNIX) {
        return resolve_unix(address.path, ret, err);
    }
    if (address.kind == ADDRESS_HANDED) {
        return err_set(err, ERR_NOT_FOUND,
                       "no socket was handed over by that name (systemd.socket(5), "
                       "FileDescriptorName=)");
    }
    if (!resolve_host(address.host, ret, err)) {
        return false;
    }
    set_port(ret, address.port);
    return true;
}

/* ---- Sockets ---- */

static int open_socket(const struct endpoint *endpoint)
{
    return socket(endpoint->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool set_flag(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

/* A bound TCP socket, or -1 with errno. */
static int bind_tcp(const struct endpoint *endpoint, bool shared)
{
    int fd = open_socket(endpoint);
    if (fd < 0) {
        return -1;
    }
    bool v6 = endpoint->address.any.sa_family == AF_INET6;
    if (!set_flag(fd, SOL_SOCKET, SO_REUSEADDR) ||
        (shared && !set_flag(fd, SOL_SOCKET, SO_REUSEPORT)) ||
        (v6 && !set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
        bind(fd, &endpoint->address.any, endpoint->address_bytes) != 0) {
        int os = errno;
        close(fd);
        errno = os;
        return -1;
    }
    return fd;
}

static bool listen_tcp(struct endpoint *endpoint, unsigned count, int *ret_sockets)
{
    /* Sharing would let us in beside another server of ours on the same port, and its requests would
     * be split between the two: first see that nobody else has it. */
    int probe = bind_tcp(endpoint, false);
    if (probe < 0) {
        return false;
    }
    close(probe);
    for (unsigned i = 0; i < count; i++) {
        int fd = ret_sockets[i] = bind_tcp(endpoint, true);
        if (fd < 0 || listen(fd, BACKLOG) != 0) {
            return false;
        }
        /* The others follow the first one, also to the port that the kernel chose. */
        socklen_t size = sizeof(endpoint->address);
        if (i == 0 && getsockname(fd, &endpoint->address.any, &size) != 0) {
            return false;
        }
        /* Connections inherit it. */
        if (!set_flag(fd, IPPROTO_TCP, TCP_NODELAY)) {
            return false;
        }
    }
    return true;
}

/* Whether the file is a socket at which nobody listens. */
static bool is_dead_socket(const struct endpoint *endpoint)
{
    struct stat status;
    if (lstat(endpoint->address.local.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    int fd = open_socket(endpoint);
    if (fd < 0) {
        return false;
    }
    bool dead = connect(fd, &endpoint->address.any, endpoint->address_bytes) != 0 &&
                errno == ECONNREFUSED;
    close(fd);
    return dead;
}

static bool listen_unix(const struct endpoint *endpoint, mode_t mode, int *ret_socket)
{
    const char *path = endpoint->address.local.sun_path;
    int fd = *ret_socket = open_socket(endpoint);
    if (fd < 0) {
        return false;
    }
    /* Before there is a file, so that it is at no time more open than it should be. */
    if (fchmod(fd, mode) != 0) {
        return false;
    }
    int failed = bind(fd, &endpoint->address.any, endpoint->address_bytes);
    if (failed != 0 && errno == EADDRINUSE && is_dead_socket(endpoint)) {
        unlink(path);
        failed = bind(fd, &endpoint->address.any, endpoint->address_bytes);
    } else if (failed != 0 && errno != EADDRINUSE) {
        return false;
    } else if (failed != 0) {
        errno = EADDRINUSE; /* Looking may have changed it. */
    }
    /* The file's mode was narrowed by the umask. */
    return failed == 0 && chmod(path, mode) == 0 && listen(fd, BACKLOG) == 0;
}

bool endpoint_listen(struct endpoint *endpoint, unsigned count, mode_t mode, const char *text,
                     int *ret_sockets, struct err *err)
{
    INVARIANT(count > 0 && count <= ENDPOINT_SOCKETS_MAX);
    for (unsigned i = 0; i < count; i++) {
        ret_sockets[i] = -1;
    }
    bool unix_socket = endpoint_is_unix(endpoint);
    INVARIANT(!unix_socket || count == 1);
    if (unix_socket ? listen_unix(endpoint, mode, ret_sockets)
                    : listen_tcp(endpoint, count, ret_sockets)) {
        return true;
    }
    err_set_os(err, errno, "listen on %s", text);
    for (unsigned i = 0; i < count; i++) {
        if (ret_sockets[i] >= 0) {
            close(ret_sockets[i]);
            ret_sockets[i] = -1;
        }
    }
    return false;
}

/* ---- To text ---- */

static void format_inet(const struct sockaddr *address, char *ret, size_t capacity)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(ret, capacity, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(ret, capacity, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
    }
}

void endpoint_format(const struct endpoint *endpoint, bool secure, char ret[ENDPOINT_TEXT_BYTES])
{
    if (endpoint_is_unix(endpoint)) {
        const char *path = endpoint->address.local.sun_path;
        /* Without a file, in a space of names of its own: unix(7), "abstract". */
        bool abstract = path[0] == '\0' && endpoint->address_bytes > sizeof(sa_family_t) + 1;
        int size = (int)(endpoint->address_bytes - offsetof(struct sockaddr_un, sun_path)) - 1;
        if (abstract) {
            snprintf(ret, ENDPOINT_TEXT_BYTES, "unix:@%.*s", size, path + 1);
        } else {
            snprintf(ret, ENDPOINT_TEXT_BYTES, "unix:%s", path);
        }
        return;
    }
    char text[ENDPOINT_REMOTE_BYTES];
    format_inet(&endpoint->address.any, text, sizeof(text));
    snprintf(ret, ENDPOINT_TEXT_BYTES, "%s://%s", secure ? "https" : "http", text);
}

void endpoint_format_remote(const struct sockaddr *address, char ret[ENDPOINT_REMOTE_BYTES])
{
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        format_inet(address, ret, ENDPOINT_REMOTE_BYTES);
    } else {
        memcpy(ret, "unix", sizeof("unix"));
    }
}

bool endpoint_peer_is(int fd, uid_t user)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == user || peer.uid == 0);
}
