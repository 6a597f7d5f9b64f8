#include "guest/abi_internal.h"

#include "core/alarm.h"
#include "guest/scratch.h"

/* Make the message and start the timer: (label, data, size) are in `arguments`. */
static enum engine_call_result start(struct engine_call *call, uint64_t pid, uint64_t label,
                                     const uint64_t data[2], uint64_t after_ns, uint64_t every_ns)
{
    struct guest *guest = guest_of_call(call);
    int32_t error = 0;
    struct message *message = abi_make_message(call, label, data[0], data[1], 0, &error);
    if (message == NULL) {
        return error == 0 ? ENGINE_CALL_TRAP : abi_answer_wide(call, error);
    }
    if (after_ns > ABI_TIME_MAX_NS) {
        message_destroy(message);
        return abi_answer_wide(call, ABI_INVALID);
    }
    uint64_t reference = 0;
    struct err *err = scratch_err();
    if (!alarm_start(&guest->process, (struct pid){pid}, after_ns, every_ns, message, &reference,
                     err)) {
        message_destroy(message);
        return abi_answer_wide(call, abi_error_of(err));
    }
    return abi_answer_wide(call, (int64_t)reference);
}

/* send_after(pid, label, data, size, after) -> i64. */
enum engine_call_result abi_send_after(struct engine_call *call)
{
    /* Who is out of reach counts as gone: the timer fires into nothing. */
    struct process *target = abi_find(guest_of_call(call), call->arguments[0]);
    uint64_t pid = target != NULL ? call->arguments[0] : 0;
    if (target != NULL) {
        process_release(target);
    }
    return start(call, pid, call->arguments[1], &call->arguments[2], call->arguments[4], 0);
}

/* interval(every, data, size) -> i64. */
enum engine_call_result abi_interval(struct engine_call *call)
{
    uint64_t every_ns = call->arguments[0];
    uint64_t pid = guest_process(guest_of_call(call))->pid.raw;
    /* Zero would be no period, and less than the clock's step no honest one. */
    uint64_t after_ns = every_ns < ABI_MILLISECOND_NS ? UINT64_MAX : every_ns;
    return start(call, pid, 0, &call->arguments[1], after_ns, every_ns);
}

/* cancel(reference) -> i32. */
enum engine_call_result abi_cancel(struct engine_call *call)
{
    switch (alarm_cancel(guest_process(guest_of_call(call)), call->arguments[0])) {
    case ALARM_STOPPED:
        return guest_answer(call, 1);
    case ALARM_FIRED:
        return guest_answer(call, 0);
    case ALARM_UNKNOWN:
        return guest_answer(call, ABI_NOT_FOUND);
    }
    BUG("unknown answer of a timer");
}
