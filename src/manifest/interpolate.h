/**
 * @file
 * `${NAME}` and `${NAME:-default}` in a string. Pure.
 *
 * The default also stands in for a variable that is set but empty, as in a shell; it is plain text
 * up to the next '}'. `$${` is a literal `${`; a '$' before anything else is a '$'.
 */
#pragma once

#include "base/bytes.h"

/** The value of a variable, or NULL when it is not set; borrowed until the next call. */
typedef const char *(*interpolate_lookup)(void *argument, const char *name);

/** Append `text` to `ret` with every variable replaced.
 *  @param ret_replaced  whether there was any
 *  @return false: ERR_INPUT (the first thing that is wrong, and what to do), ERR_MEMORY. */
bool interpolate(const char *text, interpolate_lookup lookup, void *argument, struct bytes *ret,
                 bool *ret_replaced, struct err *err) MUST_USE;
