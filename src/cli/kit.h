/**
 * @file
 * SDKs that are part of this program, to be written where a compiler finds them: tools/embed_tree.py makes the tables.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/err.h"
#include "cli/templates.h"

/** sdk/go. Ended by one without a path. */
extern const struct embedded kit_go[];

/** sdk/rust, likewise. */
extern const struct embedded kit_rust[];

/** Put a file in the place of whatever is there: a link is replaced, not followed, and nobody sees half of it. False: ERR_OS. */
bool kit_put(const char *path, const void *data, size_t size_bytes, struct err *err) MUST_USE;

/** Write the files below `folder`, which is made; what is there already as it should be is left as it is. False: ERR_OS, also
 *  where `folder` or one below it is a link. */
bool kit_write(const struct embedded *files, const char *folder, struct err *err) MUST_USE;
