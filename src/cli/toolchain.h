/**
 * @file
 * The C toolchain for guests: clang with a WebAssembly linker, and mote.h, which is part of this
 * program.
 *
 * Life:    toolchain_open() makes a folder of its own for intermediate files -> toolchain_close().
 * Threads: the main thread.
 */
#pragma once

#include "base/err.h"

enum { TOOLCHAIN_FOLDER_BYTES = 128 };

struct toolchain {
    char folder[TOOLCHAIN_FOLDER_BYTES]; /**< Temporary; holds headers and object files. */
};

/** ERR_OS: no temporary folder. ERR_NOT_FOUND: no clang, or it cannot make WebAssembly: says what to install. */
bool toolchain_open(struct toolchain *toolchain, struct err *err) MUST_USE;
void toolchain_close(struct toolchain *toolchain);

/** Write what guests include into a folder. */
bool toolchain_write_headers(const char *folder, struct err *err) MUST_USE;

/** Compile `count` C files into one Wasm file. What the compiler says goes to standard error. The
 *  output appears whole or not at all.
 *  False: ERR_INPUT (the compiler found errors), ERR_OS. */
bool toolchain_build(struct toolchain *toolchain, const char *const *sources, size_t count,
                     const char *output, struct err *err) MUST_USE;
