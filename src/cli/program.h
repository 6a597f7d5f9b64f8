/**
 * @file
 * Programs that run beside this one: a node, a test. Each has a process group of its own, so that what is typed on the terminal reaches only
 * this program, which ends them. They are told to end when this one is gone.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct program {
    pid_t pid;    /**< 0: none runs. */
    int pid_fd;   /**< Can be read once it has ended. */
    bool grouped; /**< It has a group of its own, and nothing of that shall outlive it. */
};

struct program_options {
    const char *const *words; /**< The path first; NULL-terminated. */
    const char *folder;       /**< Where it runs. */
    const char *const
        *environment;   /**< "NAME=value" besides this program's; NULL-terminated, or NULL. */
    int out_fd, err_fd; /**< Its standard output and error; -1: this program's. */
};

/** The path of this program. */
bool program_own_path(char *ret, size_t size_bytes, struct err *err) MUST_USE;

/** Start one. False: ERR_OS. */
bool program_start(struct program *program, const struct program_options *options, struct err *err)
    MUST_USE;

/** Take over one that runs already, or will become this program's child when its parent ends. False: it has ended. */
bool program_adopt(struct program *program, pid_t pid) MUST_USE;

enum program_wait {
    PROGRAM_ENDED, /**< `*ret_status` is its status, 128 and the signal's number where one ended it. */
    PROGRAM_LATE,
    PROGRAM_INTERRUPTED, /**< `stop_fd` can be read. */
};

/** Wait for its end. `stop_fd`: -1: none. */
enum program_wait program_wait(struct program *program, int stop_fd, int within_ms,
                               int *ret_status);

/** Send its group SIGTERM, and SIGKILL where that has not ended it in time, or once `stop_fd` can be read. */
void program_end(struct program *program, int stop_fd, int within_ms);
