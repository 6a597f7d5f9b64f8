/**
 * @file
 * Names, tags and groups of a node: who can be found under what.
 *
 *   name   at most one process under it                      (OTP: erlang:register/2)
 *   tag    many processes under one, a process under many    (for finding, not for sending)
 *   group  processes that get what is published to it        (OTP: pg)
 *
 * All live in namespaces, texts that the caller's grant gives. A process registers only itself; all that it holds is
 * released at its exit, before its links and monitors are told. A reserved name (one of the manifest's) is only for the
 * platform to give, together with the start of a process.
 *
 * Threads: any; one lock per shard inside (LOCK_REGISTRY), never held while a process is called or woken.
 */
#pragma once

#include "base/err.h"
#include "core/message.h"
#include "core/pid.h"

struct node;
struct process;
struct registry;

enum { REGISTRY_NAME_BYTES_MAX = 128 };

/** Which of the three. */
enum registry_kind { REGISTRY_NAME, REGISTRY_TAG, REGISTRY_GROUP };
enum { REGISTRY_KINDS = REGISTRY_GROUP + 1 };

/** A namespace and a name in it; both borrowed. 1 to REGISTRY_NAME_BYTES_MAX bytes, any but zero. */
struct registry_key {
    const char *namespace;
    const char *name;
    size_t name_bytes;
};

struct registry *registry_create(struct err *err) MUST_USE;
void registry_destroy(
    struct registry *registry); /**< BUG when anything is registered. NULL is allowed. */

/** Put `process` under a name, tag or group. Owner, within a turn; or, with `platform`, before its start.
 *  Again for a tag or group it has already: fine.
 *  @param ret_holder  for ERR_EXISTS: who has the name; may be NULL
 *  @return false: ERR_EXISTS (name taken by another, or this process has it), ERR_DENIED (reserved), ERR_LIMIT
 *          (process_options quotas), ERR_INPUT (empty, too long), ERR_MEMORY. */
bool registry_add(struct registry *registry, struct process *process, enum registry_kind kind,
                  const struct registry_key *key, bool platform, struct pid *ret_holder,
                  struct err *err) MUST_USE;

/** Take it off again. Owner. False: it was not under it. */
bool registry_remove(struct registry *registry, struct process *process, enum registry_kind kind,
                     const struct registry_key *key);

/** Release all of them. The exiting process's worker; again does nothing. */
void registry_leave(struct registry *registry, struct process *process);

/** Reserve a name for the platform. Before the node starts. False: ERR_EXISTS, ERR_MEMORY. */
bool registry_reserve(struct registry *registry, const struct registry_key *key, struct err *err)
    MUST_USE;

/** Whose name it is; none: nobody's. */
struct pid registry_whereis(struct registry *registry, const struct registry_key *key);

/** Copy up to `max` pids of a tag or group, oldest member first. Returns how many there are in all. */
size_t registry_members(struct registry *registry, enum registry_kind kind,
                        const struct registry_key *key, struct pid *ret, size_t max);

/** Call `visit` for every member of that kind, one shard after the other, with its lock held: it only copies.
 *  For lists and counts; `key` is valid for the call, its namespace NULL. */
typedef void registry_visitor(void *argument, const struct registry_key *key, struct pid pid);
void registry_visit(struct registry *registry, enum registry_kind kind, registry_visitor *visit,
                    void *argument);

/** Visit what `process` itself has of one kind. Its owner. */
void registry_visit_own(const struct process *process, enum registry_kind kind,
                        registry_visitor *visit, void *argument);

/** How a publication went. */
struct publication {
    uint64_t reached; /**< Mailboxes that took it. */
    uint64_t skipped; /**< Full, or gone meanwhile. */
};

/** Walk of a group for publishing, in slices. Zeroed to begin with. */
struct publishing {
    uint64_t position, end; /**< Private: serials of members. */
    struct publication sum;
};

/** Send `payload` to the members of a group under `label`, at most `most` of them a call: members that were there
 *  when it began get it once; one that is full is counted and skipped. True: done; false: call again (in another
 *  slice). The publisher gets it too if it is a member. Out of memory counts as skipped. */
bool registry_publish(struct registry *registry, struct node *node, const struct registry_key *key,
                      uint64_t sender, uint64_t label, struct payload *payload, unsigned most,
                      struct publishing *publishing) MUST_USE;
