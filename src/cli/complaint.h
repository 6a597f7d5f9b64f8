/**
 * @file
 * What is wrong with a manifest and with what it names, told on standard error, one line each:
 * `file:line:column: what is wrong; what was meant, or what to do`. Kept as well for whoever prints it in another
 * form.
 *
 * Threads: one at a time.
 */
#pragma once

#include "base/err.h"
#include "manifest/problem.h"

/** From here on also record in `problems` (borrowed); NULL: no more. */
void complaint_keep(struct problems *problems);

/** Tell of an error. `at.column` 0: the line is all that is known. */
void complain(struct place at, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Tell that an entry is not there: `err` of component_entry(), and what `wanted` may have been. */
void complain_of_entry(struct place at, const char *wanted, const struct err *err);

/** Tell all of what was found while the manifest was read. */
void complain_of_all(const struct problems *problems);

/** Append a JSON list of problems to `ret`. False: out of memory. */
bool complaint_print_json(const struct problems *problems, struct bytes *ret) MUST_USE;
