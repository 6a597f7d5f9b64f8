/**
 * @file
 * Why an operation failed, in words that an operator can act on.
 *
 * The caller owns a `struct err` (usually on its stack) and passes it last. The function that fails
 * fills it once; each caller that knows more puts that in front with err_wrap(). Nothing here
 * allocates, so reporting "out of memory" cannot itself fail.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>

/** What a caller may want to decide on. Detail belongs in the text, not in new codes. */
enum err_code {
    ERR_NONE = 0,
    ERR_INPUT,     /**< What we were given is malformed: manifest, request, Wasm, argument. */
    ERR_DENIED,    /**< The process lacks the capability. */
    ERR_NOT_FOUND, /**< No such component, process, key, file or node. */
    ERR_LIMIT,     /**< A configured bound was reached: mailbox, memory, connections, a pool. */
    ERR_MEMORY,    /**< The operating system gave no memory. */
    ERR_OS,        /**< A system call failed; `os` holds its errno. */
    /* The numbers above are the shim's too (ffi.rs). */
    ERR_EXISTS, /**< Taken already: a name. */
};

enum { ERR_TEXT_BYTES = 1024 };

struct err {
    enum err_code code;
    int os;                    /**< errno, or 0. */
    char text[ERR_TEXT_BYTES]; /**< One line (backtraces excepted), outermost context first. */
};

/** Make it say that nothing has failed, by what anybody reads: zeroing all of it costs more than most that can fail. */
static inline void err_clear(struct err *err)
{
    err->code = ERR_NONE;
    err->os = 0;
    err->text[0] = '\0';
}

/** Record a failure. Returns false, so that `return err_set(...)` reads as one step. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** Record a failed system call: its errno in words behind the text. Returns false. */
bool err_set_os(struct err *err, int os, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** Record that memory ran out. Returns false. */
bool err_set_memory(struct err *err);

/** Put context before the text: "serve" + "listen on :80: Permission denied". Returns false. */
bool err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
