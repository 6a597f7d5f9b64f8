#include "guest/abi_internal.h"

#include "guest/handle.h"

#include <string.h>

enum { WAIT_ENTRIES_MAX = 65 };

/* Whether there is mail that the last receive did not look at. What has just arrived is sorted when the next turn
 * begins; `*ret_again` asks for one. */
static bool has_mail(const struct mailbox *mailbox, bool *ret_again)
{
    if (mailbox->ready_first != NULL && mailbox->ready_last != mailbox->passed) {
        return true;
    }
    *ret_again |= mailbox_has_arrivals(mailbox);
    return false;
}

int32_t abi_wait_look(struct guest *guest, const struct abi_wait *entry, bool *ret_again)
{
    switch (entry->kind) {
    case ABI_WAIT_MAIL:
        return has_mail(&guest->process.mailbox, ret_again);
    case ABI_WAIT_READABLE:
    case ABI_WAIT_WRITABLE: {
        uint32_t wanted = entry->kind == ABI_WAIT_READABLE ? HANDLE_READABLE : HANDLE_WRITABLE;
        int32_t ready = handle_ready(guest, entry->handle, wanted);
        return ready < 0 ? ready : ((uint32_t)ready & wanted) != 0;
    }
    case ABI_WAIT_CLIENT_GONE:
        if (guest->role->gone == NULL) {
            return ABI_MISPLACED;
        }
        return guest->role->gone(guest, guest->context);
    case ABI_WAIT_BODY:
        return guest->role->body_ready != NULL ? guest->role->body_ready(guest, guest->context)
                                               : ABI_MISPLACED;
    case ABI_WAIT_ANSWER:
        return guest->role->answer_ready != NULL ? guest->role->answer_ready(guest, guest->context)
                                                 : ABI_MISPLACED;
    case ABI_WAIT_FETCHED:
        return abi_fetch_ready(guest, entry->handle);
    default: /* a number from the guest, not an enum of ours */
        return ABI_INVALID;
    }
}

/* Look at all of the set and note in it what is ready. Returns how many, or an error. */
static int32_t look_at_all(struct guest *guest, uint8_t *set, size_t count, bool *ret_again)
{
    int32_t ready_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct abi_wait entry;
        memcpy(&entry, set + i * sizeof entry, sizeof entry);
        int32_t ready = abi_wait_look(guest, &entry, ret_again);
        if (ready < 0) {
            return ready;
        }
        entry.ready = (uint32_t)ready;
        memcpy(set + i * sizeof entry, &entry, sizeof entry);
        ready_count += ready;
    }
    return ready_count;
}

static bool waits_for_mail(const uint8_t *set, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct abi_wait entry;
        memcpy(&entry, set + i * sizeof entry, sizeof entry);
        if (entry.kind == ABI_WAIT_MAIL) {
            return true;
        }
    }
    return false;
}

void abi_unit_rest(struct guest *guest)
{
    if (guest->role->unit_ns != NULL) {
        process_set_deadline(&guest->process, 0);
    }
}

void abi_unit_begin(struct guest *guest)
{
    if (guest->role->unit_ns != NULL) {
        process_set_deadline(&guest->process, guest->role->unit_ns(guest->context));
    }
}

/* Nothing is ready: wait, without its time running while it is mail that is waited for. */
static enum engine_call_result rest(struct engine_call *call, const uint8_t *set, size_t count)
{
    struct guest *guest = guest_of_call(call);
    bool idle = waits_for_mail(set, count);
    if (idle) {
        abi_unit_rest(guest);
    }
    enum engine_call_result result = abi_wait_on(call);
    if (idle && result == ENGINE_CALL_DONE) {
        abi_unit_begin(guest);
    }
    return result;
}

/* wait(set, count, timeout) -> i32: how many are ready. */
enum engine_call_result abi_wait(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    uint64_t count = (uint32_t)call->arguments[1];
    uint64_t size = count * sizeof(struct abi_wait);
    uint8_t *set = guest_window(call, call->arguments[0], size < UINT32_MAX ? size : UINT32_MAX);
    if (set == NULL) {
        return ENGINE_CALL_TRAP;
    }
    if (count == 0 || count > WAIT_ENTRIES_MAX) {
        return guest_answer(call, ABI_INVALID);
    }
    bool first = call->state == 0, again = false;
    if (first && !abi_wait_begin(call, call->arguments[2])) {
        return guest_answer(call, ABI_INVALID);
    }
    int32_t ready = look_at_all(guest, set, count, &again);
    if (ready != 0) {
        abi_wait_end(call);
        if (!first && waits_for_mail(set, count)) {
            abi_unit_begin(guest);
        }
        return guest_answer(call, ready);
    }
    if (first && again) {
        process_wake(&guest->process);
        return ENGINE_CALL_PARK;
    }
    return rest(call, set, count);
}
