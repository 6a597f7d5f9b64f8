/* Whose connections they are. curl keeps them and does not say which one it uses, only from where to where it goes. */
#include "guest/fetch_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct fetch_socket *find_socket(const struct fetch_lane *lane, int fd)
{
    for (size_t i = 0; i < lane->socket_count; i++) {
        if (lane->sockets[i].fd == fd) {
            return &lane->sockets[i];
        }
    }
    return NULL;
}

void fetch_lane_disown(struct fetch_lane *lane, int fd)
{
    struct fetch_socket *one = find_socket(lane, fd);
    if (one != NULL) {
        network_policy_release(one->owner);
        *one = lane->sockets[--lane->socket_count];
    }
}

bool fetch_lane_own(struct fetch_lane *lane, int fd, struct network_policy *owner)
{
    fetch_lane_disown(lane, fd);
    if (lane->socket_count == lane->socket_capacity) {
        size_t capacity = lane->socket_capacity == 0 ? 16 : 2 * lane->socket_capacity;
        struct fetch_socket *sockets = realloc(lane->sockets, capacity * sizeof *sockets);
        if (sockets == NULL) {
            return false;
        }
        lane->sockets = sockets;
        lane->socket_capacity = capacity;
    }
    lane->sockets[lane->socket_count++] =
        (struct fetch_socket){.fd = fd, .owner = network_policy_retain(owner)};
    return true;
}

void fetch_lane_disown_all(struct fetch_lane *lane)
{
    while (lane->socket_count > 0) {
        network_policy_release(lane->sockets[--lane->socket_count].owner);
    }
    free(TAKE(lane->sockets));
    lane->socket_capacity = 0;
}

/* Its own end. False: it has none yet. */
static bool end_of(const struct fetch_socket *one, struct ip *ret, uint16_t *ret_port)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    return getsockname(one->fd, (struct sockaddr *)&address, &size) == 0 &&
           network_address((const struct sockaddr *)&address, ret, ret_port) && *ret_port != 0;
}

/* One end may have several connections, to different peers: then they have to be of one owner. */
bool fetch_lane_is_owner(const struct fetch_lane *lane, const struct ip *from, uint16_t port,
                         const struct network_policy *owner)
{
    bool found = false;
    for (size_t i = 0; i < lane->socket_count; i++) {
        struct fetch_socket *one = &lane->sockets[i];
        struct ip ip;
        if ((one->port != 0 && one->port != port) || !end_of(one, &ip, &one->port) ||
            one->port != port || !ip_equal(&ip, from)) {
            continue;
        }
        if (one->owner != owner) {
            return false;
        }
        found = true;
    }
    return found;
}
