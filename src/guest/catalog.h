/**
 * @file
 * The registered components by name, with how each is run: what spawns, supervisors, schedules and calls
 * start from.
 *
 * Life:    built at start; the names and components are borrowed and outlive it.
 * Threads: constant once built.
 */
#pragma once

#include "guest/component.h"

struct catalog;

/** A component as registered. Borrowed members. */
struct catalog_line {
    const char *name;
    struct component *component;
    uint32_t entry; /**< Of its `entry` key, else its only sensible default. */
    bool has_entry; /**< False: only routes can run it, they name an entry each. */
    bool resident;  /**< A service: runs under a supervisor from the start, under its own name. */
    uint64_t deadline_ns; /**< Of a worker's or command's life; 0: none. */
};

/** Copies the lines. NULL: ERR_EXISTS (two of one name), ERR_MEMORY. */
struct catalog *catalog_create(const struct catalog_line *lines, size_t count, struct err *err)
    MUST_USE;
void catalog_destroy(struct catalog *catalog); /**< NULL is allowed. */

/** NULL: no such component. */
const struct catalog_line *catalog_find(const struct catalog *catalog, const char *name,
                                        size_t name_bytes);
