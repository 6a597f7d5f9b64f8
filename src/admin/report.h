/**
 * @file
 * What a running node says of itself: docs/cli.md describes the members.
 *
 * Threads: any. Counts are read one after the other: exact once nothing moves.
 */
#pragma once

#include "admin/admin.h"
#include "base/json.h"

struct report_source {
    const struct admin_options *node; /**< Borrowed. */
    bool ready;
    uint64_t uptime_ns;
};

enum report_form { REPORT_JSON, REPORT_TEXT };

/** Counts against limits; as text a line each. Reads /proc: takes milliseconds on a large node.
 *  False: out of memory. */
bool report_stats(const struct report_source *source, enum report_form form, struct bytes *ret)
    MUST_USE;

/** Every process that is alive, at most PROCESSES_MAX; as text a table. False: out of memory. */
bool report_processes(const struct report_source *source, enum report_form form, struct bytes *ret)
    MUST_USE;
