/**
 * @file
 * Compiled code on disk, so that a restart does not compile.
 *
 * An artefact is native code: to load one is to trust it. The folder is 0700 and must belong to this user;
 * files are written under another name and renamed, so that nobody sees half of one; the oldest go
 * when the folder grows past its bound. A key is the SHA-256 of the Wasm and the engine's
 * fingerprint (version, settings, processor). A file that fails to load is removed and compiled anew.
 *
 * Threads: any; several nodes may share a folder.
 */
#pragma once

#include "base/bytes.h"

struct cache;

enum { CACHE_PATH_BYTES = 512 };
#define CACHE_BYTES_MAX (UINT64_C(1) << 30)

/** The folder to use when none is named: $XDG_CACHE_HOME/mote, else $HOME/.cache/mote, else
 *  /var/cache/mote. Written to `ret`. */
void cache_default_folder(char ret[CACHE_PATH_BYTES]);

/** Open a folder, making it when it is missing. What killed nodes left half-written goes after an hour.
 *  NULL: ERR_OS (cannot make it), ERR_DENIED (owned by somebody else, or open to others). */
struct cache *cache_open(const char *folder, struct err *err) MUST_USE;
void cache_destroy(struct cache *cache);
DEFINE_AUTO_DESTROY(cache)

/** SHA-256 of Wasm. */
void cache_digest(const uint8_t *wasm, size_t size_bytes, unsigned char ret[32]);

/** The path under which the artefact of this Wasm for this engine is or would be. */
void cache_path(const struct cache *cache, const uint8_t *wasm, size_t size_bytes,
                uint64_t fingerprint, char ret[CACHE_PATH_BYTES]);

/** Whether a file is there, is ours and is closed to others. Marks it as used. */
bool cache_has(const char *path);

/** Write an artefact under `path`, then make room if the folder has outgrown `CACHE_BYTES_MAX`.
 *  False: ERR_OS, nothing visible (a full disk is no reason to stop: load from memory instead). */
bool cache_store(struct cache *cache, const char *path, const struct bytes *artefact,
                 struct err *err) MUST_USE;

/** Remove a file that turned out bad. */
void cache_remove(const char *path);
