/**
 * @file
 * What a guest may give to spawn_from() as the code to run: Wasm itself, or a text that says where it is.
 *
 * Threads: any; pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { DYNAMIC_DIGEST_BYTES = 32, DYNAMIC_SOURCE_BYTES_MAX = 16 << 20 };

enum dynamic_source_kind {
    DYNAMIC_WASM,      /**< All of it. */
    DYNAMIC_URL,       /**< "url:" and `text`, which nobody has looked at. */
    DYNAMIC_DIGEST,    /**< "sha256:" and 64 hexadecimal digits: `digest`. */
    DYNAMIC_STORE,     /**< "kv:" and `text`, a bucket, "/" and a key, neither empty. */
    DYNAMIC_TOO_LARGE, /**< Wasm of more than DYNAMIC_SOURCE_BYTES_MAX. */
    DYNAMIC_MALFORMED, /**< None of these. */
};

struct dynamic_source {
    enum dynamic_source_kind kind;
    const char *text; /**< Behind the prefix; within what was given, not terminated. */
    size_t text_bytes;
    unsigned char digest[DYNAMIC_DIGEST_BYTES];
};

struct dynamic_source dynamic_source_parse(const void *data, size_t size_bytes);
