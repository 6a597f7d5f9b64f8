/**
 * @file
 * The `.env` file beside a manifest: one KEY=VALUE a line.
 *
 * Blank lines and lines that begin with '#' are skipped; `export ` in front is allowed. A value is
 *   bare:      up to the end of the line or to a '#' behind white space, trimmed;
 *   'single':  as it stands;
 *   "double":  with \n \r \t \\ \" \$ as escapes.
 * Nothing is interpolated and no value spans lines. Of two lines for one key the later one counts.
 * Threads: constant once parsed. Pure: reading the file is the caller's business.
 */
#pragma once

#include "manifest/problem.h"

struct dotenv_entry {
    char *name, *value; /**< Owned. */
    uint32_t line;
};

/** Life: zeroed = empty; dotenv_fini() frees it. */
struct dotenv {
    struct dotenv_entry *items;
    size_t count, capacity;
};

/** Parse all of `text` into an empty `ret`; every line that is wrong becomes an error under the name
 *  `file`, every key that is set twice a warning. A key whose value is wrong is set to "", so that
 *  its uses do not fail a second time. */
void dotenv_parse(struct dotenv *ret, const char *file, const char *text, size_t size_bytes,
                  struct problems *problems);

/** The value of `name`, or NULL. */
const char *dotenv_get(const struct dotenv *dotenv, const char *name);

void dotenv_fini(struct dotenv *dotenv);
static inline void dotenv_finip(struct dotenv *dotenv)
{
    dotenv_fini(dotenv);
}
