/**
 * @file
 * Text that may be anything: whether it is UTF-8, and how it is shown without harm. Pure.
 */
#pragma once

#include "base/bytes.h"
#include "base/utf8.h"

/** Whether all of `text` is well-formed. */
bool utf8_text_valid(const char *text, size_t size_bytes);

/** How many characters it has; a broken byte counts as one. */
size_t utf8_text_length(const char *text);

/** Append `text` for a terminal: control characters (C0, DEL, C1) and broken bytes as \xNN, so that no
 *  value can move the cursor or forge a line. Stops at the first character past `max_bytes`. False:
 *  out of memory. */
bool utf8_text_show(struct bytes *ret, const char *text, size_t max_bytes) MUST_USE;

/** Append `text` as a JSON string with its quotes; broken bytes become U+FFFD. False: out of memory. */
bool utf8_text_json(struct bytes *ret, const char *text) MUST_USE;
