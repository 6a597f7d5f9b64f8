/**
 * @file
 * How much linear memory a guest needs, and a module that has no more than that: half of what a spawn
 * costs is giving a page of 64 KiB back. A guest that cannot grow its memory uses nothing behind its
 * static data, so its memory may end there, in pages of one byte (the custom page sizes
 * proposal for WebAssembly).
 *
 * What is not plainly understood is left alone: a module in which something is out of the ordinary is
 * as good as before, only larger.
 *
 * Threads: any; nothing is kept.
 */
#pragma once

#include "base/bytes.h"

/** The export that footprint_take() looks for; the linker makes it when asked. */
#define FOOTPRINT_EXPORT "__heap_base"

/** Where static data ends: the constant of the exported global FOOTPRINT_EXPORT, whose export is
 *  dropped. All imports have to be functions. False: there is none, or it cannot be told, or out of
 *  memory; `wasm` is unchanged. */
bool footprint_take(struct bytes *wasm, uint32_t *ret_end_bytes) MUST_USE;

/** Give the only memory of a core module the size `end_bytes`, rounded up to 4 KiB, as minimum and
 *  maximum. False: that would be no gain, or not safe (no memory of its own or several, one with a
 *  maximum or pages of another size, code that may ask for its size or grow it, a malformed module), or
 *  out of memory; `wasm` is unchanged. */
bool footprint_fit(struct bytes *wasm, uint32_t end_bytes) MUST_USE;
