/**
 * @file
 * Running other programs: compilers, linkers, optimisers.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>

enum { TOOL_WORDS_MAX = 512 };

/** A command line: the program first, found by PATH. Words are borrowed. */
struct words {
    const char *items[TOOL_WORDS_MAX]; /**< NULL-terminated. */
    size_t count;
};

void words_add(struct words *words, const char *word);

/** The status when a program could not be started; others are its own, 128 where a signal ended it. */
enum { TOOL_MISSING = 127 };

/** Run it and wait for its end. A quiet one says nothing on standard error.
 *  @param folder  where it runs; NULL: here.
 *  @param output  where its standard output goes; below 0: where this program's does. */
int tool_run(const struct words *words, const char *folder, int output, bool quiet);
