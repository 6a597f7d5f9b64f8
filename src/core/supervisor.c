#include "core/supervisor.h"

#include "core/link.h"
#include "core/node.h"
#include "core/schedule.h"
#include "core/supervisor_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What others send must not keep it from its children, or its worker from everybody else. */
enum { HEAR_AT_ONCE = 64 };

/* Take news. Whether there may be more. */
static bool supervisor_hear(struct supervisor *supervisor)
{
    struct process *process = &supervisor->process;
    for (unsigned i = 0; i < HEAR_AT_ONCE; i++) {
        struct message *message = process_receive(process, NULL);
        if (message == NULL) {
            return false;
        }
        switch (message->kind) {
        case MESSAGE_DOWN:
            supervisor_child_exited(supervisor, message->reference, message->reason);
            break;
        case MESSAGE_STOP:
            supervisor_end(supervisor, EXIT_SHUTDOWN, message->reason->text, NULL);
            break;
        case MESSAGE_EXIT:
            /* Children are known by their monitors; nobody else's exit is its business. */
            if (!pid_is_none(process->parent) && message->sender == process->parent.raw) {
                supervisor_end(supervisor, EXIT_KILLED, message->reason->text, message->reason);
            }
            break;
        case MESSAGE_SEND:
        case MESSAGE_CALL:
        case MESSAGE_REPLY:
        case MESSAGE_TIMER:
        case MESSAGE_FRAME:
        case MESSAGE_CLOSE:
        case MESSAGE_CHANGED:
            break;
        }
        message_destroy(message);
    }
    return true;
}

static enum turn supervisor_over(struct supervisor *supervisor, struct exit *ret_exit)
{
    if (supervisor->end_reason != NULL) {
        /* Ends as an exit signal would have ended it: with the parent's own reason. */
        process_stop_because(&supervisor->process, STOP_EXIT, supervisor->end_reason);
        return TURN_PARKED;
    }
    ret_exit->exit_class = supervisor->end_class;
    memcpy(ret_exit->reason, supervisor->end_text, sizeof(ret_exit->reason));
    return TURN_ENDED;
}

/* So many steps are over in far less than a tick: no look at the clock after each. */
enum { STEPS_A_TICK = 8 };

static enum turn supervisor_turn(struct process *process, struct exit *ret_exit)
{
    struct supervisor *supervisor = supervisor_of(process);
    for (unsigned steps = 1;; steps++) {
        bool more = supervisor_hear(supervisor);
        switch (supervisor_step(supervisor)) {
        case STEP_MORE:
            break;
        case STEP_WAIT: {
            if (more) {
                break;
            }
            uint64_t due_ns = supervisor_due_ns(supervisor);
            if (due_ns == UINT64_MAX) {
                process_cancel_wake(process);
            } else {
                process_wake_at(process, due_ns);
            }
            return TURN_PARKED;
        }
        case STEP_OVER:
            return supervisor_over(supervisor, ret_exit);
        }
        if (steps % STEPS_A_TICK != 0 && process_may_step(process)) {
            continue;
        }
        switch (process_tick(process)) {
        case TICK_CONTINUE:
            continue;
        case TICK_YIELD:
            return TURN_YIELDED;
        case TICK_STOP:
            ret_exit->exit_class = EXIT_KILLED;
            return TURN_ENDED;
        }
        BUG("no such tick");
    }
}

/* It has children left only when it was killed: they end with it, also those that trap exits. */
static void supervisor_reclaim(struct process *process)
{
    struct supervisor *supervisor = supervisor_of(process);
    supervisor_abandon(supervisor);
    map_fini(&supervisor->watched);
}

static void supervisor_exited(struct process *process, const struct exit *exit)
{
    const char *reason = exit->reason[0] != '\0' ? exit->reason : exit_class_name(exit->exit_class);
    supervisor_tell(supervisor_of(process), SUPERVISOR_STOPPED, NULL, reason, false);
}

static void supervisor_destroy(struct process *process)
{
    struct supervisor *supervisor = supervisor_of(process);
    if (supervisor->destroyed != NULL) {
        supervisor->destroyed(supervisor->event_argument);
    }
    reason_release(supervisor->end_reason);
    free(supervisor->restarts);
    free(supervisor->children);
    free(supervisor);
}

static const struct body supervisor_body = {
    .turn = supervisor_turn,
    .reclaim = supervisor_reclaim,
    .exited = supervisor_exited,
    .destroy = supervisor_destroy,
};

static int name_compare(const void *a, const void *b)
{
    const struct supervisor_child *const *first = a;
    const struct supervisor_child *const *second = b;
    return strcmp((*first)->name, (*second)->name);
}

static bool names_check(const struct supervisor_child *children, size_t count, struct err *err)
{
    const struct supervisor_child **sorted = calloc(count + 1,
                                                    sizeof(const struct supervisor_child *));
    if (sorted == NULL) {
        return err_set_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &children[i];
    }
    qsort(sorted, count, sizeof(const struct supervisor_child *), name_compare);
    bool unique = true;
    for (size_t i = 1; i < count && unique; i++) {
        unique = strcmp(sorted[i - 1]->name, sorted[i]->name) != 0 ||
                 err_set(err, ERR_INPUT, "two children are called '%s'", sorted[i]->name);
    }
    free(sorted);
    return unique;
}

static bool options_check(const struct supervisor_options *options, struct err *err)
{
    if (options->child_count > SUPERVISOR_CHILDREN_MAX) {
        return err_set(err, ERR_INPUT, "a supervisor may have %d children, not %zu",
                       SUPERVISOR_CHILDREN_MAX, options->child_count);
    }
    if (options->max_restarts > SUPERVISOR_RESTARTS_MAX) {
        return err_set(err, ERR_INPUT, "max-restarts may be %d, not %u", SUPERVISOR_RESTARTS_MAX,
                       (unsigned)options->max_restarts);
    }
    return names_check(options->children, options->child_count, err);
}

/* Not started; NULL: no memory. */
static struct supervisor *supervisor_create(struct node *node,
                                            const struct supervisor_options *options)
{
    static const struct process_quotas quotas = {.ties_max = UINT32_MAX};
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    struct child *children = calloc(options->child_count + 1, sizeof(*children));
    uint64_t *restarts = calloc((size_t)options->max_restarts + 1, sizeof(*restarts));
    if (supervisor == NULL || children == NULL || restarts == NULL) {
        free(supervisor);
        free(children);
        free(restarts);
        return NULL;
    }
    snprintf(supervisor->name, sizeof(supervisor->name), "%s", options->name);
    const struct process_options process_options = {
        .kind = "supervisor",
        .label = supervisor->name,
        .mailbox = {.messages = 64, .bytes = 65536, .policy = MAILBOX_REFUSE},
        .quotas = &quotas,
        .namespace = options->parent == NULL ? NULL : options->parent->namespace,
        .traps_exits = true,
        .takes_stop = true,
    };
    process_init(&supervisor->process, &supervisor_body, node, &process_options);
    if (options->parent != NULL) {
        supervisor->process.parent = options->parent->pid;
    }
    supervisor->strategy = options->strategy;
    supervisor->max_restarts = options->max_restarts;
    supervisor->window_ns = options->window_ns;
    supervisor->restarts = restarts;
    supervisor->children = children;
    supervisor->child_count = supervisor->range_end = options->child_count;
    list_init(&supervisor->pending);
    for (size_t i = 0; i < options->child_count; i++) {
        children[i].spec = options->children[i];
        list_init(&children[i].pending);
    }
    return supervisor;
}

bool supervisor_start(struct node *node, const struct supervisor_options *options,
                      struct process **ret, struct err *err)
{
    if (!options_check(options, err)) {
        return false;
    }
    struct supervisor *supervisor = supervisor_create(node, options);
    if (supervisor == NULL) {
        return err_set_memory(err);
    }
    struct process *process = &supervisor->process;
    bool tied = options->parent == NULL ||
                (options->prepare != NULL ? options->prepare(options->parent, process, err)
                                          : link_child(options->parent, process, err));
    if (tied) {
        supervisor->event = options->event;
        supervisor->event_argument = options->event_argument;
        supervisor->destroyed = options->destroyed;
        process_retain(process);
        if (process_start(process, NULL, err)) {
            if (ret != NULL) {
                *ret = process;
            } else {
                process_release(process);
            }
            return true;
        }
        process_release(process);
        supervisor->destroyed = NULL;
        if (options->parent != NULL && options->prepare == NULL) {
            link_remove(options->parent, process->pid);
        }
    }
    process_discard(process);
    return false;
}

void supervisor_child_started(struct process *child)
{
    if (atomic_load_explicit(&child->started, memory_order_relaxed)) {
        return;
    }
    /* Release: pairs with step_await(); the wake below makes it look. */
    atomic_store_explicit(&child->started, true, memory_order_release);
    struct process *parent = pid_is_none(child->parent) ? NULL
                                                        : node_find(child->node, child->parent);
    if (parent == NULL) {
        return;
    }
    if (parent->body == &supervisor_body) {
        process_wake(parent);
    }
    process_release(parent);
}

void supervisor_renew_child(struct process *child, enum supervisor_renewal renewal)
{
    struct process *parent = pid_is_none(child->parent) ? NULL
                                                        : node_find(child->node, child->parent);
    if (parent == NULL) {
        return;
    }
    if (parent->body == &supervisor_body) {
        atomic_store_explicit(&child->renewal, renewal, memory_order_relaxed);
        /* Release: pairs with supervisor_next_renewal(); the wake makes it look. */
        atomic_store_explicit(&supervisor_of(parent)->renewals, true, memory_order_release);
        process_wake(parent);
    }
    process_release(parent);
}

size_t supervisor_list(struct process *supervisor, struct supervisor_line *ret, size_t max)
{
    if (supervisor->body != &supervisor_body) {
        return 0;
    }
    struct supervisor *self = supervisor_of(supervisor);
    for (size_t i = 0; i < self->child_count && i < max; i++) {
        const struct child *child = &self->children[i];
        snprintf(ret[i].name, sizeof(ret[i].name), "%s", child->spec.name);
        ret[i].pid.raw = atomic_load_explicit(&child->pid, memory_order_relaxed);
        ret[i].restarts = atomic_load_explicit(&child->restarts, memory_order_relaxed);
    }
    return self->child_count;
}
