/**
 * @file
 * From the components of the manifest to the catalog of what can be spawned.
 */
#pragma once

#include "guest/catalog.h"
#include "manifest/manifest.h"

/** `components` are the manifest's, in its order; both are borrowed for the catalog's life. An entry that is named must
 *  exist, and what is run from the start or by schedules must have one: failures are printed to standard error, one
 *  a line. NULL: there was one. */
struct catalog *catalog_fill(const struct manifest *manifest, struct component *const *components)
    MUST_USE;
