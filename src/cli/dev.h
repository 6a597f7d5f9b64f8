/**
 * @file
 * What `mote dev` has going: a node, a watch on the files, and a place for what is wrong.
 *
 * Life:    dev_open() -> dev_apply() at first and at each change -> dev_close().
 * Threads: the main thread, the only one.
 */
#pragma once

#include "base/bytes.h"
#include "cli/program.h"
#include "cli/watch.h"

enum { DEV_LISTENERS_MAX = 16, DEV_PATH_BYTES = 4096 };

struct dev {
    const char *folder;
    const char *listen[DEV_LISTENERS_MAX]; /**< In place of the manifest's; borrowed. */
    size_t listen_count;
    int stop_fd;  /**< SIGINT, SIGTERM, SIGHUP. */
    bool stopped; /**< One came. */
    struct watch watch;
    struct program node;    /**< The app. */
    struct program leaving; /**< The one before it, which finishes what it has begun. */
    struct program waiting; /**< Shows what is wrong while there is no app. */
    char own[DEV_PATH_BYTES];
    char runtime[64];               /**< A folder of its own. */
    char notice[96];                /**< The page for browsers, when something is wrong. */
    char admin[DEV_PATH_BYTES];     /**< The socket of the node that runs. */
    char *bound[DEV_LISTENERS_MAX]; /**< Where the manifest that was good last listens; owned. */
    size_t bound_count;
    bool manifest_changed; /**< Since the node was started, or has taken it. */
};

/** Folders and descriptors; signals are blocked from here on. */
bool dev_open(struct dev *dev, struct err *err) MUST_USE;
void dev_close(struct dev *dev);

/** Build, and have the node take what is new; start one where there is none. Everything is said on the terminal. */
void dev_apply(struct dev *dev);

/** The node has ended by itself. */
void dev_node_ended(struct dev *dev);
