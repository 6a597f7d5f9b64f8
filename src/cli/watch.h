/**
 * @file
 * Notices changes of the files below a folder (inotify).
 *
 * Hidden files and folders, and folders that builds fill (wasm, target, node_modules, build), are not looked at.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/err.h"

enum { WATCHES_MAX = 2048 };

struct watch {
    int fd;                     /**< Can be read when something may have changed. */
    char *folders[WATCHES_MAX]; /**< By the order of their descriptors, from 1; owned. */
    bool crowded;               /**< There are more folders than are watched. */
};

/** What has changed. */
struct changes {
    bool any;      /**< A file that matters. */
    bool manifest; /**< mote.toml or .env of the folder itself. */
};

/** False: ERR_OS. */
bool watch_open(struct watch *watch, const char *folder, struct err *err) MUST_USE;
void watch_close(struct watch *watch);

/** Take what has come, without waiting; added to `ret`. */
void watch_take(struct watch *watch, struct changes *ret);
