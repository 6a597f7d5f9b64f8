/**
 * @file
 * The components of an app that lend themselves to code which guests bring.
 */
#pragma once

#include "guest/dynamic.h"
#include "manifest/manifest.h"

/** What spawn_from() needs on that node: connected to it. `options`: all but the templates. NULL: as dynamic_create(). */
struct dynamic *lenders_connect(const struct manifest *manifest,
                                struct component *const *components, const struct node *node,
                                struct dynamic_options options, struct err *err) MUST_USE;
