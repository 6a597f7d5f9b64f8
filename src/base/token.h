/**
 * @file
 * What names and values of HTTP fields are made of. Pure.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>

/** Which bytes a token may have (RFC 9110, 5.6.2). */
extern const bool token_bytes[256];

static inline bool token_is_byte(char byte)
{
    return token_bytes[(unsigned char)byte];
}

/** Whether the text is a token: at least one such byte, and no other. */
bool token_is_valid(const char *text, size_t size_bytes);

/** Whether the value of a field has no control bytes but tabs (RFC 9110, 5.5). Blanks at its ends are the caller's. */
bool token_is_value(const char *text, size_t size_bytes);
