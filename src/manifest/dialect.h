/**
 * @file
 * Manifests made for RUSM 0.7: a file called `rusm.toml` is rewritten, as a tree, to what `mote.toml` would say, before any section is
 * read. Keys with a meaning here get our names; one without is a warning that says what to do, or an error where going on
 * without it would be wrong. Everything else that a mote.toml may say, it may say too. Known to `src/manifest/` only.
 */
#pragma once

#include "manifest/loader.h"

/** Whether that file is one. */
bool dialect_is_rusm(const char *path);

/** Rewrite `loader->nodes`, of which there are `count`. Running out of memory is recorded. */
void dialect_translate(struct loader *loader, size_t count);
