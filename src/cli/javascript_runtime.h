/**
 * @file
 * The runtime of JavaScript apps (made by tools/quickjs.sh) as part of this program: tools/embed.py makes the .c file of it.
 */
#pragma once

#include <stddef.h>

extern const unsigned char javascript_runtime[];
extern const size_t javascript_runtime_bytes;
