/**
 * @file
 * From a component of the manifest to its grant.
 */
#pragma once

#include "guest/grant.h"
#include "manifest/manifest.h"

/** Fill `ret`, whose `network` is the caller's to release, and which borrows from the manifest and from what is returned: the preopens, owned by the caller: free().
 *  NULL: out of memory. */
struct engine_preopen *grant_fill(const struct manifest_component *from, struct grant *ret)
    MUST_USE;
