/**
 * @file
 * The languages that `mote build` knows: a table with a row for each (build.c), and a pair of files build_NAME.{c,h} for
 * each, which declares nothing but its row.
 *
 * What is the same for all is build.c's: reading the manifest, looking whether anything changed, making the
 * folder of the output, progress, sizes.
 *
 * Threads: the main thread.
 */
#pragma once

#include "cli/sources.h"

/** One component that is to be made. */
struct build_job {
    const char *name;   /**< The component's. */
    const char *folder; /**< Of the manifest; "." is this one. */
    const char *stem;   /**< "hello" of wasm/hello.wasm: what its sources are called. */
    const char *output; /**< Path of the Wasm file; its folder is there when `build` is called. */
};

struct build_language {
    const char *name;      /**< "C": for messages, and for `mote new --lang` in lower case. */
    const char *extension; /**< ".c": of single files that `mote build FILE... -o` takes. */
    const char *
        looks_for; /**< "NAME.c, src/NAME.c or src/NAME/ with C files": said where nothing is found. */
    /** Whether the component is of this language, by the files that are there. Then `inputs` gets every file that the output
     *  depends on (headers, go.mod, Cargo.lock ... too): it is built when one is newer than the output. A first look only: opens
     *  no compiler. False with err->code == ERR_NONE: it is not; with another code: something is wrong. */
    bool (*claims)(const struct build_job *job, struct sources *inputs, struct err *err);
    /** Make the output, which appears whole or not at all (rename()). What the compiler says goes to standard error, with
     *  lines "FILE:LINE:COLUMN: error: ..." where it can be had, which `mote dev` shows with the source. False: ERR_NOT_FOUND: no
     *  toolchain; `err` says what to install, by the name of a Debian package where there is one. ERR_INPUT: the sources are
     *  wrong. ERR_OS. */
    bool (*build)(const struct build_job *job, const struct sources *inputs, struct err *err);
};
