/**
 * @file
 * Host functions that every guest has, import module "mote": identity, clocks, random, sleep, log,
 * granted environment. docs/guest-abi.md is their reference; sdk/c/mote.h their C form.
 *
 * Conventions: pointers and sizes are i32 into the exported memory, out of bounds traps; texts are
 * copied snprintf-like and the full size is returned; negative results are ABI errors.
 */
#pragma once

#include "engine/engine.h"

/** Results below zero, the same numbers in sdk/c/mote.h. */
enum abi_error {
    ABI_DENIED = -1, /**< Not granted; logged with the manifest line that would allow it. */
    ABI_NOT_FOUND = -2,
    ABI_INVALID = -3,   /**< A value out of range or malformed. */
    ABI_LIMIT = -4,     /**< A quota or a size limit. */
    ABI_CLOSED = -5,    /**< The other side is gone. */
    ABI_MISPLACED = -6, /**< Not here, or not now. */
    ABI_NO_MEMORY = -7,
    ABI_MALFORMED = -8, /**< What came from outside is broken. */
};

/** The table; `*ret_count` is its length. Constant. */
const struct engine_import *abi_imports(size_t *ret_count);
