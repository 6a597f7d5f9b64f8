#include "server_world.h"

#include "base/number.h"
#include "core/loop.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

struct world world;

enum { WORKERS = 2 };

/* ---- A clock that can be moved ---- */

static atomic_uint_least64_t passed_ns;

static uint64_t moved_monotonic_ns(struct env *env)
{
    (void)env;
    return env_system()->monotonic_ns(env_system()) + atomic_load(&passed_ns);
}

static uint64_t moved_wall_ns(struct env *env)
{
    (void)env;
    return env_system()->wall_ns(env_system());
}

static void moved_random(struct env *env, void *ret, size_t size)
{
    (void)env;
    env_system()->random(env_system(), ret, size);
}

static struct env moved_env = {
    .monotonic_ns = moved_monotonic_ns, .wall_ns = moved_wall_ns, .random = moved_random};

/* ---- Performers ---- */

static void performer_run(struct task *task)
{
    struct performer *performer = CONTAINER_OF(task, struct performer, task);
    atomic_store(&performer->queued, false);
    if (performer->ended) {
        bytes_fini(&performer->data);
        free(performer);
        return;
    }
    performer->step(performer);
}

static void performer_queue(struct performer *performer)
{
    struct worker *worker = &performer->loop->worker;
    if (atomic_exchange(&performer->queued, true)) {
        return;
    }
    if (worker_current() == worker) {
        worker_defer(worker, &performer->task);
    } else {
        worker_post(worker, &performer->task);
    }
}

static void performer_wake(void *argument)
{
    performer_queue(argument);
}

static void performer_gone(void *argument)
{
    atomic_fetch_add(&world.gone, 1);
    performer_queue(argument);
}

void performer_start(struct exchange *exchange, struct loop *loop,
                     void (*step)(struct performer *performer))
{
    struct performer *performer = calloc(1, sizeof(*performer));
    INVARIANT(performer != NULL);
    performer->task.run = performer_run;
    performer->exchange = exchange;
    performer->loop = loop;
    performer->step = step;
    exchange_attach(exchange, (struct exchange_waker){.wake = performer_wake,
                                                      .gone = performer_gone,
                                                      .argument = performer});
    performer_queue(performer);
}

void performer_finish(struct performer *performer, unsigned status)
{
    exchange_detach(performer->exchange);
    exchange_finish(performer->exchange, &(struct exchange_outcome){.status = status});
    performer->ended = true;
    performer_queue(performer);
}

void answer_text(struct exchange *exchange, unsigned status, const char *text)
{
    static const struct header plain[] = {{{"Content-Type", 12}, {"text/plain", 10}}};
    enum exchange_result result = exchange_respond(exchange, status, plain, 1, text, strlen(text));
    INVARIANT(result == EXCHANGE_OK);
    exchange_finish(exchange, &(struct exchange_outcome){.exit_class = "normal"});
}

/* ---- Acts ---- */

static void hello(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    answer_text(exchange, 200, "hello");
}
const struct act act_hello = {hello};

static void show_param(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    const struct request *request = exchange_request(exchange);
    INVARIANT(request->param_count == 1);
    struct text value = request->params[0].value;
    enum exchange_result result = exchange_respond(exchange, 200, NULL, 0, value.data, value.size);
    INVARIANT(result == EXCHANGE_OK);
    exchange_finish(exchange, &(struct exchange_outcome){0});
}
const struct act act_param = {show_param};

static void echo_step(struct performer *performer)
{
    char data[10000];
    size_t size = 0;
    enum exchange_result result;
    while ((result = exchange_read(performer->exchange, data, sizeof(data), &size)) ==
           EXCHANGE_OK) {
        INVARIANT(bytes_append(&performer->data, data, size));
    }
    atomic_store(&world.body_result, result);
    if (result == EXCHANGE_WAIT) {
        return;
    }
    if (result == EXCHANGE_ENDED) {
        result = exchange_respond(performer->exchange, 200, NULL, 0, performer->data.data,
                                  performer->data.size);
        INVARIANT(result == EXCHANGE_OK || result == EXCHANGE_CLOSED);
    }
    performer_finish(performer, 0);
}

static void echo(struct exchange *exchange, struct loop *loop)
{
    performer_start(exchange, loop, echo_step);
}
const struct act act_echo = {echo};

static void ignore(struct exchange *exchange, struct loop *loop)
{
    (void)loop;
    answer_text(exchange, 200, "ignored");
}
const struct act act_ignore = {ignore};

static void park_gone(void *argument)
{
    (void)argument;
    atomic_fetch_add(&world.gone, 1);
}

static void park(struct exchange *exchange, struct loop *loop)
{
    exchange_attach(exchange, (struct exchange_waker){.gone = park_gone});
    world.parked = exchange;
    world.parked_loop = loop;
    atomic_fetch_add(&world.parks, 1);
}
const struct act act_park = {park};

static void stream_step(struct performer *performer)
{
    static const char much[65536];
    while (performer->written < performer->total) {
        uint64_t left = performer->total - performer->written;
        size_t size = left < sizeof(much) ? (size_t)left : sizeof(much);
        size_t written = 0;
        enum exchange_result result = exchange_write(performer->exchange, much, size, &written);
        if (result == EXCHANGE_WAIT) {
            return;
        }
        if (result != EXCHANGE_OK) {
            break;
        }
        performer->written += written;
    }
    performer_finish(performer, 0);
}

static void stream_begin(struct performer *performer)
{
    char number[20];
    const struct request *request = exchange_request(performer->exchange);
    int64_t size = request_query_value(request, "n", 1, number, sizeof(number));
    if (size <= 0 || size > (int64_t)sizeof(number) ||
        !number_parse(number, (size_t)size, UINT64_MAX, &performer->total)) {
        performer->total = 0;
    }
    enum exchange_result result = exchange_begin(performer->exchange, 200, NULL, 0, UINT64_MAX);
    INVARIANT(result == EXCHANGE_OK || result == EXCHANGE_CLOSED);
    performer->step = stream_step;
    if (result == EXCHANGE_OK) {
        stream_step(performer);
    } else {
        performer_finish(performer, 0);
    }
}

static void stream(struct exchange *exchange, struct loop *loop)
{
    performer_start(exchange, loop, stream_begin);
}
const struct act act_stream = {stream};

static struct loop *other_loop(struct loop *loop)
{
    return node_loop(world.node, (loop->worker.index + 1) % WORKERS);
}

static void far_echo(struct exchange *exchange, struct loop *loop)
{
    performer_start(exchange, other_loop(loop), echo_step);
}
const struct act act_far_echo = {far_echo};

static void far_stream(struct exchange *exchange, struct loop *loop)
{
    performer_start(exchange, other_loop(loop), stream_begin);
}
const struct act act_far_stream = {far_stream};

static void dispatch(struct exchange *exchange, void *target, struct loop *loop)
{
    atomic_fetch_add(&world.began, 1);
    const struct act *act = target;
    act->begin(exchange, loop);
}

static const struct dispatcher dispatcher = {dispatch};

/* ---- The server ---- */

void world_route(const char *key, const struct act *act)
{
    char method[16];
    const char *space = strchr(key, ' ');
    INVARIANT(space != NULL && (size_t)(space - key) < sizeof(method));
    memcpy(method, key, (size_t)(space - key));
    method[space - key] = 0;
    struct err err = {0};
    if (!route_table_add(world.routes, method, space + 1, (void *)(uintptr_t)act, &err)) {
        BUG("%s", err.text);
    }
}

int world_make(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    struct err err = {0};
    struct node_options node_options = {.workers = WORKERS, .tick_ns = 1000000, .env = &moved_env};
    world.node = node_create(&node_options, &err);
    world.routes = route_table_create();
    if (world.node == NULL || world.routes == NULL || !node_start(world.node, &err)) {
        return 1;
    }
    snprintf(world.folder, sizeof(world.folder), "/tmp/mote-serve-XXXXXX");
    if (mkdtemp(world.folder) == NULL) {
        return 1;
    }
    world.limits.connections_max = 1000;
    world.options = (struct serve_options){.listen = "127.0.0.1:0",
                                           .routes = world.routes,
                                           .dispatcher = &dispatcher,
                                           .header_timeout_ms = 10000,
                                           .idle_timeout_ms = 60000,
                                           .body_rate_min = 1024,
                                           .header_bytes_max = 32 * 1024,
                                           .header_count_max = 128,
                                           .target_bytes_max = 8 * 1024,
                                           .body_bytes_max = 10 * 1024 * 1024,
                                           .stream_buffer_bytes = 256 * 1024,
                                           .write_timeout_ms = 30000};
    world_route("GET /", &act_hello);
    world_route("GET /users/:id", &act_param);
    world_route("POST /echo", &act_echo);
    world_route("POST /ignore", &act_ignore);
    world_route("GET /park", &act_park);
    world_route("GET /stream", &act_stream);
    world_route("POST /far/echo", &act_far_echo);
    world_route("GET /far/stream", &act_far_stream);
    return 0;
}

int world_drop(void **state)
{
    (void)state;
    node_stop(world.node);
    server_destroy(world.server);
    node_destroy(world.node);
    route_table_destroy(world.routes);
    return rmdir(world.folder); /* Also says that no socket was left behind. */
}

void world_start(void)
{
    struct err err = {0};
    world.server = server_create(world.node, &world.options, 1, &world.limits, &err);
    if (world.server == NULL || !server_start(world.server, &err)) {
        fail_msg("%s", err.text);
    }
}

static void nothing(struct loop *loop, void *argument)
{
    (void)loop;
    (void)argument;
}

void world_settle(void)
{
    /* A call is run at the beginning of a round, input is collected at its end: so what was there
     * before the first call has been handled when the second one is, and what that deferred when the
     * third one is. */
    for (unsigned i = 0; i < 3 * WORKERS; i++) {
        loop_call(node_loop(world.node, i % WORKERS), nothing, NULL);
    }
}

void world_pass_ms(uint64_t ms)
{
    atomic_fetch_add(&passed_ns, ms * 1000000);
    world_settle();
}

void wait_for_count(const atomic_uint *count, unsigned value)
{
    while (atomic_load(count) < value) {
        sched_yield();
    }
}

static void with_parked(struct loop *loop, void *argument)
{
    (void)loop;
    void (**work)(struct exchange *) = argument;
    exchange_detach(world.parked);
    (*work)(world.parked);
}

void world_with_parked(void (*work)(struct exchange *exchange))
{
    loop_call(world.parked_loop, with_parked, &work);
}

struct client world_connect(void)
{
    return client_connect(server_address(world.server, 0));
}
