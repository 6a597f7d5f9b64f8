/**
 * @file
 * Guests as actors: workers, services and commands: processes that are spawned by others or by a supervisor, with
 * arguments, links and monitors, and that live until their entry returns.
 *
 * Threads: as core/process.h.
 */
#pragma once

#include "core/supervisor.h"
#include "guest/catalog.h"
#include "guest/guest.h"
#include "guest/nursery.h"

/** Connect the actor functions to a node: what spawn() looks names up in. Before its first guest; NULL disconnects.
 *  Borrowed. */
void actor_start(struct node *node, const struct catalog *catalog);

/** What was connected to that node, or NULL. */
const struct catalog *actor_catalog(const struct node *node);

/** Limits below those of the component's grant. 0: the grant's. */
struct actor_limits {
    uint64_t memory_max_bytes;
    uint64_t cpu_max_ns;
    uint64_t deadline_ns; /**< Of its life; below the line's. */
};

struct actor_options {
    const char *kind;  /**< "worker", "service", "command", "schedule". */
    const char *entry; /**< Another export than the line's; NULL: the line's. Terminated. */
    struct edition *const *editions; /**< As guest_options'; NULL: the line's code. */
    const uint8_t *input;            /**< What the spawner passes; copied; read with input_get(). */
    size_t input_bytes;
    struct process *spawner; /**< In its own turn: becomes the parent; NULL: the platform. */
    const char *
        spawner_component; /**< Of the guest on whose behalf; borrowed from its component; NULL: the platform. */
    bool link, monitor;         /**< Of the spawner, atomically with the spawn. */
    struct actor_limits limits; /**< ERR_DENIED where one is above the grant's. */
    struct nursery *nursery;    /**< Counts it until its exit; NULL: nobody does. */
    const char *name; /**< Register it under this (reserved) name, with the start; NULL: none. */
    /** Called on the process before it starts, to tie it to somebody (a supervisor); may be NULL. */
    bool (*prepare)(struct process *owner, struct process *child, struct err *err);
    struct process *prepare_owner;
    /** Told of the exit; may be NULL. Worker's thread. Not called when the spawn failed. */
    void (*exited)(void *argument, const struct exit *exit);
    void *exited_argument;
};

/** Spawn one. `*ret_pid`, `*ret_reference` (0: not monitored) are set on success; both may be NULL.
 *  Only "service" hears MESSAGE_STOP from the start on; others end at once when asked to stop.
 *  @return false, nothing has happened: ERR_LIMIT (node, pools, component, children, ties), ERR_DENIED (draining, limits above
 *          the grant's), ERR_MEMORY, ERR_NOT_FOUND (no entry to run), ERR_EXISTS (name). */
bool actor_spawn(struct node *node, const struct catalog_line *line,
                 const struct actor_options *options, struct pid *ret_pid, uint64_t *ret_reference,
                 struct err *err) MUST_USE;

/** A child for a supervisor's list that spawns `line` (borrowed for the supervisor's life): as a service, registered under the
 *  line's name and expected to announce itself, when it is resident, else as a worker that counts as started at once. Members may
 *  be changed before use, but for `start` and `argument`. */
struct supervisor_child actor_child(const struct catalog_line *line,
                                    enum supervisor_restart restart, uint64_t shutdown_ns,
                                    uint64_t start_timeout_ns);

/** What an actor was given. NULL, 0 for other guests and for those without. Owner. */
const uint8_t *actor_input(const struct guest *guest, size_t *ret_size_bytes);

/** The component of the guest that spawned it, or "" (the platform did, or it is no actor). Owner. */
const char *actor_spawner(const struct guest *guest);

/** Whether it is one. */
bool actor_is(const struct guest *guest);

/** A log line for what a supervisor does: an `event` function for supervisors; no argument. */
void actor_log_supervisor(void *unused, const struct supervisor_event *event);
