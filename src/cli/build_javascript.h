/**
 * @file
 * Components that are written in JavaScript or TypeScript: the script is loaded into the runtime of this program, and the
 * component begins where loading it ended.
 *
 * Threads: the main thread.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>

/** The script that the component DIR/NAME.wasm is made of: NAME.EXT or src/NAME.EXT in `folder`, EXT being ts, tsx, mts, js,
 *  mjs or jsx. False: there is none. */
bool build_javascript_find(const char *folder, const char *wasm, char *ret, size_t ret_bytes);

/** Make `output` of `source`. A script that imports others, or is none of plain JavaScript, goes through esbuild first:
 *  that of MOTE_ESBUILD, of `folder`'s node_modules, or in PATH. What the script logs meanwhile, and what is wrong with it,
 *  goes to standard error. The output appears whole or not at all.
 *  False: ERR_INPUT, ERR_NOT_FOUND (no esbuild: says how to get it), ERR_OS, ERR_MEMORY. */
bool build_javascript(const char *folder, const char *source, const char *output, struct err *err)
    MUST_USE;

/** Whether it is made of that file alone, so that their ages tell if there is anything to do. */
bool build_javascript_is_alone(const char *source);
