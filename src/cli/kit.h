/**
 * @file
 * SDKs that are part of this program, to be written where a compiler finds them: tools/embed_folder.py makes the tables.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/err.h"

struct kit_file {
    const char *path; /**< Below the kit's folder. */
    const unsigned char *data;
    size_t size_bytes;
};

extern const struct kit_file kit_go[];
extern const size_t kit_go_count;

/** Write the files below `folder`, which is made; what is there already as it should be is left as it is. False: ERR_OS. */
bool kit_write(const struct kit_file *files, size_t count, const char *folder, struct err *err)
    MUST_USE;
