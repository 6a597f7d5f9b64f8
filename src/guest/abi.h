/**
 * @file
 * Host functions that every guest has, import module "mote". abi.toml describes them (docs/guest-abi.md for readers,
 * sdk/c/mote.h for C guests, abi_table.h for this side); those of one request are in serve/handler.h.
 *
 * Conventions: pointers and sizes are i32 into the exported memory, out of bounds traps, before anything else is looked
 * at; texts are copied snprintf-like and the full size is returned; negative results are enum abi_error.
 */
#pragma once

#include "engine/engine.h"
#include "guest/abi_table.h"

/** The table; `*ret_count` is its length. Constant. */
const struct engine_import *abi_imports(size_t *ret_count);
