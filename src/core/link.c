#include "core/link.h"

#include "core/link_half.h"
#include "core/schedule.h"

/* One half: the body of a message that lies ready to tell the other. */
struct link {
    struct map_member member; /* in the links of its owner, by the peer's pid */
    uint64_t mine;            /* the id of the link that the owner made; 0: it made none */
    uint64_t theirs;          /* of the one that the peer made */
};

static struct link *link_of(const struct message *half)
{
    INVARIANT(half->size_bytes == sizeof(struct link));
    void *body = (void *)(uintptr_t)half->body;
    return body;
}

static struct message *message_of(struct map_member *member)
{
    char *body = (char *)CONTAINER_OF(member, struct link, member);
    return (struct message *)(void *)(body - offsetof(struct message, body));
}

static struct link *link_find(const struct process *process, uint64_t peer)
{
    struct map_member *member = map_find(&process->links, peer);
    return member == NULL ? NULL : CONTAINER_OF(member, struct link, member);
}

static void links_count(struct process *process)
{
    atomic_store_explicit(&process->link_count, process->links.count, memory_order_relaxed);
}

static void link_keep(struct process *process, struct message *half, uint64_t peer)
{
    map_insert(&process->links, &link_of(half)->member, peer);
    links_count(process);
}

/* The half of that peer, now the caller's, or NULL. */
static struct message *link_take(struct process *process, uint64_t peer)
{
    struct map_member *member = map_remove(&process->links, peer);
    if (member == NULL) {
        return NULL;
    }
    links_count(process);
    struct message *half = message_of(member);
    if (link_of(half)->mine != 0) {
        process->ties--;
    }
    return half;
}

/* Both halves of a link that `process` makes: its own is kept, the other, for the peer, is returned. */
static struct message *link_make(struct process *process, struct pid peer, struct err *err)
{
    if (!process_may_tie(process, err)) {
        return NULL;
    }
    struct message *other = signal_create(SIGNAL_LINK, process->pid, sizeof(struct link));
    struct message *own = signal_create(SIGNAL_UNLINK, process->pid, sizeof(struct link));
    if (own == NULL || other == NULL) {
        message_destroy(own);
        message_destroy(other);
        err_set_memory(err);
        return NULL;
    }
    link_of(own)->mine = link_of(other)->theirs = ++process->next_reference;
    link_keep(process, own, peer.raw);
    process->ties++;
    return other;
}

bool link_add(struct process *process, struct pid peer, struct err *err)
{
    if (pid_equal(peer, process->pid) || link_find(process, peer.raw) != NULL) {
        return true;
    }
    struct message *other = link_make(process, peer, err);
    if (other == NULL) {
        return false;
    }
    struct process *target = process_find(process, peer);
    bool linked = target != NULL && signal_push(target, other);
    if (target != NULL) {
        process_release(target);
    }
    if (!linked) {
        /* The half that would have been the peer's says what the peer would have said. */
        signal_dress(other, SIGNAL_LINKED_EXIT, peer);
        other->reason = reason_of(REASON_NOPROC);
        signal_send_or_drop(process->node, process->pid, other);
    }
    return true;
}

bool link_child(struct process *process, struct process *child, struct err *err)
{
    process_identify(child);
    if (link_find(process, child->pid.raw) != NULL) {
        return true;
    }
    struct message *other = link_make(process, child->pid, err);
    if (other == NULL) {
        return false;
    }
    link_arrive(child, other);
    return true;
}

void link_remove(struct process *process, struct pid peer)
{
    struct message *half = link_take(process, peer.raw);
    if (half != NULL) {
        signal_dress(half, SIGNAL_UNLINK, process->pid);
        signal_send_or_drop(process->node, peer, half);
    }
    const struct mailbox_filter exits = {.kinds = 1U << MESSAGE_EXIT, .reference = MESSAGE_BY_LINK};
    mailbox_flush(&process->mailbox, &exits, peer.raw);
}

uint32_t link_count(const struct process *process)
{
    return process->links.count;
}

struct listing {
    struct pid *ret;
    size_t count, max;
};

static void list_one(struct map_member *member, void *argument)
{
    struct listing *listing = argument;
    if (listing->count < listing->max) {
        listing->ret[listing->count++] = (struct pid){member->key};
    }
}

size_t link_list(const struct process *process, struct pid *ret, size_t max)
{
    struct listing listing = {.ret = ret, .max = max};
    map_visit(&process->links, list_one, &listing);
    return listing.count;
}

void link_arrive(struct process *process, struct message *signal)
{
    struct link *there = link_find(process, signal->sender);
    if (there == NULL) {
        link_keep(process, signal, signal->sender);
        return;
    }
    there->theirs = link_of(signal)->theirs;
    message_destroy(signal);
}

void link_withdraw(struct process *process, struct message *signal)
{
    const struct link *gone = link_of(signal);
    struct link *there = link_find(process, signal->sender);
    if (there != NULL) {
        if (there->theirs == gone->mine) {
            there->theirs = 0;
        }
        if (there->mine != 0 && there->mine == gone->theirs) {
            there->mine = 0;
            process->ties--;
        }
        if (there->mine == 0 && there->theirs == 0) {
            message_destroy(link_take(process, signal->sender));
        }
    }
    message_destroy(signal);
}

bool link_ended(struct process *process, const struct message *signal)
{
    const struct link *gone = link_of(signal);
    const struct link *there = link_find(process, signal->sender);
    if (there == NULL || ((there->mine == 0 || there->mine != gone->theirs) &&
                          (there->theirs == 0 || there->theirs != gone->mine))) {
        return false;
    }
    message_destroy(link_take(process, signal->sender));
    return true;
}

bool link_exit_one(struct process *process, struct reason *reason)
{
    struct map_member *member = map_take_any(&process->links);
    if (member == NULL) {
        return false;
    }
    struct message *half = message_of(member);
    struct pid peer = {member->key};
    signal_dress(half, SIGNAL_LINKED_EXIT, process->pid);
    half->reason = reason_retain(reason);
    signal_send_or_drop(process->node, peer, half);
    return true;
}

void link_discard_all(struct process *process)
{
    struct map_member *member;
    while ((member = map_take_any(&process->links)) != NULL) {
        message_destroy(message_of(member));
    }
}
