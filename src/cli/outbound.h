/**
 * @file
 * The node's client for requests that guests send, as the manifest says.
 */
#pragma once

#include "guest/fetcher.h"
#include "manifest/manifest.h"

/** @param fetches_max  as many as there are descriptors for; where that is less than the manifest says, the log tells
 *  @return NULL: `err` says why; also that `ca-certificates` holds none */
struct fetcher *outbound_create(const struct manifest *manifest, uint32_t fetches_max,
                                struct node *node, struct err *err) MUST_USE;

/** Whether any component may reach anything. */
bool outbound_is_granted(const struct manifest *manifest);
