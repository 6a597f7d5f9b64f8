#include "serve/websocket_session.h"

#include "serve/websocket_deflate.h"
#include "serve/websocket_reader.h"
#include "serve/websocket_writer.h"

#include <stdlib.h>
#include <string.h>

enum {
    NS_PER_MS = 1000000,
    RATE_WINDOW_MS = 5000,
    COMPRESS_BYTES_MAX = 64 * 1024, /* in one go, before others have their turn */
    FREE_BYTES = 64 * 1024,         /* of a message, whatever the node holds */
};

enum stage {
    STAGE_OPEN,
    STAGE_CLOSING, /* our close is out, the client's is waited for; messages go nowhere */
    STAGE_OVER,    /* nothing more is read; what is left is our close, if that is due */
};

struct websocket_session {
    struct session session; /* first */
    struct websocket_channel *channel;
    enum stage stage;
    struct websocket_reader reader;
    struct websocket_writer writer;
    struct bytes held; /* received, but there is no credit to read it */
    bool finished;     /* the client has shut its sending side behind that */
    bool draining;     /* close once the stream is empty */
    bool emptied;      /* the stream is, and there was no news of it since */
    bool deaf;         /* the stream was closed: what the process sends is not wanted */
    bool close_due, close_sent;
    unsigned code; /* of our close */
    size_t reason_bytes;
    char reason[WEBSOCKET_REASON_BYTES_MAX];
    bool ping_due, pong_due;
    size_t pong_bytes;
    uint8_t pong[WEBSOCKET_CONTROL_BYTES_MAX];
    uint64_t heard_ns;       /* when something came last */
    uint64_t pinged_ns;      /* 0: no answer is waited for */
    uint64_t close_until_ns; /* in CLOSING */
    uint64_t rate_end_ns;    /* 0: no frame is under way */
    uint64_t rate_bytes;
    long long accounted; /* what of ours was counted with the exchange */
};

static struct websocket_session *of(struct session *session)
{
    return CONTAINER_OF(session, struct websocket_session, session);
}

static uint64_t now_of(const struct websocket_session *session)
{
    return session->channel->exchange->home->worker->now_ns;
}

static void account(struct websocket_session *session)
{
    long long now = (long long)(sizeof *session + session->held.capacity +
                                websocket_reader_held_bytes(&session->reader) +
                                (session->writer.stream != NULL ? WEBSOCKET_DEFLATE_BYTES : 0));
    if (now != session->accounted) {
        exchange_hold(session->channel->exchange, now - session->accounted);
        session->accounted = now;
    }
}

/* ---- Ending ---- */

/* What the process sends is not wanted any more. */
static void drop_output(struct websocket_session *session)
{
    if (!session->deaf) {
        session->deaf = true;
        exchange_hold(session->channel->exchange,
                      -(long long)stream_pending(&session->channel->out));
        stream_close(&session->channel->out);
    }
}

static void set_close(struct websocket_session *session, unsigned code, struct text reason)
{
    if (session->close_due || session->close_sent) {
        return;
    }
    session->close_due = true;
    session->code = code;
    session->reason_bytes = reason.size < sizeof session->reason ? reason.size
                                                                 : sizeof session->reason;
    if (session->reason_bytes > 0) {
        memcpy(session->reason, reason.data, session->reason_bytes);
    }
}

/* RFC 6455, 7.1.7: say why, and wait for nothing. */
static void fail(struct websocket_session *session, unsigned code, struct text why)
{
    session->stage = STAGE_OVER;
    websocket_channel_leave(session->channel, code, why);
    drop_output(session);
    set_close(session, code, why);
}

static void fail_because(struct websocket_session *session, unsigned code, const char *why)
{
    fail(session, code, (struct text){why, strlen(why)});
}

/* The client has said close: answer, or we had said it first. */
static void client_closes(struct websocket_session *session, const struct websocket_step *step)
{
    session->stage = STAGE_OVER;
    session->session.agreed = true;
    websocket_channel_leave(session->channel, step->code, step->data);
    drop_output(session);
    set_close(session, step->code, (struct text){0});
}

/* Nobody hears us any more. */
static void client_left(struct websocket_session *session)
{
    session->stage = STAGE_OVER;
    session->close_due = false;
    websocket_channel_leave(session->channel, WEBSOCKET_ABNORMAL, (struct text){0});
    drop_output(session);
}

/* ---- Input ---- */

static bool reads(struct websocket_session *session)
{
    return session->stage == STAGE_CLOSING ||
           (session->stage == STAGE_OPEN && websocket_channel_has_credit(session->channel));
}

static void take(struct websocket_session *session, const struct websocket_step *step)
{
    switch (step->event) {
    case WEBSOCKET_MESSAGE:
        if (session->stage == STAGE_OPEN &&
            !websocket_channel_deliver(session->channel, step->text, step->data)) {
            fail_because(session, WEBSOCKET_INTERNAL, "out of memory");
        }
        return;
    case WEBSOCKET_PING:
        /* Only the last one needs an answer (RFC 6455, 5.5.3). */
        session->pong_due = true;
        session->pong_bytes = step->data.size;
        memcpy(session->pong, step->data.data, step->data.size);
        return;
    case WEBSOCKET_CLOSE:
        client_closes(session, step);
        return;
    case WEBSOCKET_BAD:
        fail(session, step->code, step->data);
        return;
    case WEBSOCKET_PONG:
    case WEBSOCKET_MORE:
        return;
    }
    BUG("websocket event %d", (int)step->event);
}

/* What a client has under way is its own fault when the node holds too much. */
static void check_room(struct websocket_session *session)
{
    if (session->stage == STAGE_OPEN && session->reader.message.size > FREE_BYTES &&
        !holding_has_room(session->channel->exchange->home->holding, 0)) {
        fail_because(session, WEBSOCKET_TRY_LATER, "too much waits for its readers");
    }
}

static void read_input(struct websocket_session *session, struct text *input)
{
    while (reads(session)) {
        struct websocket_step step = websocket_reader_step(&session->reader, input);
        if (step.event == WEBSOCKET_MORE) {
            break;
        }
        take(session, &step);
        if (input->size == 0 && websocket_reader_is_between(&session->reader)) {
            break; /* Not once more for nothing. */
        }
    }
    check_room(session);
    if (!websocket_reader_is_in_frame(&session->reader) || session->stage != STAGE_OPEN) {
        session->rate_end_ns = 0;
    } else if (session->rate_end_ns == 0) {
        session->rate_end_ns = now_of(session) + (uint64_t)RATE_WINDOW_MS * NS_PER_MS;
        session->rate_bytes = 0;
    }
}

/* Go on with what was held back. */
static void read_held(struct websocket_session *session)
{
    struct text input = {(const char *)session->held.data, session->held.size};
    read_input(session, &input);
    bytes_consume(&session->held, session->held.size - input.size);
    if (session->held.size == 0 || session->stage == STAGE_OVER) {
        bytes_fini(&session->held);
        if (session->finished && session->stage != STAGE_OVER) {
            client_left(session);
        }
    }
}

static void on_receive(struct session *base, const char *data, size_t size_bytes)
{
    struct websocket_session *session = of(base);
    session->heard_ns = now_of(session);
    session->pinged_ns = 0;
    session->rate_bytes += size_bytes;
    struct text input = {data, size_bytes};
    bool behind = session->held.size > 0;
    if (!behind) {
        read_input(session, &input);
    }
    if (input.size > 0 && session->stage != STAGE_OVER &&
        !bytes_append(&session->held, input.data, input.size)) {
        fail_because(session, WEBSOCKET_INTERNAL, "out of memory");
    }
    if (behind) {
        read_held(session);
    }
    account(session);
}

static bool on_wants(struct session *base)
{
    struct websocket_session *session = of(base);
    return session->held.size == 0 && reads(session);
}

static void on_finished(struct session *base)
{
    struct websocket_session *session = of(base);
    session->finished = true;
    if (session->stage != STAGE_OVER && session->held.size == 0) {
        client_left(session);
    }
}

void websocket_session_news(struct websocket_session *session)
{
    session->emptied = false;
    if (session->held.size > 0 || session->reader.frames != NULL) {
        read_held(session);
        account(session);
    }
    session_news(&session->session);
}

/* ---- Output ---- */

static bool write_pong(struct websocket_session *session, struct bytes *out)
{
    if (session->pong_due && !session->close_sent) {
        session->pong_due = false;
        return websocket_write_control(out, 10, session->pong, session->pong_bytes);
    }
    if (session->ping_due && !session->close_sent) {
        session->ping_due = false;
        return websocket_write_control(out, 9, NULL, 0);
    }
    return true;
}

/* The process has ended its side. */
static void process_closes(struct websocket_session *session)
{
    char reason[WEBSOCKET_REASON_BYTES_MAX];
    size_t size = 0;
    unsigned code = websocket_channel_end(session->channel, reason, &size);
    set_close(session, code, (struct text){reason, size});
}

/* What the process has sent, as frames. */
static bool write_messages(struct websocket_session *session, struct bytes *out, size_t limit_bytes)
{
    size_t compressed = 0;
    while (!session->emptied && !session->deaf && !session->close_due && !session->close_sent &&
           out->size < limit_bytes) {
        size_t moved = 0;
        enum websocket_written written = websocket_write_piece(&session->writer,
                                                               &session->channel->out, out, &moved);
        exchange_hold(session->channel->exchange, -(long long)moved);
        switch (written) {
        case WEBSOCKET_WROTE:
            compressed += session->writer.deflate.on ? moved : 0;
            if (compressed >= COMPRESS_BYTES_MAX) {
                session_news(&session->session);
                return true;
            }
            break;
        case WEBSOCKET_WAITS:
            session->emptied = true;
            if (session->draining) {
                set_close(session, WEBSOCKET_GOING_AWAY, (struct text){0});
            }
            return true;
        case WEBSOCKET_ENDED:
        case WEBSOCKET_ABORTED:
            process_closes(session);
            break;
        case WEBSOCKET_FAILED:
            return false;
        }
    }
    return true;
}

static bool write_close(struct websocket_session *session, struct bytes *out)
{
    if (!session->close_due) {
        return true;
    }
    session->close_due = false;
    session->close_sent = true;
    if (session->stage == STAGE_OPEN) {
        session->stage = STAGE_CLOSING;
        session->close_until_ns = now_of(session) + (uint64_t)WEBSOCKET_CLOSE_MS * NS_PER_MS;
        session->rate_end_ns = 0;
        session->reader.discards = true;
        drop_output(session);
        if (session->held.size > 0) {
            session_news(&session->session); /* No credit is needed to read it now. */
        }
    }
    return websocket_write_close(out, session->code, session->reason, session->reason_bytes);
}

static bool on_produce(struct session *base, struct bytes *out, size_t limit_bytes)
{
    struct websocket_session *session = of(base);
    if (session->stage == STAGE_CLOSING && session->held.size > 0) {
        read_held(session);
    }
    bool fits = write_pong(session, out) && write_messages(session, out, limit_bytes) &&
                write_close(session, out);
    account(session);
    return fits;
}

static const struct websocket_session *of_const(const struct session *session)
{
    return (const struct websocket_session *)(const void *)session; /* its first member */
}

static bool on_over(const struct session *base)
{
    const struct websocket_session *session = of_const(base);
    return session->stage == STAGE_OVER && !session->close_due;
}

/* ---- Time ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t on_due_ns(const struct session *base)
{
    const struct websocket_session *session = of_const(base);
    const struct websocket_options *options = session->channel->options;
    switch (session->stage) {
    case STAGE_CLOSING:
        return session->close_until_ns;
    case STAGE_OVER:
        return 0;
    case STAGE_OPEN:
        break;
    }
    uint64_t since_ns = session->pinged_ns != 0 ? session->pinged_ns : session->heard_ns;
    return sooner(options->ping_ns == 0 ? 0 : since_ns + options->ping_ns,
                  options->frame_rate_min == 0 ? 0 : session->rate_end_ns);
}

static void check_rate(struct websocket_session *session, uint64_t now_ns)
{
    uint64_t least = (uint64_t)session->channel->options->frame_rate_min * RATE_WINDOW_MS / 1000;
    if (session->rate_end_ns == 0 || now_ns < session->rate_end_ns || least == 0) {
        return;
    }
    if (session->rate_bytes < least) {
        fail_because(session, WEBSOCKET_POLICY, "a frame came too slowly");
        return;
    }
    session->rate_bytes = 0;
    session->rate_end_ns = now_ns + (uint64_t)RATE_WINDOW_MS * NS_PER_MS;
}

static void check_alive(struct websocket_session *session, uint64_t now_ns)
{
    uint64_t ping_ns = session->channel->options->ping_ns;
    if (ping_ns == 0) {
        return;
    }
    if (session->pinged_ns != 0 && now_ns >= session->pinged_ns + ping_ns) {
        fail_because(session, WEBSOCKET_INTERNAL, "no answer to a ping");
    } else if (session->pinged_ns == 0 && now_ns >= session->heard_ns + ping_ns) {
        session->pinged_ns = now_ns;
        session->ping_due = true;
    }
}

static void on_due(struct session *base, uint64_t now_ns)
{
    struct websocket_session *session = of(base);
    if (session->stage == STAGE_CLOSING && now_ns >= session->close_until_ns) {
        session->stage = STAGE_OVER; /* It has had its time to answer. */
    } else if (session->stage == STAGE_OPEN && !on_wants(base)) {
        /* It is not read: whatever it does cannot be heard. */
        session->heard_ns = now_ns;
        session->pinged_ns = 0;
        session->rate_end_ns = session->rate_end_ns == 0
                                   ? 0
                                   : now_ns + (uint64_t)RATE_WINDOW_MS * NS_PER_MS;
    } else if (session->stage == STAGE_OPEN) {
        check_rate(session, now_ns);
        if (session->stage == STAGE_OPEN) {
            check_alive(session, now_ns);
        }
    }
    session_news(base);
}

/* ---- Life ---- */

static void on_drain(struct session *base)
{
    struct websocket_session *session = of(base);
    if (session->stage == STAGE_OPEN && !session->draining) {
        session->draining = true;
        session->emptied = false; /* To be looked at once more. */
        websocket_channel_leave(session->channel, WEBSOCKET_GOING_AWAY, (struct text){0});
        session_news(base);
    }
}

static bool on_busy(const struct session *base)
{
    return !on_over(base);
}

static void on_lose(struct session *base)
{
    struct websocket_session *session = of(base);
    client_left(session);
    session->channel->session = NULL;
    exchange_hold(session->channel->exchange, -session->accounted);
    websocket_reader_fini(&session->reader);
    websocket_writer_fini(&session->writer);
    bytes_fini(&session->held);
    websocket_channel_release(session->channel);
    free(session);
}

static const struct session_type websocket_type = {
    .name = "websocket",
    .receive = on_receive,
    .wants = on_wants,
    .produce = on_produce,
    .finished = on_finished,
    .over = on_over,
    .due_ns = on_due_ns,
    .due = on_due,
    .drain = on_drain,
    .busy = on_busy,
    .lose = on_lose,
};

struct session *websocket_session_create(struct websocket_channel *channel,
                                         const struct websocket_deflate_terms *deflate)
{
    struct websocket_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    session->session.type = &websocket_type;
    session->channel = channel;
    websocket_channel_retain(channel);
    channel->session = session;
    websocket_reader_init(&session->reader, channel->options->message_bytes_max, deflate->on);
    websocket_writer_init(&session->writer, deflate);
    session->heard_ns = now_of(session);
    account(session);
    return &session->session;
}
