/**
 * @file
 * Opening a file below a folder, whatever the path says. Threads: any.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <sys/stat.h>

enum static_found {
    STATIC_FILE,
    STATIC_FOLDER,    /**< Nothing is open. */
    STATIC_NOTHING,   /**< Not there, not for us, not below the folder, or no regular file. */
    STATIC_EXHAUSTED, /**< Neither descriptors nor memory. */
};

struct static_file {
    int fd; /**< STATIC_FILE only; the caller's. */
    struct stat stat;
};

/** Never waits for another process, as opening a FIFO would. @param path  relative, terminated */
enum static_found static_file_open(int folder, const char *path, struct static_file *ret);

/** The same without openat2(): no link is followed. For tests, and old kernels. */
enum static_found static_file_open_plainly(int folder, const char *path, struct static_file *ret);

/** Whether `path` (without "/" in front) may be opened: not empty, no empty segment, ".", "..", or, unless `dotfiles`,
 *  a name that begins with "."; shorter than PATH_MAX. One "/" at its end is fine. */
bool static_path_is_valid(const char *path, size_t size_bytes, bool dotfiles);
