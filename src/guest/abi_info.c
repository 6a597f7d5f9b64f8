#include "guest/abi_internal.h"

#include "base/utf8.h"
#include "core/alarm.h"
#include "core/link.h"
#include "core/monitor.h"
#include "core/node.h"

#include <string.h>

static uint32_t phase_of(const struct process *process)
{
    switch (process_phase(process)) {
    case PHASE_PARKED:
        return ABI_PHASE_PARKED;
    case PHASE_QUEUED:
        return ABI_PHASE_QUEUED;
    case PHASE_RUNNING:
    case PHASE_WOKEN:
    case PHASE_EXITED:
        return ABI_PHASE_RUNNING;
    }
    BUG("unknown phase");
}

/* Relaxed: counts for readers. */
static uint64_t count_of(const atomic_uint_least64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void describe(const struct process *self, const struct process *target, struct abi_info *ret)
{
    const struct guest *guest = guest_from_process(target);
    struct traffic_counts traffic = traffic_read(&target->traffic);
    *ret = (struct abi_info){
        .parent = target->parent.raw,
        .phase = phase_of(target),
        .mailbox_messages = mailbox_messages(&target->mailbox),
        .mailbox_bytes = mailbox_bytes(&target->mailbox),
        .memory_bytes = guest != NULL ? count_of(&guest->memory_bytes) : 0,
        .cpu_ns = count_of(&target->cpu_ns),
        .turns = count_of(&target->turns),
        .preemptions = count_of(&target->preemptions),
        .messages_received = traffic.received,
        .bytes_received = traffic.received_bytes,
        .messages_sent = traffic.sent,
        .bytes_sent = traffic.sent_bytes,
        .age_ns = node_now_ns(self->node) - target->started_ns,
    };
    if (target == self) {
        ret->links = link_count(self);
        ret->monitors = monitor_count(self);
        ret->timers = alarm_count(self);
    }
}

/* info(pid, info) -> i32. */
enum engine_call_result abi_info(struct engine_call *call)
{
    uint8_t *window = guest_window(call, call->arguments[1], sizeof(struct abi_info));
    if (window == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct guest *guest = guest_of_call(call);
    struct process *target = abi_find(guest, call->arguments[0]);
    if (target == NULL) {
        return guest_answer(call, ABI_NOT_FOUND);
    }
    struct abi_info info;
    describe(&guest->process, target, &info);
    process_release(target);
    memcpy(window, &info, sizeof info);
    return guest_answer(call, 0);
}

/* What `state` of a list() under way says: the next part, and how many were found; never 0. */
enum { LIST_PART_BITS = 8 };

static uint64_t list_state(unsigned part, uint64_t count)
{
    return count << LIST_PART_BITS | part;
}

/* list(pids, capacity) -> i32: how many there are. Counted from part to part, so it is exact once nothing moves. */
enum engine_call_result abi_list(struct engine_call *call)
{
    struct pid *pids;
    size_t max;
    enum engine_call_result result;
    if (!abi_read_pids(call, 0, &pids, &max, &result)) {
        return result;
    }
    struct process *process = guest_process(guest_of_call(call));
    struct env *env = node_env(process->node);
    uint64_t began_ns = env->monotonic_ns(env);
    unsigned part = call->state & ((1U << LIST_PART_BITS) - 1);
    uint64_t count = call->state >> LIST_PART_BITS;
    while (part < NODE_PARTS) {
        size_t used = count < max ? (size_t)count : max;
        count += node_pids(process->node, part, process->namespace, pids + used, max - used);
        part++;
        if (part < NODE_PARTS && env->monotonic_ns(env) - began_ns >= ABI_SLICE_NS) {
            call->state = list_state(part, count);
            process_wake(process);
            return ENGINE_CALL_PARK;
        }
    }
    return guest_answer(call, (int32_t)count);
}

/* UTF-8 without control characters: it goes to terminals. */
static bool is_line(const char *text, size_t size)
{
    for (size_t at = 0, taken; at < size; at += taken) {
        uint32_t code = 0;
        taken = utf8_decode(text + at, size - at, &code);
        if (taken == 0 || code < ' ' || code == 0x7f) {
            return false;
        }
    }
    return true;
}

/* set_label(text, size) -> i32. */
enum engine_call_result abi_set_label(struct engine_call *call)
{
    const uint8_t *text = guest_window(call, call->arguments[0], call->arguments[1]);
    if (text == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t size = (uint32_t)call->arguments[1];
    if (size >= PROCESS_NOTE_BYTES) {
        return guest_answer(call, ABI_LIMIT);
    }
    const char *line = (const char *)text;
    if (!is_line(line, size)) {
        return guest_answer(call, ABI_INVALID);
    }
    if (!process_set_note(guest_process(guest_of_call(call)), line, size)) {
        return guest_answer(call, ABI_NO_MEMORY);
    }
    return guest_answer(call, 0);
}
