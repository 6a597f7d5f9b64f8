/**
 * @file
 * Settings of a manifest that follow from the limits of the machine where they are 0.
 *
 * Threads: none of its own.
 */
#pragma once

#include "guest/pool.h"
#include "manifest/manifest.h"

/** What the descriptors are for. */
struct descriptor_plan {
    uint32_t connections;
    uint32_t fetches;  /**< Of guests, at once: max-fetches, or what there are descriptors for. */
    uint32_t refusals; /**< Of each worker, who are told that there are too many. */
};

/** As many connections as there are descriptors for. */
struct descriptor_plan allowance_descriptors(const struct manifest *manifest,
                                             const struct pool *pool);

/** What 0 comes to here. */
void allowance_settle(struct manifest *manifest, const struct pool *pool);
