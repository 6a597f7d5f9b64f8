/**
 * @file
 * What a build said, as a page: the first place that it names with the lines of source around it, and all of it.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/bytes.h"

/** @param said    what a compiler, or mote itself, has printed
 *  @param folder  where paths in it begin
 *  @return false: out of memory */
bool error_page(const struct bytes *said, const char *folder, struct bytes *ret) MUST_USE;
