#include "guest/abi_internal.h"

#include "core/link.h"
#include "core/monitor.h"
#include "core/node.h"
#include "guest/scratch.h"

#include <stdio.h>
#include <string.h>

/* link(pid) -> i32. What does not exist, or not for this guest, answers by an exit signal. */
enum engine_call_result abi_link(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct process *target = abi_find(guest, call->arguments[0]);
    if (target != NULL) {
        bool may = abi_may_touch(guest, target, "link");
        process_release(target);
        if (!may) {
            return guest_answer(call, ABI_DENIED);
        }
    }
    struct err *err = scratch_err();
    if (!link_add(&guest->process, (struct pid){call->arguments[0]}, err)) {
        return guest_answer(call, abi_error_of(err));
    }
    return guest_answer(call, 0);
}

/* unlink(pid) -> i32. A supervisor stays linked to who started it, or nobody would end it. */
enum engine_call_result abi_unlink(struct engine_call *call)
{
    struct guest *guest = guest_of_call(call);
    struct process *target = abi_find(guest, call->arguments[0]);
    if (target != NULL) {
        bool bound = guest_from_process(target) == NULL &&
                     pid_equal(target->parent, guest->process.pid);
        process_release(target);
        if (bound) {
            guest_log_refused(guest, "unlink", "a supervisor stays linked to who started it");
            return guest_answer(call, ABI_DENIED);
        }
    }
    link_remove(&guest->process, (struct pid){call->arguments[0]});
    return guest_answer(call, 0);
}

/* monitor(pid) -> i64. */
enum engine_call_result abi_monitor(struct engine_call *call)
{
    uint64_t reference = 0;
    struct err *err = scratch_err();
    if (!monitor_add(guest_process(guest_of_call(call)), (struct pid){call->arguments[0]},
                     &reference, err)) {
        return abi_answer_wide(call, abi_error_of(err));
    }
    return abi_answer_wide(call, (int64_t)reference);
}

/* demonitor(reference) -> i32. */
enum engine_call_result abi_demonitor(struct engine_call *call)
{
    bool was = monitor_remove(guest_process(guest_of_call(call)), call->arguments[0]);
    return guest_answer(call, was ? 0 : ABI_NOT_FOUND);
}

/* trap_exits(on) -> i32: what it was. */
enum engine_call_result abi_trap_exits(struct engine_call *call)
{
    if (call->arguments[0] > 1) {
        return guest_answer(call, ABI_INVALID);
    }
    bool was = process_trap_exits(guest_process(guest_of_call(call)), call->arguments[0] != 0);
    return guest_answer(call, was);
}

/* Of a reason that a guest gives: what guest-abi.md says. */
enum { EXIT_TEXT_MAX = 199 };
_Static_assert(EXIT_TEXT_MAX < (int)EXIT_REASON_BYTES, "a guest's reason fits");

static bool is_word(const uint8_t *text, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(text, word, size) == 0;
}

/* exit(reason, size): its turn ends as the process's last one, with what is said here (guest_turn()). */
enum engine_call_result abi_exit(struct engine_call *call)
{
    const uint8_t *text = guest_window(call, call->arguments[0], call->arguments[1]);
    if (text == NULL) {
        return ENGINE_CALL_TRAP;
    }
    struct guest *guest = guest_of_call(call);
    size_t size = (uint32_t)call->arguments[1];
    struct exit *exit = guest->leaving;
    guest->left = true;
    exit->exit_class = size == 0 || is_word(text, size, "normal") ? EXIT_NORMAL
                       : is_word(text, size, "shutdown")          ? EXIT_SHUTDOWN
                                                                  : EXIT_EXITED;
    size_t kept = size < EXIT_TEXT_MAX ? size : EXIT_TEXT_MAX;
    if (exit->exit_class != EXIT_EXITED) {
        kept = 0;
    }
    for (size_t i = 0; i < kept; i++) {
        exit->reason[i] = text[i] < ' ' ? ' ' : (char)text[i]; /* one line, and no zero bytes */
    }
    exit->reason[kept] = '\0';
    return ENGINE_CALL_LEAVE;
}

/* Find one that shall be ended. NULL: `*ret` is the answer. */
static struct process *find_victim(struct engine_call *call, const char *what,
                                   enum engine_call_result *ret)
{
    struct guest *guest = guest_of_call(call);
    struct process *target = abi_find(guest, call->arguments[0]);
    if (target == NULL) {
        *ret = guest_answer(call, ABI_NOT_FOUND);
        return NULL;
    }
    if (!abi_may_touch(guest, target, what)) {
        process_release(target);
        *ret = guest_answer(call, ABI_DENIED);
        return NULL;
    }
    return target;
}

/* exit_signal(pid, reason, size) -> i32. */
enum engine_call_result abi_exit_signal(struct engine_call *call)
{
    const uint8_t *text = guest_window(call, call->arguments[1], call->arguments[2]);
    if (text == NULL) {
        return ENGINE_CALL_TRAP;
    }
    size_t size = (uint32_t)call->arguments[2];
    if (size >= EXIT_REASON_BYTES) {
        return guest_answer(call, ABI_LIMIT);
    }
    enum engine_call_result result;
    struct process *target = find_victim(call, "exit_signal", &result);
    if (target == NULL) {
        return result;
    }
    struct process *process = guest_process(guest_of_call(call));
    struct reason *reason = reason_create(EXIT_EXITED, 0, (const char *)text, size);
    (void)process_exit_signal(process->node, process->pid, target->pid, reason);
    reason_release(reason);
    process_release(target);
    return guest_answer(call, 0);
}

/* kill(pid) -> i32. */
enum engine_call_result abi_kill(struct engine_call *call)
{
    enum engine_call_result result;
    struct process *target = find_victim(call, "kill", &result);
    if (target == NULL) {
        return result;
    }
    char who[64];
    snprintf(who, sizeof who, "by component %.48s", component_name(guest_of_call(call)->component));
    process_stop(target, STOP_KILL, who);
    process_release(target);
    return guest_answer(call, 0);
}
