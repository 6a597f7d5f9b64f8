/**
 * @file
 * What the processes of a node are doing just now: shares of CPU time and turns since the last question.
 * Known to `src/admin/` only.
 *
 * Threads: one at a time: the admin thread.
 */
#pragma once

#include "admin/report.h"

struct top_sample;

/** What the last question saw. Zeroed: nothing. */
struct top {
    struct top_sample *samples; /* owned, by pid */
    size_t count;
    uint64_t at_ns; /* monotonic; 0: never */
};

/** So long ago, the last question says nothing of now: then, as for a process that it did not see, what counts
 *  is the time since the start of each process. */
#define TOP_FORGET_NS UINT64_C(60000000000)

void top_fini(struct top *top);

/** The busiest processes first, at most `rows` of them (0: all). False: out of memory. */
bool report_top(const struct report_source *source, struct top *top, enum report_form form,
                size_t rows, struct bytes *ret) MUST_USE;
