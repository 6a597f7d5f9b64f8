/**
 * @file
 * What the engine's double runs where Wasm would be: scripts, one step a line.
 *
 *     mote-fake                      first line of every script
 *     memory BYTES                   initial memory (before any entry; default 0: none)
 *     entry NAME                     the steps of an entry follow
 *       call MODULE::NAME ARG...     a host function; an argument is a number, or $ for the last
 *                                    result
 *       data OFFSET TEXT             copy TEXT into the memory
 *       grow BYTES                   memory grows to that size
 *       label NAME, jump NAME        jumps ask for ticks, as loops do
 *       jump-if NAME                 if the last result is not 0
 *       spin                         for ever
 *       nap                          park until another thread has woken the process
 *       print TEXT                   to standard output
 *       return, exit N, trap         the end of an entry returns too
 */
#pragma once

#include "engine/engine.h"

enum { FAKE_STEPS_MAX = 256, FAKE_WORD_BYTES = 64, FAKE_SCRIPT_BYTES_MAX = 1 << 20 };

enum fake_op {
    OP_ENTRY,
    OP_CALL,
    OP_DATA,
    OP_GROW,
    OP_LABEL,
    OP_JUMP,
    OP_JUMP_IF,
    OP_SPIN,
    OP_NAP,
    OP_PRINT,
    OP_RETURN,
    OP_EXIT,
    OP_TRAP,
    OP_MEMORY,
};

struct fake_step {
    enum fake_op op;
    char name[FAKE_WORD_BYTES]; /**< Of an entry, label or import; data and print: the text. */
    uint64_t number;            /**< An offset, size or status. */
    const struct engine_import *import;
    uint64_t arguments[ENGINE_CALL_ARGUMENTS];
    uint32_t argument_count;
    uint32_t last_result_mask; /**< Bit n: argument n is the last result. */
};

struct fake_script {
    uint64_t memory_bytes;
    uint32_t step_count;
    struct fake_step steps[FAKE_STEPS_MAX];
};

/** Read a whole script; jumps and imports are not yet resolved. False: ERR_INPUT with the line. */
bool fake_script_parse(const uint8_t *text, size_t size_bytes, struct fake_script *ret,
                       struct err *err) MUST_USE;

/** The first step that is such an `op` of that name. False: none. */
bool fake_script_find(const struct fake_script *script, enum fake_op op, const char *name,
                      uint32_t *ret) MUST_USE;
