/**
 * @file
 * The runtime of JavaScript apps (made by tools/quickjs.sh), and the types of its module "mote" (sdk/js/mote.d.ts), as
 * parts of this program: tools/embed.py makes the .c files of them.
 */
#pragma once

#include <stddef.h>

extern const unsigned char javascript_runtime[];
extern const size_t javascript_runtime_bytes;

extern const unsigned char javascript_types[];
extern const size_t javascript_types_bytes;
