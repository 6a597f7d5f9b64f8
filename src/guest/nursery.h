/**
 * @file
 * How many children of one process are alive, counted exactly: an object that the process and all of its children hold,
 * so that neither needs the other to be alive.
 *
 * Life:    nursery_create() with a process's first child -> last holder gone.
 * Threads: any; taking is the parent's, giving back the children's.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct nursery;

/** Held once, by the caller. NULL: out of memory. */
struct nursery *nursery_create(uint32_t children_max) MUST_USE;
struct nursery *nursery_retain(struct nursery *nursery);
void nursery_release(struct nursery *nursery); /**< NULL is allowed. */

/** Count a child and hold the nursery for it. False: there are as many as may be. */
bool nursery_enter(struct nursery *nursery) MUST_USE;

/** A child is gone: both back. NULL is allowed. */
void nursery_leave(struct nursery *nursery);

/** Children now. */
uint32_t nursery_children(const struct nursery *nursery);
