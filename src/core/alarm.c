#include "core/alarm.h"

#include "core/node.h"
#include "core/signal.h"

/* Lies in the body of its own SIGNAL_ALARM, so that firing needs no memory. */
struct alarm {
    struct tie tie; /* first: in the creator's `awaited` */
    struct timer timer;
    struct process *process; /* constant: the creator; cancelled before that is gone */
    struct message *signal;  /* constant: what this lies in */
    void (*free_signal)(struct entry *entry); /* constant: what frees it */
    struct pid target;                        /* constant */
    uint64_t every_ns;                        /* constant; 0: once */
    struct payload *payload;                  /* constant: of the messages of a periodic one */
    struct message
        *message;           /* owner only: the next one to deliver; NULL: see `unread` and `owed` */
    struct message *unread; /* owner only: lies in the mailbox, nobody has taken it */
    size_t size_bytes;      /* constant: what it holds, against the creator's mailbox limit */
    uint64_t owed;          /* owner only: firings for which there was no memory */
    uint64_t due_ns;        /* owner only */
    bool ended;             /* owner only: cancelled while its signal was on the way */
    struct alarm *next;     /* owner only: of those that end together */
    atomic_bool
        posted; /* the timer's callback sets it, the owner clears it: the signal is on the way */
};

static struct alarm *alarm_of(struct map_member *member)
{
    struct tie *tie = CONTAINER_OF(member, struct tie, member);
    return tie->kind == TIE_ALARM ? CONTAINER_OF(tie, struct alarm, tie) : NULL;
}

static struct alarm *alarm_of_signal(struct message *signal)
{
    return (struct alarm *)(void *)signal->body;
}

static struct alarm *alarm_find(const struct process *process, uint64_t reference)
{
    struct map_member *member = map_find(&process->awaited, reference);
    return member == NULL ? NULL : alarm_of(member);
}

static void alarm_free(struct alarm *alarm)
{
    message_destroy(alarm->message);
    payload_release(alarm->payload);
    alarm->free_signal(&alarm->signal->entry);
}

/* The signal came to its end unseen: it was in a mailbox that was closed. */
static void alarm_signal_destroy(struct entry *entry)
{
    struct alarm *alarm = alarm_of_signal(CONTAINER_OF(entry, struct message, entry));
    atomic_store_explicit(&alarm->posted, false, memory_order_relaxed);
    if (alarm->ended) {
        alarm_free(alarm);
    }
}

/* On the thread of whichever worker the timer was started on, with its timers locked. */
static void alarm_fire(struct timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    /* Before the push, which releases it to the owner; who cancels the timer waits for this callback. */
    atomic_store_explicit(&alarm->posted, true, memory_order_relaxed);
    switch (process_push(alarm->process, &alarm->signal->entry)) {
    case PUSH_ACCEPTED:
        return;
    case PUSH_FULL: /* Signals are not refused. */
    case PUSH_CLOSED:
        atomic_store_explicit(&alarm->posted, false, memory_order_relaxed);
        return;
    }
    BUG("no such result of a push");
}

static void alarm_run(struct alarm *alarm)
{
    struct worker *worker = worker_current();
    INVARIANT(worker != NULL);
    timer_start(&worker->timers, &alarm->timer, alarm->due_ns, alarm_fire);
}

static void message_dress_timer(struct message *message, uint64_t reference)
{
    message->entry.kind = ENTRY_NEWS;
    message->kind = MESSAGE_TIMER;
    message->reference = reference;
    message->label = 0;
}

/* Set the next message of a periodic alarm aside. */
static void alarm_refill(struct alarm *alarm)
{
    if (alarm->message == NULL) {
        alarm->message = message_create_shared(alarm->process->pid.raw, 0, alarm->payload);
    }
    if (alarm->message != NULL) {
        message_dress_timer(alarm->message, alarm->tie.member.key);
    }
}

/* Its messages share their bytes. */
static bool alarm_make_periodic(struct alarm *alarm, struct message *message)
{
    size_t size_bytes;
    const void *data = message_data(message, &size_bytes);
    alarm->payload = message->shared != NULL ? payload_retain(message->shared)
                                             : payload_create(data, size_bytes);
    return alarm->payload != NULL;
}

static uint64_t later(uint64_t now_ns, uint64_t after_ns)
{
    return after_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + after_ns;
}

bool alarm_start(struct process *process, struct pid target, uint64_t after_ns, uint64_t every_ns,
                 struct message *message, uint64_t *ret_reference, struct err *err)
{
    bool own = pid_equal(target, process->pid);
    if (every_ns != 0 && (!own || message->cargo != NULL)) {
        return err_set(err, ERR_INPUT, "a periodic timer sends plain bytes to its own process");
    }
    if (process->timers >= process->quotas->timers_max) {
        return err_set(err, ERR_LIMIT, "a process may have %u timers",
                       (unsigned)process->quotas->timers_max);
    }
    if (message->size_bytes > process->mailbox.limits.bytes - process->timer_bytes) {
        return err_set(err, ERR_LIMIT, "timers of a process may hold %llu bytes",
                       (unsigned long long)process->mailbox.limits.bytes);
    }
    struct message *signal = signal_create(SIGNAL_ALARM, process->pid, sizeof(struct alarm));
    if (signal == NULL) {
        return err_set_memory(err);
    }
    struct alarm *alarm = alarm_of_signal(signal);
    alarm->signal = signal;
    alarm->free_signal = signal->entry.destroy;
    if (every_ns != 0 && !alarm_make_periodic(alarm, message)) {
        alarm_free(alarm);
        return err_set_memory(err);
    }
    signal->entry.destroy = alarm_signal_destroy;
    alarm->tie.kind = TIE_ALARM;
    alarm->process = process;
    alarm->target = target;
    alarm->every_ns = every_ns;
    alarm->message = message;
    alarm->due_ns = later(node_now_ns(process->node), after_ns);
    uint64_t reference = process_next_reference(process);
    if (own) {
        message_dress_timer(message, reference);
    }
    map_insert(&process->awaited, &alarm->tie.member, reference);
    process->timers++;
    alarm->size_bytes = message->size_bytes;
    process->timer_bytes += alarm->size_bytes;
    alarm_run(alarm);
    *ret_reference = reference;
    return true;
}

/* Its timer is not running: free it now, or when its signal has come. */
static void alarm_let_go(struct alarm *alarm)
{
    if (atomic_load_explicit(&alarm->posted, memory_order_relaxed)) {
        alarm->ended = true;
    } else {
        alarm_free(alarm);
    }
}

static void alarm_end(struct alarm *alarm)
{
    /* Waits for a callback that runs: from here on `posted` stays what it is until the signal comes. */
    timer_cancel(&alarm->timer);
    map_remove(&alarm->process->awaited, alarm->tie.member.key);
    alarm->process->timers--;
    alarm->process->timer_bytes -= alarm->size_bytes;
    alarm_let_go(alarm);
}

enum alarm_cancelled alarm_cancel(struct process *process, uint64_t reference)
{
    struct alarm *alarm = alarm_find(process, reference);
    if (alarm == NULL) {
        return ALARM_UNKNOWN;
    }
    bool unread = alarm->unread != NULL;
    alarm_end(alarm);
    if (unread) {
        const struct mailbox_filter filter = {.kinds = 1U << MESSAGE_TIMER, .reference = reference};
        mailbox_flush(&process->mailbox, &filter, 0);
    }
    return unread ? ALARM_FIRED : ALARM_STOPPED;
}

uint32_t alarm_count(const struct process *process)
{
    return process->timers;
}

/* How often it has fired since it was last seen, now that it has; and when it is due next. */
static uint64_t alarm_firings(struct alarm *alarm)
{
    uint64_t now = node_now_ns(alarm->process->node);
    uint64_t late = now > alarm->due_ns ? now - alarm->due_ns : 0;
    uint64_t firings = late / alarm->every_ns + 1;
    alarm->due_ns = later(now - late % alarm->every_ns, alarm->every_ns);
    return firings;
}

static void alarm_deliver_periodic(struct alarm *alarm)
{
    alarm->owed += alarm_firings(alarm);
    if (alarm->unread != NULL) {
        alarm->unread->label += alarm->owed;
        alarm->owed = 0;
    } else {
        alarm_refill(alarm);
        if (alarm->message != NULL) {
            alarm->message->label = alarm->owed;
            alarm->owed = 0;
            alarm->unread = TAKE(alarm->message);
            mailbox_append(&alarm->process->mailbox, alarm->unread);
        }
    }
    alarm_run(alarm);
}

static void alarm_deliver(struct alarm *alarm)
{
    if (alarm->every_ns != 0) {
        alarm_deliver_periodic(alarm);
        return;
    }
    struct process *process = alarm->process;
    struct message *message = TAKE(alarm->message);
    if (pid_equal(alarm->target, process->pid)) {
        message->label = 1;
        alarm->unread = message;
        mailbox_append(&process->mailbox, message);
        return;
    }
    struct pid target = alarm->target;
    alarm_end(alarm);
    if (!process_send(process->node, target, message)) {
        message_destroy(message);
    }
}

void alarm_arrive(struct process *process, struct message *firing)
{
    struct alarm *alarm = alarm_of_signal(firing);
    atomic_store_explicit(&alarm->posted, false, memory_order_relaxed);
    if (alarm->ended) {
        alarm_free(alarm);
        return;
    }
    /* The callback may still be on its last step, on another worker. */
    timer_cancel(&alarm->timer);
    if (process_phase(process) != PHASE_EXITED) {
        alarm_deliver(alarm);
    }
}

void alarm_taken(struct process *process, const struct message *message)
{
    struct alarm *alarm = alarm_find(process, message->reference);
    INVARIANT(alarm != NULL);
    INVARIANT(alarm->unread == message);
    alarm->unread = NULL;
    if (alarm->every_ns == 0) {
        alarm_end(alarm);
    } else {
        alarm_refill(alarm);
    }
}

static void alarm_gather(struct map_member *member, void *argument)
{
    struct alarm **first = argument;
    struct alarm *alarm = alarm_of(member);
    if (alarm != NULL) {
        alarm->next = *first;
        *first = alarm;
    }
}

void alarm_exit(struct process *process)
{
    if (process->timers == 0) {
        return;
    }
    struct alarm *first = NULL;
    map_visit(&process->awaited, alarm_gather, &first);
    while (first != NULL) {
        struct alarm *alarm = first;
        first = alarm->next;
        alarm_end(alarm);
    }
}
