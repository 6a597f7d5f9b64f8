/**
 * @file
 * What `mote new` makes apps of: the files below sdk/templates, which are part of this program.
 *
 *   LANGUAGE/TEMPLATE/PATH   a file of the new app; those of LANGUAGE/common/ belong to each template
 *   LANGUAGE/TEMPLATE/template.txt   one line, what it is; not copied. Its folder is a template by having it.
 *
 * In paths and contents `__NAME__` stands for the app's name. A part of a path that begins with `dot-` begins with a dot in the app.
 * What begins with `#!` may be executed.
 */
#pragma once

#include <stddef.h>

struct embedded {
    const char *path;
    const unsigned char *data; /**< And a zero byte behind it. */
    size_t size_bytes;
};

/** Ended by one without a path. */
extern const struct embedded templates[];
