/**
 * @file
 * Guests in Go, by the standard compiler.
 *
 * Threads: the main thread.
 */
#pragma once

#include "cli/build_language.h"

extern const struct build_language build_go;
