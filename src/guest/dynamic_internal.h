/**
 * @file
 * What the process that compiles and the one that waits for it share.
 */
#pragma once

#include "guest/dynamic_compiler.h"

/** What the child writes in front of its artefact. When it refuses, it writes only why, and ends with 1. */
struct dynamic_header {
    char mark[8]; /**< dynamic_mark */
    struct engine_inspection inspection;
    uint32_t cls;
    uint64_t fingerprint;
};

extern const char dynamic_mark[8];

/** All of it, or false. */
bool dynamic_write(int fd, const uint8_t *data, size_t size);
