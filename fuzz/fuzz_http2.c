/* Any bytes behind a preface are taken, answered or refused, and leave nothing behind: no byte held, no exchange open.
 * The first byte of the input says how to cut, and how time passes meanwhile. */
#include "core/node.h"
#include "serve/http2.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* ---- A clock ---- */

static uint64_t now_ns = 1000000000;

static uint64_t clock_ns(struct env *env)
{
    (void)env;
    return now_ns;
}

static void no_random(struct env *env, void *ret, size_t size)
{
    (void)env;
    memset(ret, 7, size);
}

static struct env env = {.monotonic_ns = clock_ns, .wall_ns = clock_ns, .random = no_random};

/* ---- Who answers: by the path's first letter, in steps ---- */

enum { ACTORS_MAX = 256 };
static struct actor {
    struct exchange *exchange;
    char kind;
    unsigned steps;
} actors[ACTORS_MAX];
static unsigned actor_count;

static void finish(struct exchange *exchange, unsigned status)
{
    exchange_finish(exchange, &(struct exchange_outcome){.status = status});
}

/* False: it has finished. */
static bool step(struct actor *actor)
{
    struct exchange *exchange = actor->exchange;
    char piece[3000];
    size_t size = 0;
    memset(piece, 'a', sizeof(piece));
    actor->steps++;
    switch (actor->kind) {
    case 'r': /* Reads all of the body, then answers. */
        while (exchange_read(exchange, piece, sizeof(piece), &size) == EXCHANGE_OK) {
        }
        if (exchange_read(exchange, piece, 1, &size) == EXCHANGE_WAIT && actor->steps < 50) {
            return true;
        }
        (void)!exchange_respond(exchange, 200, NULL, 0, piece, sizeof(piece));
        finish(exchange, 0);
        return false;
    case 's': /* Streams, and ends badly. */
        if (actor->steps == 1 &&
            exchange_begin(exchange, 200, NULL, 0, UINT64_MAX) != EXCHANGE_OK) {
            break;
        }
        (void)!exchange_write(exchange, piece, sizeof(piece), &size);
        if (actor->steps < 20) {
            return true;
        }
        finish(exchange, 502);
        return false;
    case 'b': /* Goes on behind its answer. */
        if (actor->steps == 1) {
            (void)!exchange_respond(exchange, 200, NULL, 0, piece, 10);
        }
        if (actor->steps < 10) {
            return true;
        }
        break;
    default:
        (void)!exchange_respond(exchange, 200, NULL, 0, piece, 100);
        break;
    }
    finish(exchange, 0);
    return false;
}

static void play(void)
{
    for (unsigned i = 0; i < actor_count;) {
        if (step(&actors[i])) {
            i++;
        } else {
            actors[i] = actors[--actor_count];
        }
    }
}

/* ---- A session in a stream ---- */

struct echo {
    struct session session;
    struct bytes bytes;
    bool finished, drained;
};

static struct echo *echo_of(const struct session *session)
{
    return (struct echo *)(uintptr_t)session;
}

static void echo_receive(struct session *session, const char *data, size_t size)
{
    bool kept = bytes_append(&echo_of(session)->bytes, data, size);
    INVARIANT(kept);
    session_news(session);
}

static bool echo_wants(struct session *session)
{
    return echo_of(session)->bytes.size < 100;
}

static bool echo_produce(struct session *session, struct bytes *out, size_t limit)
{
    struct bytes *bytes = &echo_of(session)->bytes;
    size_t room = out->size < limit ? limit - out->size : 0;
    size_t size = bytes->size < room ? bytes->size : room;
    if (size > 0) {
        bool kept = bytes_append(out, bytes->data, size);
        INVARIANT(kept);
        bytes_consume(bytes, size);
        session_news(session);
    }
    return true;
}

static void echo_finished(struct session *session)
{
    INVARIANT(!echo_of(session)->finished);
    echo_of(session)->finished = true;
    session_news(session);
}

static void echo_drain(struct session *session)
{
    echo_of(session)->drained = true;
    session_news(session);
}

static bool echo_over(const struct session *session)
{
    const struct echo *echo = echo_of(session);
    return (echo->finished || echo->drained) && echo->bytes.size == 0;
}

static uint64_t echo_due_ns(const struct session *session)
{
    (void)session;
    return 0;
}

static void echo_lose(struct session *session)
{
    bytes_fini(&echo_of(session)->bytes);
    free(session);
}

static const struct session_type echo_type = {.name = "websocket",
                                              .receive = echo_receive,
                                              .wants = echo_wants,
                                              .produce = echo_produce,
                                              .finished = echo_finished,
                                              .over = echo_over,
                                              .due_ns = echo_due_ns,
                                              .drain = echo_drain,
                                              .lose = echo_lose};

static void dispatch(struct exchange *exchange, void *target, struct loop *loop)
{
    (void)target, (void)loop;
    const struct request *request = exchange_request(exchange);
    INVARIANT(request->path.size > 0 && request->host.size > 0 && request->header_count <= 21);
    INVARIANT(request->target.data[0] == '/' || request->method == METHOD_OPTIONS);
    char kind = request->path.size > 1 ? request->path.data[1] : 'w';
    if (request->protocol.size > 0 && kind == 'u') {
        struct echo *echo = calloc(1, sizeof(*echo));
        INVARIANT(echo != NULL);
        echo->session.type = &echo_type;
        enum exchange_result result = exchange_upgrade(exchange, NULL, 0, &echo->session);
        INVARIANT(result == EXCHANGE_OK);
        finish(exchange, 0);
    } else if (actor_count == ACTORS_MAX) {
        finish(exchange, 503);
    } else {
        actors[actor_count++] = (struct actor){.exchange = exchange, .kind = kind};
    }
}

/* ---- The connection ---- */

static void on_news(struct session_carrier *carrier)
{
    (void)carrier;
}

/* What a connection does in a round. False: it is over. */
static bool turn(struct session *session, struct worker *worker, uint64_t pass_ns)
{
    struct bytes out = {0};
    bool fine = true;
    now_ns += pass_ns;
    for (int i = 0; i < 3 && fine; i++) {
        play();
        worker_run(worker);
        worker_look(worker);
        uint64_t due_ns = session->type->due_ns(session);
        if (due_ns != 0 && now_ns >= due_ns) {
            session->type->due(session, now_ns);
        }
        fine = session->type->produce(session, &out, 4096);
        INVARIANT(out.size < 64 * 1024);
        bytes_clear(&out);
    }
    bytes_fini(&out);
    return fine && !session->type->over(session);
}

static void run(struct lane *lane, const struct site *site, struct worker *worker,
                const uint8_t *data, size_t size)
{
    struct session_carrier carrier = {on_news};
    struct caller caller;
    caller_init(&caller, site, "1.2.3.4:5");
    struct session *session = http2_create(lane, site, &caller);
    INVARIANT(session != NULL);
    session->carrier = &carrier;
    session->type->receive(session, http2_preface, HTTP2_PREFACE_BYTES);
    uint32_t seed = data[0];
    uint64_t pass_ns = (uint64_t)(data[0] & 15) * 50000000;
    bool going = true;
    for (size_t at = 1, piece = 0; at < size && going; at += piece) {
        seed = seed * 1103515245 + 12345;
        piece = 1 + (seed >> 16) % (data[0] < 128 ? 9 : 300);
        piece = size - at < piece ? size - at : piece;
        if (session->type->wants(session)) {
            session->type->receive(session, (const char *)data + at, piece);
        }
        going = turn(session, worker, pass_ns);
    }
    if (going && (data[0] & 16) != 0) {
        session->type->drain(session);
        going = turn(session, worker, pass_ns);
    }
    if (going) {
        session->type->finished(session);
        turn(session, worker, pass_ns);
    }
    session->type->lose(session);
    caller_fini(&caller);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const struct dispatcher dispatcher = {dispatch};
    if (size_bytes == 0) {
        return 0;
    }
    struct err err = {0};
    struct node *node =
        node_create(&(struct node_options){.workers = 1, .tick_ns = 1000000, .env = &env}, &err);
    INVARIANT(node != NULL);
    struct loop *loop = node_loop(node, 0);
    struct lane_common common = {.node = node};
    struct lane lane;
    struct site site;
    struct serve_options options = {.listen = "unix:x",
                                    .dispatcher = &dispatcher,
                                    .header_timeout_ms = 10000,
                                    .idle_timeout_ms = 60000,
                                    .body_rate_min = 1024,
                                    .header_bytes_max = 1000,
                                    .header_count_max = 20,
                                    .target_bytes_max = 100,
                                    .body_bytes_max = 10000,
                                    .stream_buffer_bytes = 4096,
                                    .write_timeout_ms = 5000};
    bool ready = lane_init(&lane, &common, loop, &err) && site_init(&site, &options, &err);
    INVARIANT(ready);
    worker_set_current(&loop->worker);
    worker_look(&loop->worker);
    run(&lane, &site, &loop->worker, data, size_bytes);
    for (int i = 0; i < 100 && actor_count > 0; i++) {
        play();
    }
    INVARIANT(actor_count == 0);
    worker_run(&loop->worker);
    worker_set_current(NULL);
    lane_fini(&lane);
    INVARIANT(atomic_load(&lane.holding.bytes) == 0);
    site_fini(&site);
    node_stop(node);
    node_destroy(node);
    return 0;
}
