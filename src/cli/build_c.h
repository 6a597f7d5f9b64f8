/**
 * @file
 * Guests in C.
 */
#pragma once

#include "cli/build_language.h"

extern const struct build_language build_c;
