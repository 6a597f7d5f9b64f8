#include "serve/outlet.h"

#include "base/log.h"
#include "core/node.h"
#include "serve/websocket_guest.h"

#include <stdlib.h>
#include <string.h>

static struct outlet *outlet_of(struct process *process)
{
    return CONTAINER_OF(process, struct outlet, process);
}

/* ---- its turns ---- */

static bool is_left(struct outlet *outlet)
{
    if (outlet->kind == OUTLET_FRAMES) {
        return atomic_load_explicit(&outlet->channel->left, memory_order_acquire);
    }
    return atomic_load_explicit(&outlet->gone, memory_order_acquire) ||
           exchange_gone(outlet->exchange);
}

/* The next message, and room for whoever waits for it. */
static bool take_mail(struct outlet *outlet)
{
    struct message *message = process_receive(&outlet->process, NULL);
    while (message != NULL && message->kind != MESSAGE_SEND && message->kind != MESSAGE_CALL) {
        message_destroy(message);
        message = process_receive(&outlet->process, NULL);
    }
    outlet->mail = message;
    outlet->moved = 0;
    if (guest_outlet_take_waiter(&outlet->door)) {
        process_wake(outlet->guest);
    }
    return message != NULL;
}

static void close_frames(struct outlet *outlet, unsigned status)
{
    unsigned code = status == 0     ? WEBSOCKET_NORMAL
                    : status == 503 ? WEBSOCKET_TRY_LATER
                                    : WEBSOCKET_INTERNAL;
    (void)websocket_channel_close(outlet->channel, code, (struct text){0}, status != 0);
}

static enum outlet_step step(struct outlet *outlet)
{
    if (outlet->kind != OUTLET_FRAMES && !outlet->asked) {
        return outlet->kind == OUTLET_REPLY ? outlet_ask(outlet) : outlet_open_events(outlet);
    }
    /* Before the mail: what the guest sent had come before its end. */
    unsigned ended = atomic_load_explicit(&outlet->ended, memory_order_acquire);
    if (outlet->mail == NULL && !take_mail(outlet)) {
        if (ended == 0) {
            return OUTLET_BLOCKED;
        }
        outlet->status = handler_status((enum exit_class)(ended - 1), outlet->refused);
        return OUTLET_OVER;
    }
    switch (outlet->kind) {
    case OUTLET_REPLY:
        return outlet_write_reply(outlet);
    case OUTLET_EVENTS:
        return outlet_write_event(outlet);
    case OUTLET_FRAMES:
        return outlet_write_frame(outlet);
    }
    BUG("outlet %d", (int)outlet->kind);
}

static enum turn end_turn(struct exit *ret_exit, enum exit_class exit_class)
{
    ret_exit->exit_class = exit_class;
    return TURN_ENDED;
}

static enum turn outlet_turn(struct process *process, struct exit *ret_exit)
{
    struct outlet *outlet = outlet_of(process);
    for (;;) {
        if (is_left(outlet)) {
            return end_turn(ret_exit, EXIT_NORMAL);
        }
        switch (step(outlet)) {
        case OUTLET_DONE:
            message_destroy(TAKE(outlet->mail));
            break;
        case OUTLET_BLOCKED:
            return TURN_PARKED;
        case OUTLET_AGAIN:
            return TURN_YIELDED;
        case OUTLET_OVER:
            return end_turn(ret_exit, EXIT_NORMAL);
        }
        switch (process_tick(process)) {
        case TICK_CONTINUE:
            break;
        case TICK_YIELD:
            return TURN_YIELDED;
        case TICK_STOP:
            return end_turn(ret_exit, EXIT_KILLED);
        }
    }
}

static void outlet_reclaim(struct process *process)
{
    struct outlet *outlet = outlet_of(process);
    message_destroy(TAKE(outlet->mail));
    if (outlet->held > 0) {
        exchange_hold(outlet->exchange, -(long long)outlet->held);
        outlet->held = 0;
    }
}

/* Its own end, before its work was done. */
static unsigned own_status(const struct exit *exit)
{
    bool timeout = exit->exit_class == EXIT_CRASHED_TIMEOUT || exit->exit_class == EXIT_CRASHED_CPU;
    return exit->exit_class == EXIT_NORMAL ? 0 : timeout ? 504 : 502;
}

static void finish_exchange(struct outlet *outlet, unsigned status)
{
    unsigned ended = atomic_load_explicit(&outlet->ended, memory_order_acquire);
    exchange_finish(
        outlet->exchange,
        &(struct exchange_outcome){
            .status = status,
            .text = outlet->why,
            .retry_after_s = status == 503 ? EXCHANGE_RETRY_S : 0,
            .exit_class = ended != 0 ? exit_class_name((enum exit_class)(ended - 1)) : NULL,
            .pid = outlet->guest != NULL ? outlet->guest->pid.raw : 0});
}

void outlet_part(struct outlet *outlet)
{
    /* Both orders: who comes second sees what the first one did. */
    bool second = atomic_fetch_add_explicit(&outlet->parted, 1, memory_order_acq_rel) == 1;
    if (second && outlet->channel != NULL) {
        websocket_channel_release(TAKE(outlet->channel));
    }
}

static void tell_guest(struct outlet *outlet, bool left)
{
    if (outlet->guest == NULL) {
        return;
    }
    if (left && outlet->handler->cancel_on_disconnect) {
        process_stop(outlet->guest, STOP_KILL, "disconnect");
    }
    (void)guest_outlet_take_waiter(&outlet->door);
    process_wake(outlet->guest);
}

static void outlet_exited(struct process *process, const struct exit *exit)
{
    struct outlet *outlet = outlet_of(process);
    unsigned status = outlet->status != 0 ? outlet->status : own_status(exit);
    bool left = is_left(outlet);
    /* Release: pairs with the acquire in the guest's next turn. */
    atomic_store_explicit(&outlet->over, true, memory_order_release);
    if (outlet->kind == OUTLET_FRAMES) {
        close_frames(outlet, status);
    } else {
        finish_exchange(outlet, status);
    }
    tell_guest(outlet, left);
    outlet_part(outlet);
}

static void outlet_destroy(struct process *process)
{
    struct outlet *outlet = outlet_of(process);
    rusm_reply_fini(&outlet->reply);
    bytes_fini(&outlet->text);
    if (outlet->guest != NULL) {
        process_release(outlet->guest);
    }
    if (outlet->channel != NULL) {
        websocket_channel_release(outlet->channel);
    }
    exchange_release(outlet->exchange);
    free(outlet);
}

static const struct body outlet_body = {.turn = outlet_turn,
                                        .reclaim = outlet_reclaim,
                                        .exited = outlet_exited,
                                        .destroy = outlet_destroy};

/* ---- life ---- */

static void wake(void *argument)
{
    process_wake(&((struct outlet *)argument)->process);
}

static void client_gone(void *argument)
{
    struct outlet *outlet = argument;
    /* Release: pairs with is_left(). */
    atomic_store_explicit(&outlet->gone, true, memory_order_release);
    process_wake(&outlet->process);
}

enum { MAILBOX_MESSAGES_MAX = 1024, MAILBOX_MORE_BYTES = 1 << 20 };

struct outlet *outlet_create(enum outlet_kind kind, struct exchange *exchange,
                             const struct handler *handler, struct websocket_channel *channel,
                             struct node *node)
{
    static const char *const kinds[] = {"http reply", "sse events", "ws frames"};
    struct outlet *outlet = calloc(1, sizeof *outlet);
    if (outlet == NULL) {
        return NULL;
    }
    const struct grant *grant = component_grant(handler->component);
    outlet->kind = kind;
    outlet->handler = handler;
    outlet->exchange = exchange;
    outlet->channel = channel;
    outlet->began_ns = node_now_ns(node);
    outlet->writer.to = &outlet->text;
    exchange_retain(exchange);
    if (channel != NULL) {
        websocket_channel_retain(channel);
    }
    bool reply = kind == OUTLET_REPLY;
    process_init(&outlet->process, &outlet_body, node,
                 &(struct process_options){
                     .kind = kinds[kind],
                     .label = component_name(handler->component),
                     .mailbox = {.messages = MAILBOX_MESSAGES_MAX,
                                 .bytes = grant->message_bytes_max + MAILBOX_MORE_BYTES},
                     .deadline_ns = reply ? handler->deadline_ns : handler->stream_deadline_ns,
                     .namespace = grant->namespace,
                     /* Who knows its pid speaks to its client. */
                     .unlisted = true});
    if (kind == OUTLET_FRAMES) { /* Of its life there is none: a unit of work is the guest's. */
        outlet->process.deadline_ns = 0;
    }
    process_identify(&outlet->process);
    outlet->door.pid = outlet->process.pid;
    return outlet;
}

bool outlet_start(struct outlet *outlet, struct worker *worker, struct err *err)
{
    if (outlet->kind != OUTLET_FRAMES) {
        /* Before the start: it may run, and end, on another worker. */
        exchange_attach(
            outlet->exchange,
            (struct exchange_waker){.wake = wake, .gone = client_gone, .argument = outlet});
    }
    if (process_start(&outlet->process, worker, err)) {
        return true;
    }
    if (outlet->kind != OUTLET_FRAMES) {
        exchange_detach(outlet->exchange);
    }
    return false;
}

void outlet_discard(struct outlet *outlet)
{
    atomic_store_explicit(&outlet->over, true, memory_order_release);
    if (outlet->guest != NULL) {
        process_stop(outlet->guest, STOP_KILL, "no room for its outlet"); /* parts when it ends */
    } else {
        outlet_part(outlet);
    }
    outlet_part(outlet);
    process_discard(&outlet->process);
}

static bool spawn_guest(struct outlet *outlet, uint64_t deadline_ns, struct worker *worker,
                        struct err *err)
{
    const struct handler *handler = outlet->handler;
    struct guest_options options = {.entry = handler->entry,
                                    .role = &outlet_roles[outlet->kind],
                                    .context = outlet,
                                    .deadline_ns = deadline_ns,
                                    .parent = outlet->process.pid};
    process_retain(&outlet->process); /* the guest's */
    if (!guest_spawn(outlet->process.node, handler->component, &options, worker, &outlet->guest,
                     err)) {
        process_release(&outlet->process);
        return false;
    }
    return true;
}

bool outlet_open(struct outlet *outlet, const void *first, size_t first_bytes, uint64_t deadline_ns,
                 struct worker *worker, struct process **ret_guest, struct err *err)
{
    struct message *message = message_create(outlet->process.pid.raw, OUTLET_DATA, first,
                                             first_bytes);
    if (message == NULL || !spawn_guest(outlet, deadline_ns, worker, err)) {
        bool none = message == NULL;
        message_destroy(message);
        return none ? err_set_memory(err) : false;
    }
    struct process *guest = outlet->guest;
    process_retain(guest);
    if (!outlet_start(outlet, worker, err)) {
        message_destroy(message);
        process_release(guest);
        return false;
    }
    /* Now that the outlet has its place in the table: who reads its pid may write to it at once. */
    if (!process_send_to(guest, message)) {
        message_destroy(message); /* It has ended already, or others have filled its mailbox. */
    }
    *ret_guest = guest;
    return true;
}

bool outlet_spawn(struct outlet *outlet, const void *first, size_t first_bytes,
                  uint64_t deadline_ns, struct worker *worker, struct err *err)
{
    struct message *message = message_create(outlet->process.pid.raw, OUTLET_DATA, first,
                                             first_bytes);
    if (message == NULL || !spawn_guest(outlet, deadline_ns, worker, err)) {
        bool none = message == NULL;
        message_destroy(message);
        return none ? err_set_memory(err) : false;
    }
    if (!process_send_to(outlet->guest, message)) {
        message_destroy(message); /* It has ended already, or others have filled its mailbox. */
    }
    return true;
}
