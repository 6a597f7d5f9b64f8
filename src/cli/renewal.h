/**
 * @file
 * What becomes of a service whose code was swapped: its supervisor starts it anew, or it is told and ends when it likes.
 *
 * Threads: any.
 */
#pragma once

#include "core/node.h"
#include "manifest/manifest.h"

/** Begin, as its `code-change` says. A service that is down just now needs nothing: it will come up with the new code. */
void renewal_begin(struct node *node, const struct manifest_component *component);
