/**
 * @file
 * Everything that this program offers to guests: the host functions of all layers as one table.
 */
#pragma once

#include "engine/engine.h"

/** Owned by the caller: free(). NULL: out of memory. */
struct engine_import *imports_gather(size_t *ret_count) MUST_USE;
