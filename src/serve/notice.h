/**
 * @file
 * A page that is shown to browsers in place of everything else, for as long as its file is there: `mote dev` says with it what is wrong
 * with the sources.
 *
 * Threads: the connection's loop. It reads the file each time, which is for development only.
 */
#pragma once

#include "serve/exchange_internal.h"

enum { NOTICE_BYTES_MAX = 1 << 20 };

/** Answer a GET that would take HTML with the file at `path`, by 500. False: there is none, or it is not for this one. */
bool notice_reply(const char *path, struct exchange *exchange);
