/**
 * @file
 * Components that are written in JavaScript or TypeScript: the script is loaded into the runtime of this program, and the
 * component begins where loading it ended. A script that imports others, or is none of plain JavaScript, goes through
 * esbuild first: that of MOTE_ESBUILD, of the folder's node_modules, or in PATH.
 *
 * Threads: the main thread.
 */
#pragma once

#include "cli/build_language.h"

extern const struct build_language build_javascript;
