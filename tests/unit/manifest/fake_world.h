/**
 * @file
 * A machine for tests of the manifest: what exists follows from its name, so that every test reads alone.
 *
 * Files: *.wasm, *.pem. Not there: names with "missing". Not readable: with "locked". Neither file nor folder:
 * with "device". All else: folders. Relative paths lie in /app; "/app/link" leads to /app/wasm.
 * Variables: PORT=9000, GREETING=hello, TOKEN=s3cret, EMPTY= (empty), BINARY (not UTF-8).
 */
#pragma once

#include "manifest/manifest.h"

struct manifest_world fake_world(void);

/** Load `text` as "mote.toml" in that world. Problems go to `ret`, errors or not. */
struct manifest *fake_load(const char *text, const struct manifest_overrides *overrides,
                           struct problems *ret) MUST_USE;

/** The problems as one text, to be freed by the caller. */
char *fake_problems(const struct problems *problems) MUST_USE;
