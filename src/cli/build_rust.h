/**
 * @file
 * Guests in Rust, by cargo.
 *
 * Threads: the main thread.
 */
#pragma once

#include "cli/build_language.h"

extern const struct build_language build_rust;
