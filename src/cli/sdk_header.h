/**
 * @file
 * sdk/c/mote.h as part of this program: tools/embed.py makes the .c file of it.
 */
#pragma once

#include <stddef.h>

extern const unsigned char sdk_header[];
extern const size_t sdk_header_bytes;

/** The same of sdk/c/mote_app.h. */
extern const unsigned char sdk_app_header[];
extern const size_t sdk_app_header_bytes;

/** And of sdk/c/mote_cbor.h. */
extern const unsigned char sdk_cbor_header[];
extern const size_t sdk_cbor_header_bytes;
