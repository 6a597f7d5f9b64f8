/**
 * @file
 * The files that a component is made of.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/err.h"

enum { SOURCES_MAX = 256, SOURCE_PATH_BYTES = 4096 };

/** Paths, owned. Zeroed: none. */
struct sources {
    char *items[SOURCES_MAX];
    size_t count;
};

void sources_fini(struct sources *sources);
static inline void sources_finip(struct sources *sources)
{
    sources_fini(sources);
}

bool is_file(const char *path);

/** Add one. False: ERR_LIMIT (SOURCES_MAX), ERR_MEMORY. */
bool sources_add(struct sources *sources, const char *path, struct err *err) MUST_USE;

/** Add every file of a folder whose name ends like that (".c") and does not begin with a dot, in the order of their
 *  names, but none that is there already. There need not be such a folder. */
bool sources_add_folder(struct sources *sources, const char *folder, const char *ending,
                        struct err *err) MUST_USE;

/** Whether `output` is there, and newer than each of them and than this program. */
bool sources_made(const struct sources *sources, const char *output);
