/**
 * @file
 * Jobs: components that are run at certain times, or again and again. [[schedule]] of the manifest.
 *
 * Each firing spawns one process of kind "schedule", with nobody above it. Times that have passed while
 * the machine slept, or the clock was set, are made up for by one firing, not by many. A job that is not to
 * overlap is skipped while its last process still runs.
 *
 * Life:    jobs_create() -> jobs_start(), with the node running -> jobs_stop() -> jobs_destroy() after the node
 *          has stopped.
 * Threads: main; counts: any. Firing is the work of worker 0.
 */
#pragma once

#include "guest/actor.h"
#include "guest/calendar.h"

struct jobs;

/** One. All borrowed. */
struct job_options {
    const struct catalog_line *line;
    const char *entry;               /**< Another than the line's; NULL: the line's. */
    const struct calendar *calendar; /**< NULL: `every_ns` counts. */
    uint64_t every_ns;               /**< From the start on; not 0 without a calendar. */
    bool overlap;                    /**< Fire also while the last one runs. */
};

/** What it has done. */
struct job_counts {
    uint64_t fired;   /**< Processes started. */
    uint64_t skipped; /**< Not started: the last one was still running. */
    uint64_t failed;  /**< Not started: the node had no room, or was stopping. */
    uint64_t running; /**< Now. */
};

/** What starts a process: actor_spawn(), or a test's double. */
typedef bool job_spawn(struct node *node, const struct catalog_line *line,
                       const struct actor_options *options, struct pid *ret_pid,
                       uint64_t *ret_reference, struct err *err);

/** Prepare `count` of them. NULL: ERR_MEMORY. `spawn` is actor_spawn. */
struct jobs *jobs_create(struct node *node, const struct job_options *options, size_t count,
                         job_spawn *spawn, struct err *err) MUST_USE;

/** Begin: an interval counts from here. */
void jobs_start(struct jobs *jobs);

/** No firing begins after this has returned; what runs goes on. Again does nothing. */
void jobs_stop(struct jobs *jobs);

void jobs_destroy(struct jobs *jobs); /**< NULL is allowed. */

/** Name of the component that job `index` runs. */
const char *jobs_component(const struct jobs *jobs, size_t index);

struct job_counts jobs_counts(const struct jobs *jobs, size_t index);
