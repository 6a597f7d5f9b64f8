/* Mail of guests made for RUSM: receive, and messages that are set aside. */
#include "guest/rusm_internal.h"

#include "core/node.h"
#include "guest/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rusm_desk *rusm_desk_of(struct engine_call *call)
{
    struct post *post = post_of(guest_of_call(call));
    if (post != NULL && post->desk == NULL) {
        post->desk = calloc(1, sizeof *post->desk);
    }
    if (post == NULL || post->desk == NULL) {
        snprintf(call->text, sizeof call->text, "out of memory");
        return NULL;
    }
    return post->desk;
}

static void notes_free(struct rusm_notes *notes)
{
    while (notes->first != NULL) {
        struct rusm_note *note = notes->first;
        notes->first = note->next;
        free(note);
    }
    notes->last = NULL;
}

void rusm_desk_destroy(struct rusm_desk *desk)
{
    if (desk == NULL) {
        return;
    }
    notes_free(&desk->stashed);
    notes_free(&desk->front);
    free(desk->current);
    bytes_fini(&desk->text);
    free(desk);
}

struct engine_call rusm_inner(const struct engine_call *call)
{
    return (struct engine_call){.process = call->process, .direct = true, .state = call->state};
}

enum engine_call_result rusm_hand_out(struct engine_call *call, unsigned first, const void *data,
                                      size_t size_bytes)
{
    if (call->direct) {
        call->body = data;
        call->body_bytes = size_bytes;
        return guest_answer(call, (int32_t)size_bytes);
    }
    return guest_answer_text(call, data, size_bytes, call->arguments[first],
                             call->arguments[first + 1]);
}

/* ---- receiving ---- */

/* What one try of a receive has found. */
enum taken { TAKEN_MAIL, TAKEN_NOTHING, TAKEN_NOT_YET };

struct mail {
    const void *data;
    size_t size_bytes;
};

static const char *down_reason(uint32_t exit_class)
{
    switch (exit_class) {
    case ABI_EXIT_NORMAL:
    case ABI_EXIT_SHUTDOWN:
        return "normal";
    case ABI_EXIT_KILLED:
        return "killed";
    case ABI_EXIT_NOPROC:
    case ABI_EXIT_NOCONNECTION:
        return "noproc";
    default:
        return "crashed";
    }
}

static bool tell_down(struct rusm_desk *desk, const struct abi_mail *mail, struct mail *ret)
{
    bytes_clear(&desk->text);
    if (!bytes_printf(&desk->text, "{\"__down\":\"%llu\",\"reason\":\"%s\"}",
                      (unsigned long long)mail->sender, down_reason(mail->exit_class))) {
        return false;
    }
    *ret = (struct mail){desk->text.data, desk->text.size};
    return true;
}

/* A stream's end that came with mail: it waits to be accepted. One too many is closed. */
static void keep_stream(struct guest *guest, struct rusm_desk *desk, int32_t handle)
{
    if (handle <= 0) {
        return;
    }
    if (desk->stream_count == RUSM_STREAMS_WAITING_MAX) {
        pipe_finish(pipe_end_of(handle_take(guest, handle)), false, PIPE_NO_REASON);
        return;
    }
    desk->streams[desk->stream_count++] = handle;
}

/* Whether a piece of mail is for the guest to read, and what that is then. */
static bool is_readable(struct guest *guest, struct rusm_desk *desk, const struct abi_mail *mail,
                        const struct engine_call *inner, struct mail *ret)
{
    *ret = (struct mail){inner->body, inner->body_bytes};
    switch (mail->kind) {
    case ABI_MAIL_SEND:
        if (mail->label == RUSM_STREAM_LABEL && mail->stream != 0) {
            keep_stream(guest, desk, mail->stream);
            return false;
        }
        return true;
    case ABI_MAIL_CALL:
    case ABI_MAIL_REPLY:
    case ABI_MAIL_TIMER:
    case ABI_MAIL_FRAME:
        return true;
    case ABI_MAIL_DOWN:
        return component_kind(guest->component) == ENGINE_COMPONENT && tell_down(desk, mail, ret);
    default: /* what its client said last, which the end of its outlet tells, too; exit signals */
        return false;
    }
}

/* How much of the wait is left once something was passed over. */
static uint64_t rest_of(const struct guest *guest, uint64_t timeout, uint64_t due_ns)
{
    if (timeout == 0 || timeout == UINT64_MAX) {
        return timeout;
    }
    uint64_t now_ns = node_now_ns(guest->process.node);
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

/* One try, with `timeout` as abi_wait_begin() has it. `*ret_result`: of a guest that ends, or waits. */
static enum taken take(struct engine_call *call, const struct abi_filter *filter, uint64_t timeout,
                       struct abi_mail *ret_mail, struct engine_call *inner,
                       enum engine_call_result *ret_result)
{
    *inner = rusm_inner(call);
    inner->arguments[0] = (uintptr_t)filter;
    inner->arguments[1] = (uintptr_t)ret_mail;
    inner->arguments[4] = timeout;
    *ret_result = abi_receive(inner);
    call->state = inner->state;
    if (*ret_result != ENGINE_CALL_DONE) {
        return TAKEN_NOT_YET;
    }
    switch ((int32_t)inner->result) {
    case 0:
        if (ret_mail->kind == ABI_MAIL_STOP) {
            *ret_result = ENGINE_CALL_LEAVE;
            return TAKEN_NOT_YET;
        }
        return TAKEN_MAIL;
    case ABI_TIMEOUT:
        return TAKEN_NOTHING;
    case ABI_CLOSED: /* a client has left, which it is told in another way */
        *ret_result = ENGINE_CALL_PARK;
        return TAKEN_NOT_YET;
    default:
        snprintf(call->text, sizeof call->text, "out of memory");
        *ret_result = ENGINE_CALL_TRAP;
        return TAKEN_NOT_YET;
    }
}

/* What was set aside and given back comes first. */
static bool take_note(struct rusm_desk *desk, struct mail *ret)
{
    free(TAKE(desk->current));
    struct rusm_note *note = desk->front.first;
    if (note == NULL) {
        return false;
    }
    desk->front.first = note->next;
    desk->front.last = note->next != NULL ? desk->front.last : NULL;
    desk->stashed_count--;
    desk->stashed_bytes -= note->size_bytes;
    desk->current = note;
    *ret = (struct mail){note->bytes, note->size_bytes};
    return true;
}

/* The next thing to read. */
static enum taken receive(struct engine_call *call, uint64_t timeout, struct mail *ret,
                          enum engine_call_result *ret_result)
{
    struct guest *guest = guest_of_call(call);
    struct rusm_desk *desk = rusm_desk_of(call);
    if (desk == NULL) {
        *ret_result = ENGINE_CALL_TRAP;
        return TAKEN_NOT_YET;
    }
    if (call->state == 0 && take_note(desk, ret)) {
        return TAKEN_MAIL;
    }
    for (;;) {
        struct abi_mail mail = {0};
        struct engine_call inner;
        enum taken taken = take(call, NULL, timeout, &mail, &inner, ret_result);
        if (taken != TAKEN_MAIL || is_readable(guest, desk, &mail, &inner, ret)) {
            return taken;
        }
        timeout = rest_of(guest, timeout, call->state);
        call->state = 0;
    }
}

/* receive() -> bytes. */
enum engine_call_result rusm_receive(struct engine_call *call)
{
    struct mail mail = {0};
    enum engine_call_result result = ENGINE_CALL_PARK;
    if (receive(call, UINT64_MAX, &mail, &result) != TAKEN_MAIL) {
        return result;
    }
    return rusm_hand_out(call, 0, mail.data, mail.size_bytes);
}

/* receive(buffer, capacity) -> i32: a module's. The window is looked at first. */
enum engine_call_result rusm_module_receive(struct engine_call *call)
{
    if (guest_window(call, call->arguments[0], call->arguments[1]) == NULL) {
        return ENGINE_CALL_TRAP;
    }
    return rusm_receive(call);
}

/* receive_timeout(milliseconds) -> bytes, or -1. */
enum engine_call_result rusm_receive_timeout(struct engine_call *call)
{
    uint64_t most_ms = ABI_TIME_MAX_NS / ABI_MILLISECOND_NS;
    uint64_t wanted_ms = call->arguments[0] < most_ms ? call->arguments[0] : most_ms;
    struct mail mail = {0};
    enum engine_call_result result = ENGINE_CALL_PARK;
    switch (receive(call, wanted_ms * ABI_MILLISECOND_NS, &mail, &result)) {
    case TAKEN_MAIL:
        return rusm_hand_out(call, 1, mail.data, mail.size_bytes);
    case TAKEN_NOTHING:
        return guest_answer(call, -1);
    case TAKEN_NOT_YET:
        return result;
    }
    BUG("unknown answer of a receive");
}

/* ---- setting aside ---- */

/* stash(data, size). */
enum engine_call_result rusm_stash(struct engine_call *call)
{
    const struct grant *grant = guest_grant(guest_of_call(call));
    struct rusm_desk *desk = rusm_desk_of(call);
    const uint8_t *data = guest_window(call, call->arguments[0], call->arguments[1]);
    if (desk == NULL || data == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t size = (uint32_t)call->arguments[1];
    const struct mailbox_limits *most = &grant->mailbox;
    if ((most->messages != 0 && desk->stashed_count >= most->messages) ||
        (most->bytes != 0 && desk->stashed_bytes + size > most->bytes)) {
        snprintf(call->text, sizeof call->text,
                 "more messages are set aside than a mailbox may hold (mailbox-messages, "
                 "mailbox-bytes)");
        return ENGINE_CALL_TRAP;
    }
    struct rusm_note *note = malloc(sizeof *note + size);
    if (note == NULL) {
        snprintf(call->text, sizeof call->text, "out of memory");
        return ENGINE_CALL_TRAP;
    }
    note->next = NULL;
    note->size_bytes = size;
    memcpy(note->bytes, data, size);
    struct rusm_notes *notes = &desk->stashed;
    *(notes->last != NULL ? notes->last : &notes->first) = note;
    notes->last = &note->next;
    desk->stashed_count++;
    desk->stashed_bytes += size;
    return ENGINE_CALL_DONE;
}

/* unstash(): what was set aside, in its order, before what was given back earlier. */
enum engine_call_result rusm_unstash(struct engine_call *call)
{
    struct rusm_desk *desk = rusm_desk_of(call);
    if (desk == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct rusm_notes *notes = &desk->stashed;
    if (notes->first == NULL) {
        return ENGINE_CALL_DONE;
    }
    *notes->last = desk->front.first;
    if (desk->front.first == NULL) {
        desk->front.last = notes->last;
    }
    desk->front.first = notes->first;
    *notes = (struct rusm_notes){0};
    return ENGINE_CALL_DONE;
}

/* ---- streams that are sent ---- */

/* stream_accept() -> i64: the next one; mail stays where it is. */
enum engine_call_result rusm_stream_accept(struct engine_call *call)
{
    struct rusm_desk *desk = rusm_desk_of(call);
    if (desk == NULL) {
        return ENGINE_CALL_TRAP;
    }
    if (call->state == 0 && desk->stream_count > 0) {
        int32_t handle = desk->streams[0];
        desk->stream_count--;
        memmove(desk->streams, desk->streams + 1, desk->stream_count * sizeof desk->streams[0]);
        return abi_answer_wide(call, handle);
    }
    const struct abi_filter filter = {.kinds = 1 << ABI_MAIL_SEND | 1 << ABI_MAIL_STOP,
                                      .label_count = 1,
                                      .labels = {RUSM_STREAM_LABEL}};
    for (;;) {
        struct abi_mail mail = {0};
        struct engine_call inner;
        enum engine_call_result result = ENGINE_CALL_PARK;
        if (take(call, &filter, UINT64_MAX, &mail, &inner, &result) != TAKEN_MAIL) {
            return result;
        }
        if (mail.stream > 0) {
            return abi_answer_wide(call, mail.stream);
        }
        call->state = 0;
    }
}
