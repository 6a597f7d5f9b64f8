/**
 * @file
 * What a node runs by itself: the services of its manifest under their supervisors, and its schedules.
 *
 * Life:    services_create() -> services_connect(), before the node's threads run -> services_start() ->
 *          services_schedule() -> services_stop() -> services_destroy() between node_stop() and node_destroy().
 * Threads: the main thread.
 */
#pragma once

#include "admin/admin.h"
#include "manifest/manifest.h"

struct services;

/** Find every entry and put the tree together. `components` are the manifest's, in its order; both are borrowed.
 *  All failures are printed to standard error, one a line. NULL: there was one. */
struct services *services_create(const struct manifest *manifest,
                                 struct component *const *components) MUST_USE;

/** How many processes of `max_processes` are taken from the start: services and supervisors. */
size_t services_processes(const struct manifest *manifest);

/** Connect guests to the catalog, reserve the names of services, prepare the schedules. ERR_EXISTS, ERR_MEMORY. */
bool services_connect(struct services *services, struct node *node, struct err *err) MUST_USE;

/** Start them all, in order, and wait until they have started. False: `err` says which did not, or
 *  that a pending SIGTERM or SIGINT wants this program to end. Whatever the
 *  manifest says of escalation counts from here on: for "stop" this program gets SIGUSR1. */
bool services_start(struct services *services, struct err *err) MUST_USE;

/** Why all services are down, and stay so: their top supervisor gave up, or was killed. NULL: they are not, or were
 *  asked to stop. */
const char *services_downfall(const struct services *services);

/** Begin with the schedules. */
void services_schedule(struct services *services);

/** End the schedules: no process of them begins any more. Again does nothing. */
void services_unschedule(struct services *services);

/** The same; then ask the services to stop, the last one first, and wait until they have, `within_ms` at most.
 *  True: they have. Again does nothing. */
bool services_stop(struct services *services, uint64_t within_ms);

void services_destroy(struct services *services); /**< NULL is allowed. */

/** For the admin listener. Jobs: NULL when there is no schedule; from services_connect() on. */
const struct admin_tally *services_tally(const struct services *services);
const struct jobs *services_jobs(const struct services *services);
