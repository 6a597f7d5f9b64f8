/**
 * @file
 * Everything that is wrong with a manifest, so that all of it can be told at once.
 *
 * A problem is one line: `file:line:column: what is wrong; what was meant, or what to do`. Warnings
 * say `warning: ` after the place.
 * Life:    a zeroed list is empty; problems_fini() frees it.
 * Threads: none of its own.
 */
#pragma once

#include "base/bytes.h"

/** Where: line and column from 1; 0 means that there is none to tell. */
struct place {
    const char *file;
    uint32_t line, column;
};

enum problem_severity { PROBLEM_ERROR, PROBLEM_WARNING };

struct problem {
    enum problem_severity severity;
    char *file; /**< Owned. */
    uint32_t line, column;
    char *text;     /**< Owned; control characters and broken UTF-8 are escaped. */
    size_t rank;    /**< Of the file: files keep the order in which they first had a problem. */
    size_t arrival; /**< Decides between problems of one place. */
};

/** More than so many are counted, not kept: nobody reads further. */
enum { PROBLEMS_MAX = 200 };

struct problems {
    struct problem *items;
    size_t count, capacity;
    size_t errors;      /**< All errors, also those not kept. */
    size_t suppressed;  /**< Problems not kept because there were too many. */
    bool out_of_memory; /**< Something could not be recorded; counts as an error. */
};

void problems_fini(struct problems *problems);
static inline void problems_finip(struct problems *problems)
{
    problems_fini(problems);
}

/** Record an error. `place.file` is copied. */
void problem_error(struct problems *problems, struct place place, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/** Record something that is suspicious but does not prevent a start. */
void problem_warning(struct problems *problems, struct place place, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/** Record that memory ran out. Returns NULL, so that a failed allocation can return it. */
void *problem_memory(struct problems *problems);

/** Whether anything forbids going on. */
bool problems_failed(const struct problems *problems);

/** Order by file, line and column. */
void problems_sort(struct problems *problems);

/** Append one terminated line a problem. False: out of memory. */
bool problems_print(const struct problems *problems, struct bytes *ret) MUST_USE;
