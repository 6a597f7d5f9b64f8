/**
 * @file
 * What a file of Wasm imports, read from its bytes: nothing is compiled, and nothing in the file is trusted.
 *
 * Threads: any; nothing is kept.
 */
#pragma once

#include "base/bytes.h"

/** One import. Texts lie in the file: not terminated, any bytes. */
struct wasm_import {
    const char *module; /**< Of a component's import: the whole name, "wasi:cli/stdout@0.2.6". */
    size_t module_bytes;
    const char *name; /**< Empty for a component's. */
    size_t name_bytes;
};

enum wasm_kind { WASM_MODULE, WASM_COMPONENT };

/** Tell `visit` of each import in the order of the file; of a component only of its own, not those of what is inside.
 *  @return false: it is no Wasm, or broken, or has something here that is not known: those after it were not told. */
bool wasm_imports_visit(const struct bytes *wasm, enum wasm_kind *ret_kind,
                        void (*visit)(void *argument, const struct wasm_import *import),
                        void *argument) MUST_USE;
