#include "serve/server.h"

#include "guest/network.h"
#include "serve/inheritance.h"
#include "serve/listener.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, UNIX_MODE_DEFAULT = 0660, REFUSALS_MAX = 256 };

/* Where one site is bound to. */
struct place {
    struct site site;
    struct endpoint endpoint;
    char text[ENDPOINT_TEXT_BYTES];
    int sockets[ENDPOINT_SOCKETS_MAX];
    unsigned socket_count;
    uint16_t port; /* no guest reaches it; 0: none */
    char *key;     /* owned: what the sockets are called when they are handed over */
    bool owns;     /* of a unix socket: its file is to be removed */
    bool to_own;   /* the same, once the place is settled */
    dev_t device;  /* of a unix socket's file, to remove no other */
    ino_t inode;
};

/* What a lane needs of the server. */
struct berth {
    struct lane lane;
    struct server *server;
    struct listener *listeners; /* one for each place, or several */
    size_t listener_count;
    struct err err; /* of its start */
    bool started;
    bool cut; /* at the end of draining something was */
};

struct server {
    struct lane_common common;
    int emptied_fd;
    size_t place_count;
    struct place *places;
    unsigned berth_count;
    struct berth **berths; /* apart from each other: each is written by its own thread */
};

static void on_emptied(struct lane_common *common)
{
    struct server *server = CONTAINER_OF(common, struct server, common);
    uint64_t one = 1;
    ssize_t ignored = write(server->emptied_fd, &one, sizeof(one));
    (void)ignored;
}

/* ---- Binding ---- */

static void place_know_file(struct place *place)
{
    struct stat status;
    const char *path = place->endpoint.address.local.sun_path;
    if (endpoint_is_unix(&place->endpoint) && *path != '\0' && stat(path, &status) == 0) {
        place->device = status.st_dev;
        place->inode = status.st_ino;
    }
}

/* Use what was handed over for this place. False: nothing was. */
static bool place_inherit(struct place *place, const struct endpoint *wanted,
                          struct inheritance *inheritance)
{
    if (inheritance != NULL) {
        place->socket_count = inheritance_take(inheritance, place->key, wanted, place->sockets,
                                               ENDPOINT_SOCKETS_MAX, &place->endpoint,
                                               &place->to_own);
    }
    return place->socket_count > 0;
}

static bool place_bind(struct place *place, const struct serve_options *options, unsigned workers,
                       struct inheritance *inheritance, struct err *err)
{
    place->key = strdup(options->key != NULL ? options->key : options->listen);
    if (place->key == NULL) {
        return err_set_memory(err);
    }
    if (!site_init(&place->site, options, err)) {
        return err_wrap(err, "listen on %s", options->listen);
    }
    struct endpoint endpoint;
    if (!place_inherit(place, NULL, inheritance)) {
        if (!endpoint_resolve(options->listen, &endpoint, err)) {
            return err_wrap(err, "listen on %s", options->listen);
        }
        if (!place_inherit(place, &endpoint, inheritance)) {
            place->endpoint = endpoint;
            place->owns = endpoint_is_unix(&endpoint);
            mode_t mode = options->unix_mode == 0 ? UNIX_MODE_DEFAULT : options->unix_mode;
            unsigned count = place->owns ? 1 : workers;
            if (!endpoint_listen(&place->endpoint, count, mode, options->listen, place->sockets,
                                 err)) {
                return false;
            }
            place->socket_count = count;
        }
    }
    place_know_file(place);
    struct ip ip;
    if (network_address(&place->endpoint.address.any, &ip, &place->port)) {
        network_own(place->port);
    }
    endpoint_format(&place->endpoint, options->tls != NULL, place->text);
    return true;
}

/* Close the sockets and take the file away, unless another server has put its own there. The port stays this node's:
 * guests that are still at work would else reach the successor that listens there now. */
static void place_unbind(struct place *place)
{
    const char *path = place->endpoint.address.local.sun_path;
    struct stat status;
    if (place->socket_count > 0 && place->owns && stat(path, &status) == 0 &&
        status.st_dev == place->device && status.st_ino == place->inode) {
        unlink(path);
    }
    for (unsigned i = 0; i < place->socket_count; i++) {
        close(place->sockets[i]);
    }
    place->socket_count = 0;
}

/* No guest runs any more, or has yet. */
static void place_fini(struct place *place)
{
    place_unbind(place);
    if (place->port != 0) {
        network_disown(place->port);
    }
    site_fini(&place->site);
    free(place->key);
}

/* ---- Life ---- */

/* How many of a place's sockets one lane listens at. A place that was bound here has one for each lane;
 * one that was handed over may have fewer, which lanes share then, or more. */
static unsigned sockets_of(const struct server *server, const struct place *place, unsigned berth)
{
    unsigned lanes = server->berth_count;
    return place->socket_count <= lanes ? 1 : (place->socket_count - berth + lanes - 1) / lanes;
}

static bool berth_init(struct server *server, unsigned index, struct err *err)
{
    struct berth *berth = server->berths[index] = calloc(1, sizeof(*berth));
    if (berth == NULL) {
        return err_set_memory(err);
    }
    berth->server = server;
    struct loop *loop = node_loop(server->common.node, index);
    bool lane_ready = lane_init(&berth->lane, &server->common, loop, err);
    for (size_t i = 0; i < server->place_count; i++) {
        berth->listener_count += sockets_of(server, &server->places[i], index);
    }
    berth->listeners = calloc(berth->listener_count + 1, sizeof(*berth->listeners));
    if (!lane_ready || berth->listeners == NULL) {
        return err_set_memory(err);
    }
    struct listener *listener = berth->listeners;
    for (size_t i = 0; i < server->place_count; i++) {
        const struct place *place = &server->places[i];
        bool shared = place->socket_count < server->berth_count;
        for (unsigned k = 0; k < sockets_of(server, place, index); k++) {
            unsigned socket = (index + k * server->berth_count) % place->socket_count;
            listener_init(listener++, &berth->lane, &place->site, place->sockets[socket], shared);
        }
    }
    return true;
}

static bool server_fill(struct server *server, const struct serve_options *options,
                        struct inheritance *inheritance, struct err *err)
{
    server->emptied_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->emptied_fd < 0) {
        return err_set_os(err, errno, "eventfd");
    }
    server->places = calloc(server->place_count, sizeof(*server->places));
    server->berths = calloc(server->berth_count, sizeof(struct berth *));
    if (server->places == NULL || server->berths == NULL) {
        return err_set_memory(err);
    }
    for (size_t i = 0; i < server->place_count; i++) {
        if (!place_bind(&server->places[i], &options[i], server->berth_count, inheritance, err)) {
            return false;
        }
    }
    for (unsigned i = 0; i < server->berth_count; i++) {
        if (!berth_init(server, i, err)) {
            return false;
        }
    }
    return true;
}

struct server *server_create(struct node *node, const struct serve_options *options, size_t count,
                             const struct server_limits *limits, struct err *err)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        err_set_memory(err);
        return NULL;
    }
    server->common.node = node;
    server->common.connections_max = limits->connections_max;
    server->common.refusals_max = limits->refusals_max != 0 ? limits->refusals_max : REFUSALS_MAX;
    server->common.holding.max_bytes = limits->buffered_bytes_max;
    server->common.emptied = on_emptied;
    server->place_count = count;
    server->berth_count = node_workers(node);
    server->emptied_fd = -1;
    if (!server_fill(server, options, limits->inheritance, err)) {
        server_destroy(server);
        return NULL;
    }
    return server;
}

static void berth_start(struct loop *loop, void *argument)
{
    (void)loop;
    struct berth *berth = argument;
    berth->started = true;
    for (size_t i = 0; i < berth->listener_count && berth->started; i++) {
        berth->started = listener_start(&berth->listeners[i], &berth->err);
    }
}

bool server_start(struct server *server, struct err *err)
{
    for (unsigned i = 0; i < server->berth_count; i++) {
        struct berth *berth = server->berths[i];
        loop_call(berth->lane.loop, berth_start, berth);
        if (!berth->started) {
            *err = berth->err;
            return false;
        }
    }
    return true;
}

const char *server_address(const struct server *server, size_t index)
{
    INVARIANT(index < server->place_count);
    return server->places[index].text;
}

/* ---- The end ---- */

/* What has been accepted is served, what follows finds nobody. */
static void berth_stop(struct loop *loop, void *argument)
{
    (void)loop;
    struct berth *berth = argument;
    for (size_t i = 0; berth->listeners != NULL && i < berth->listener_count; i++) {
        listener_stop(&berth->listeners[i]);
    }
}

static void berth_drain(struct loop *loop, void *argument)
{
    (void)loop;
    struct berth *berth = argument;
    struct list *next = NULL;
    for (struct list *one = berth->lane.open.next; one != &berth->lane.open; one = next) {
        next = one->next;
        connection_drain(CONTAINER_OF(one, struct connection, link));
    }
}

static void berth_dismiss(struct loop *loop, void *argument)
{
    (void)loop;
    struct berth *berth = argument;
    struct list *next = NULL;
    for (struct list *one = berth->lane.open.next; one != &berth->lane.open; one = next) {
        next = one->next;
        connection_dismiss(CONTAINER_OF(one, struct connection, link));
    }
}

static void berth_cut(struct loop *loop, void *argument)
{
    (void)loop;
    struct berth *berth = argument;
    while (!list_is_empty(&berth->lane.open)) {
        struct list *one = berth->lane.open.next;
        berth->cut = connection_cut(CONTAINER_OF(one, struct connection, link)) || berth->cut;
    }
}

static void server_call(struct server *server, void (*work)(struct loop *, void *))
{
    for (unsigned i = 0; i < server->berth_count; i++) {
        if (server->berths[i] != NULL) {
            loop_call(server->berths[i]->lane.loop, work, server->berths[i]);
        }
    }
}

static bool is_empty(struct server *server)
{
    return atomic_load_explicit(&server->common.connections, memory_order_seq_cst) == 0;
}

/* Wait until no connection is open, or the time is over. */
static void wait_until_empty(struct server *server, uint32_t deadline_ms)
{
    struct env *env = node_env(server->common.node);
    uint64_t end_ns = env->monotonic_ns(env) + (uint64_t)deadline_ms * NS_PER_MS;
    while (!is_empty(server)) {
        uint64_t now_ns = env->monotonic_ns(env);
        if (now_ns >= end_ns) {
            return;
        }
        struct pollfd emptied = {.fd = server->emptied_fd, .events = POLLIN};
        poll(&emptied, 1, (int)((end_ns - now_ns) / NS_PER_MS) + 1);
        uint64_t count;
        ssize_t ignored = read(server->emptied_fd, &count, sizeof(count));
        (void)ignored;
    }
}

bool server_hand_over(const struct server *server, struct handover *to, struct err *err)
{
    for (size_t i = 0; i < server->place_count; i++) {
        const struct place *place = &server->places[i];
        for (unsigned k = 0; k < place->socket_count; k++) {
            if (!handover_add(to, place->sockets[k], place->key, place->owns, err)) {
                return false;
            }
        }
    }
    return true;
}

void server_settle(struct server *server)
{
    for (size_t i = 0; i < server->place_count; i++) {
        server->places[i].owns = server->places[i].owns || server->places[i].to_own;
    }
}

void server_let_go(struct server *server)
{
    atomic_store_explicit(&server->common.handed_over, true, memory_order_relaxed);
    atomic_store_explicit(&server->common.draining, true, memory_order_seq_cst);
    server_call(server, berth_stop);
    for (size_t i = 0; i < server->place_count; i++) {
        server->places[i].owns = false;
        place_unbind(&server->places[i]);
    }
}

bool server_drain(struct server *server, uint32_t deadline_ms)
{
    atomic_store_explicit(&server->common.draining, true, memory_order_seq_cst);
    server_call(server, berth_stop);
    for (size_t i = 0; i < server->place_count; i++) {
        place_unbind(&server->places[i]);
    }
    server_call(server, berth_drain);
    uint32_t last_ms = deadline_ms / 2 < SERVER_LAST_MS ? deadline_ms / 2 : SERVER_LAST_MS;
    wait_until_empty(server, deadline_ms - last_ms);
    server_call(server, berth_dismiss);
    wait_until_empty(server, last_ms);
    server_call(server, berth_cut);
    bool whole = true;
    for (unsigned i = 0; i < server->berth_count; i++) {
        whole = whole && !server->berths[i]->cut;
    }
    return whole;
}

static void berth_destroy(struct berth *berth)
{
    while (!list_is_empty(&berth->lane.open)) {
        struct list *one = berth->lane.open.next;
        connection_abandon(CONTAINER_OF(one, struct connection, link));
    }
    lane_fini(&berth->lane);
    free(berth->listeners);
    free(berth);
}

void server_destroy(struct server *server)
{
    if (server == NULL) {
        return;
    }
    for (unsigned i = 0; server->berths != NULL && i < server->berth_count; i++) {
        if (server->berths[i] != NULL && server->berths[i]->started) {
            berth_stop(server->berths[i]->lane.loop, server->berths[i]);
        }
        if (server->berths[i] != NULL) {
            berth_destroy(server->berths[i]);
        }
    }
    for (size_t i = 0; server->places != NULL && i < server->place_count; i++) {
        place_fini(&server->places[i]);
    }
    if (server->emptied_fd >= 0) {
        close(server->emptied_fd);
    }
    free(server->places);
    free(server->berths);
    free(server);
}

/* ---- Counts ---- */

static uint64_t count_of(const atomic_uint_least64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

struct server_counts server_counts(struct server *server)
{
    struct server_counts counts = {
        .connections = atomic_load_explicit(&server->common.connections, memory_order_relaxed),
        .connections_max = server->common.connections_max,
        .buffered_bytes_max = server->common.holding.max_bytes};
    long long buffered = 0;
    for (unsigned i = 0; i < server->berth_count; i++) {
        const struct lane *lane = &server->berths[i]->lane;
        counts.accepted += count_of(&lane->accepted);
        counts.requests += count_of(&lane->requests);
        counts.refused += count_of(&lane->refused);
        for (size_t k = 0; k < ARRAY_LENGTH(counts.responses); k++) {
            counts.responses[k] += count_of(&lane->responses[k]);
        }
        buffered += atomic_load_explicit(&lane->holding.bytes, memory_order_relaxed);
    }
    for (size_t i = 0; i < server->place_count; i++) {
        struct rate *rate = server->places[i].site.rate;
        struct rate_counts limited = rate != NULL ? rate_counts(rate) : (struct rate_counts){0};
        counts.limited.connections += limited.connections;
        counts.limited.requests += limited.requests;
    }
    counts.buffered_bytes = buffered > 0 ? (uint64_t)buffered : 0;
    return counts;
}
