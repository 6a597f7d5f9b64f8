/**
 * @file
 * What somebody meant who wrote "30s" or "10 MiB" where a plain number is wanted. Pure.
 *
 * The manifest takes plain integers in the unit that the key's name ends with; this is only for the
 * advice in the error message.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

/** Read `text` as a number with an optional unit and turn it into the unit of `key` ("-ms", "-bytes",
 *  "-mb", else none). Time: ms, s, m, h. Size: B, K/KB/KiB, M/MB/MiB, G/GB/GiB, in powers of 1,024.
 *  False: it is not that, the unit does not suit the key, or the result is no whole number. */
bool quantity_guess(const char *text, const char *key, uint64_t *ret) MUST_USE;
