/**
 * @file
 * The folders that `mote run` may give to a guest.
 *
 * Threads: none of its own.
 */
#pragma once

#include "engine/engine.h"

/** Whether all of them can be given. False: standard error says which one, and why not: no folder; holds or lies in the
 *  folder of compiled code (NULL: the user's), `/proc` or `/sys`; lies in another one that may be written to. */
bool folders_allow(const struct engine_preopen *folders, size_t count, const char *cache_folder);
