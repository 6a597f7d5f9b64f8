/**
 * @file
 * Giving up rights that are needed only to start: `[node] user`.
 *
 * Threads: the main thread, before workers are started: capabilities belong to threads.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/** Nothing that this process runs gets more rights than it has (prctl(2), PR_SET_NO_NEW_PRIVS). Before any
 *  other thread is started. */
void privileges_keep_down(void);

/** Whether `user` ("name", "name:group", numbers) exists and can be become. NULL is fine. */
bool privileges_check(const char *user, struct err *err) MUST_USE;

/** Become `user`, for good, without any capability. NULL: nothing happens. */
bool privileges_drop(const char *user, struct err *err) MUST_USE;
