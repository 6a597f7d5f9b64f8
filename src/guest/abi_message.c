#include "guest/abi_internal.h"

#include "core/monitor.h"
#include "core/node.h"
#include "core/supervisor.h"
#include "guest/handle.h"
#include "guest/scratch.h"

#include <string.h>

/* The kinds that guests know are core's, in the same order; MESSAGE_CHANGED is none of theirs. */
_Static_assert(ABI_MAIL_SEND == (int)MESSAGE_SEND && ABI_MAIL_CALL == (int)MESSAGE_CALL &&
                   ABI_MAIL_REPLY == (int)MESSAGE_REPLY && ABI_MAIL_DOWN == (int)MESSAGE_DOWN &&
                   ABI_MAIL_EXIT == (int)MESSAGE_EXIT && ABI_MAIL_TIMER == (int)MESSAGE_TIMER &&
                   ABI_MAIL_STOP == (int)MESSAGE_STOP && ABI_MAIL_FRAME == (int)MESSAGE_FRAME &&
                   ABI_MAIL_CLOSE == (int)MESSAGE_CLOSE && MESSAGE_CHANGED == ABI_MAIL_CLOSE + 1,
               "abi.toml and core/message.h name the same kinds");
_Static_assert(ABI_EXIT_NORMAL == (int)EXIT_NORMAL && ABI_EXIT_KILLED == (int)EXIT_KILLED,
               "abi.toml and core/exit.h name the same classes");

enum { KINDS_OF_GUESTS = (1 << MESSAGE_CHANGED) - 1 };

/* ---- sending ---- */

/* send(pid, label, data, size, stream) -> i32. */
enum engine_call_result abi_send(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    int32_t handle = (int32_t)call->arguments[4], error = 0;
    struct message *message = abi_make_message(call, call->arguments[1], call->arguments[2],
                                               call->arguments[3], handle, &error);
    if (message == NULL) {
        return error == 0 ? ENGINE_CALL_TRAP : guest_answer(call, error);
    }
    struct process *target = abi_find(guest, call->arguments[0]);
    uint32_t size = (uint32_t)call->arguments[3];
    if (target == NULL) {
        traffic_sent(&guest->process.traffic, 1, size);
        message_destroy(message); /* to nobody, which is not an error */
        return guest_answer(call, 0);
    }
    bool sent = process_send_to(target, message);
    process_release(target);
    if (!sent) {
        abi_unmake_message(guest, message, handle);
        return guest_answer(call, ABI_FULL);
    }
    traffic_sent(&guest->process.traffic, 1, size);
    return guest_answer(call, 0);
}

/* reply(pid, reference, label, data, size, stream) -> i32. */
enum engine_call_result abi_reply(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    int32_t handle = (int32_t)call->arguments[5], error = 0;
    struct message *message = abi_make_message(call, call->arguments[2], call->arguments[3],
                                               call->arguments[4], handle, &error);
    if (message == NULL) {
        return error == 0 ? ENGINE_CALL_TRAP : guest_answer(call, error);
    }
    if (call->arguments[1] == 0) {
        abi_unmake_message(guest, message, handle);
        return guest_answer(call, ABI_INVALID);
    }
    /* The caller may be of another namespace: that it called is what allows the answer. */
    if (!monitor_reply(guest->process.node, (struct pid){call->arguments[0]}, call->arguments[1],
                       message)) {
        abi_unmake_message(guest, message, handle);
        return guest_answer(call, ABI_FULL);
    }
    traffic_sent(&guest->process.traffic, 1, (uint32_t)call->arguments[4]);
    return guest_answer(call, 0);
}

/* ---- taking ---- */

/* Where the guest wants a piece of mail: windows of its memory, good for this try. */
struct place {
    struct engine_call *call;
    uint8_t *mail, *buffer;
    size_t capacity;
};

/* Which arguments are mail and (buffer, capacity). */
static bool read_place(struct engine_call *call, unsigned mail, unsigned buffer, struct place *ret)
{
    ret->call = call;
    ret->mail = guest_window(call, call->arguments[mail], sizeof(struct abi_mail));
    ret->buffer = guest_window(call, call->arguments[buffer], call->arguments[buffer + 1]);
    ret->capacity = (uint32_t)call->arguments[buffer + 1];
    return ret->mail != NULL && ret->buffer != NULL;
}

static uint32_t class_of(const struct reason *reason)
{
    if (reason_is(reason, REASON_NOPROC)) {
        return ABI_EXIT_NOPROC;
    }
    return reason_is(reason, REASON_NOCONNECTION) ? ABI_EXIT_NOCONNECTION : reason->exit_class;
}

static int32_t accept_cargo(struct guest *guest, struct message *message)
{
    if (message->cargo == NULL) {
        return 0;
    }
    int32_t handle = handle_accept(guest, message->cargo);
    if (handle > 0) {
        message->cargo = NULL;
    }
    return handle;
}

/* Copy a message out and be done with it; what did not fit stays with the post. Takes the message. */
static void hand_out(struct guest *guest, struct post *post, struct message *message,
                     const struct place *place)
{
    size_t size = 0;
    const void *data = message_data(message, &size);
    struct abi_mail mail = {.kind = message->kind,
                            .size = (uint32_t)size,
                            .sender = message->sender,
                            .label = message->label,
                            .reference = message->reference,
                            .stream = accept_cargo(guest, message)};
    if (message->reason != NULL) {
        mail.exit_class = class_of(message->reason);
        mail.status = message->reason->status;
    }
    memcpy(place->mail, &mail, sizeof mail);
    size_t copied = size < place->capacity ? size : place->capacity;
    if (copied > 0) {
        memcpy(place->buffer, data, copied);
    }
    guest->asked_to_stop |= message->kind == MESSAGE_STOP;
    if (copied < size) {
        post->mail = message;
        if (place->call->direct) { /* the engine copies it, straight into the guest */
            place->call->body = data;
            place->call->body_bytes = size;
        }
    } else {
        message_destroy(message);
    }
}

/* False: nothing that matches is there. */
static bool take(struct guest *guest, struct post *post, const struct mailbox_filter *filter,
                 const struct place *place)
{
    struct message *message = process_receive(&guest->process, filter);
    while (message != NULL && message->kind == MESSAGE_CHANGED) {
        message_destroy(message); /* only a wake */
        message = process_receive(&guest->process, filter);
    }
    if (message == NULL) {
        return false;
    }
    hand_out(guest, post, message, place);
    return true;
}

/* False: `*ret` is what the host function returns. */
static bool read_filter(struct engine_call *call, uint64_t pointer, struct mailbox_filter *ret,
                        enum engine_call_result *ret_result)
{
    *ret = (struct mailbox_filter){0};
    if (pointer == 0) {
        return true;
    }
    const uint8_t *window = guest_window(call, pointer, sizeof(struct abi_filter));
    if (window == NULL) {
        *ret_result = ENGINE_CALL_TRAP;
        return false;
    }
    struct abi_filter filter;
    memcpy(&filter, window, sizeof filter);
    if ((filter.kinds & ~(uint32_t)KINDS_OF_GUESTS) != 0 ||
        filter.label_count > ARRAY_LENGTH(filter.labels)) {
        *ret_result = guest_answer(call, ABI_INVALID);
        return false;
    }
    ret->kinds = filter.kinds;
    ret->labels = filter.label_count;
    ret->reference = filter.reference;
    memcpy(ret->label, filter.labels, filter.label_count * sizeof filter.labels[0]);
    return true;
}
_Static_assert(ARRAY_LENGTH(((struct abi_filter *)0)->labels) == FILTER_LABELS_MAX,
               "abi.toml and core/mailbox.h have as many labels");

/* A unit of work of a service, or of who streams to a client, lasts from one receive to the next; a service's first one says
 * that it has started. */
static void begin_unit(struct guest *guest)
{
    if (!guest->role->service && !guest->streams) {
        return;
    }
    if (guest->role->service && !guest->announced) {
        guest->announced = true;
        supervisor_child_started(&guest->process);
    }
    process_begin_unit(&guest->process);
    abi_unit_rest(guest);
}

/* receive(filter, mail, buffer, capacity, timeout) -> i32. */
enum engine_call_result abi_receive(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct place place;
    struct mailbox_filter filter;
    enum engine_call_result result = ENGINE_CALL_TRAP;
    if (!read_place(call, 1, 2, &place) ||
        !read_filter(call, call->arguments[0], &filter, &result)) {
        return result;
    }
    struct post *post = post_of(guest);
    if (post == NULL) {
        return guest_answer(call, ABI_NO_MEMORY);
    }
    if (call->state == 0) {
        if (!abi_wait_begin(call, call->arguments[4])) {
            return guest_answer(call, ABI_INVALID);
        }
        message_destroy(TAKE(post->mail));
        begin_unit(guest);
    }
    if (!take(guest, post, call->arguments[0] != 0 ? &filter : NULL, &place)) {
        result = abi_wait_on(call);
        if (result == ENGINE_CALL_DONE) {
            abi_unit_begin(guest);
        }
        return result;
    }
    abi_wait_end(call);
    abi_unit_begin(guest);
    return guest_answer(call, 0);
}

/* mail_read(offset, buffer, capacity) -> i32: how much was copied. */
enum engine_call_result abi_mail_read(struct engine_call *call)
{
    struct post *post = guest_of_call(call)->post;
    uint8_t *buffer = guest_window(call, call->arguments[1], call->arguments[2]);
    if (buffer == NULL) {
        return ENGINE_CALL_TRAP;
    }
    if (post == NULL || post->mail == NULL) {
        return guest_answer(call, ABI_MISPLACED);
    }
    size_t size = 0, offset = (uint32_t)call->arguments[0];
    size_t capacity = (uint32_t)call->arguments[2];
    const uint8_t *data = message_data(post->mail, &size);
    size_t left = offset < size ? size - offset : 0;
    size_t copied = left < capacity ? left : capacity;
    if (copied > 0) {
        memcpy(buffer, data + offset, copied);
    }
    return guest_answer(call, (int32_t)copied);
}

/* ---- calls ---- */

/* A request: where its bytes are, and the stream that goes with them. */
struct call_request {
    uint64_t pid, label, data, size_bytes;
    int32_t handle;
};

/* Send it. 0: sent, else what is wrong; `*ret_trap`: a pointer was bad. */
static int32_t begin_call(struct engine_call *call, const struct call_request *wanted,
                          uint64_t *ret_reference, bool *ret_trap)
{
    struct guest *guest = guest_of_call(call);
    struct process *process = &guest->process;
    int32_t handle = wanted->handle, error = 0;
    struct message *request = abi_make_message(call, wanted->label, wanted->data,
                                               wanted->size_bytes, handle, &error);
    *ret_trap = request == NULL && error == 0;
    if (request == NULL) {
        return error;
    }
    if (wanted->pid == process->pid.raw) {
        abi_unmake_message(guest, request, handle);
        return ABI_INVALID;
    }
    bool no_more = process->ties >= process->quotas->ties_max;
    struct err *err = scratch_err();
    if (!monitor_call(process, (struct pid){wanted->pid}, request, ret_reference, err)) {
        abi_unmake_message(guest, request, handle);
        int32_t number = abi_error_of(err);
        return number == ABI_LIMIT && !no_more ? ABI_FULL : number;
    }
    traffic_sent(&process->traffic, 1, (uint32_t)wanted->size_bytes);
    return 0;
}

/* call_begin(pid, label, data, size, stream) -> i64. */
enum engine_call_result abi_call_begin(struct engine_call *call)
{
    uint64_t reference = 0;
    bool trap = false;
    struct call_request wanted = {.pid = call->arguments[0],
                                  .label = call->arguments[1],
                                  .data = call->arguments[2],
                                  .size_bytes = call->arguments[3],
                                  .handle = (int32_t)call->arguments[4]};
    int32_t error = begin_call(call, &wanted, &reference, &trap);
    if (trap) {
        return ENGINE_CALL_TRAP;
    }
    return abi_answer_wide(call, error != 0 ? error : (int64_t)reference);
}

/* The reply or the end of who was called, or what abi_wait_on() says. */
static enum engine_call_result finish_call(struct engine_call *call, struct post *post,
                                           const struct place *place)
{
    struct guest *guest = guest_of_call(call);
    struct mailbox_filter filter = {.kinds = 1 << MESSAGE_REPLY | 1 << MESSAGE_DOWN,
                                    .reference = post->call_reference};
    if (take(guest, post, &filter, place)) {
        abi_wait_end(call);
        uint32_t kind;
        memcpy(&kind, place->mail, sizeof kind);
        return guest_answer(call, kind == ABI_MAIL_REPLY ? 0 : ABI_CLOSED);
    }
    enum engine_call_result result = abi_wait_on(call);
    if (result == ENGINE_CALL_DONE) {
        (void)monitor_remove(&guest->process, post->call_reference);
    }
    return result;
}

static struct call_request read_request(const struct engine_call *call, const struct place *place)
{
    struct abi_mail mail;
    memcpy(&mail, place->mail, sizeof mail);
    return (struct call_request){.pid = mail.sender,
                                 .label = mail.label,
                                 .data = call->arguments[1],
                                 .size_bytes = call->arguments[2],
                                 .handle = mail.stream};
}

/* call(mail, data, size, buffer, capacity, timeout) -> i32. */
enum engine_call_result abi_call(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct place place;
    if (!read_place(call, 0, 3, &place)) {
        return ENGINE_CALL_TRAP;
    }
    struct post *post = post_of(guest);
    if (post == NULL) {
        return guest_answer(call, ABI_NO_MEMORY);
    }
    if (call->state == 0) {
        if (!abi_wait_begin(call, call->arguments[5])) {
            return guest_answer(call, ABI_INVALID);
        }
        message_destroy(TAKE(post->mail));
        bool trap = false;
        struct call_request wanted = read_request(call, &place);
        int32_t error = begin_call(call, &wanted, &post->call_reference, &trap);
        if (trap || error != 0) {
            abi_wait_end(call);
            return trap ? ENGINE_CALL_TRAP : guest_answer(call, error);
        }
    }
    return finish_call(call, post, &place);
}
