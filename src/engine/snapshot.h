/**
 * @file
 * A core module after it has been run once, as a module that begins where it stopped: what it had in its memory and its
 * globals then is what every instance of the new one begins with.
 *
 * The module exports `memory`, `mote_snapshot_room(size) -> address` (where to put its input), `mote_snapshot_run(size) ->
 * address` of three little-endian u32: a status, the size of a text, its address; and functions `mote_entry_0`,
 * `mote_entry_1` ... With status 0 the text has a line for each entry, by which the new module exports it; otherwise it says
 * what is wrong. While it runs, its clocks stand at 0, what it logs goes to `log`, and every other host function ends it.
 *
 * Threads: any; it blocks for seconds, on a thread of its own.
 */
#pragma once

#include "base/bytes.h"

struct engine_snapshot {
    const uint8_t *wasm;
    size_t wasm_bytes;
    const uint8_t *input;
    size_t input_bytes;
    /** Told of each line that is logged, not terminated. On another thread, while the caller waits. */
    void (*log)(const uint8_t *text, size_t size_bytes);
};

/** Append the new module to `ret`, and what the module said to `ret_text`.
 *  False: ERR_INPUT (the module failed, with its text in `ret_text`; it trapped, or did not end), ERR_MEMORY, ERR_OS. */
bool engine_snapshot(const struct engine_snapshot *options, struct bytes *ret,
                     struct bytes *ret_text, struct err *err) MUST_USE;
