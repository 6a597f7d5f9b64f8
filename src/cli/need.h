/**
 * @file
 * What a guest must be granted so that something it imports does anything for it: the other half of the checks that
 * host functions make when they are called.
 *
 * Threads: any; constant.
 */
#pragma once

#include "cli/wasm_imports.h"

enum need {
    NEED_NOTHING,    /**< Every guest has it. */
    NEED_ENV,        /**< env */
    NEED_STDIO,      /**< allow-stdio */
    NEED_FOLDERS,    /**< preopen */
    NEED_SPAWN,      /**< allow-spawn */
    NEED_CONTROL,    /**< allow-process-control, but for its family. */
    NEED_NAMESPACES, /**< allow-namespaces, but for its own. */
    NEED_NETWORK,    /**< allow-network */
    NEED_NEVER,      /**< Nothing grants it: sockets of preview 1, of which a guest has none. */
};

/** Of something that is offered. */
enum need need_of(const struct wasm_import *import);

/** Whether WASI preview 1 has that function. */
bool need_is_preview1(const char *name, size_t name_bytes);
