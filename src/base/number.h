/**
 * @file
 * Text to number, with an answer for everything that is not one. Pure.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

/** The whole of `text` as decimal digits. False: empty, another character, above `max`. */
bool number_parse(const char *text, size_t size_bytes, uint64_t max, uint64_t *ret) MUST_USE;

/** Write `value` in decimal to `ret` (20 bytes are always enough, no zero); returns its length. */
size_t number_format(uint64_t value, char *ret);
