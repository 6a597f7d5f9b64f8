/**
 * @file
 * The TLS of an app's listeners, from the files that its manifest names.
 *
 * Life:    certificates_open() -> used by a server -> certificates_destroy() after it.
 * Threads: the main thread.
 */
#pragma once

#include "manifest/manifest.h"
#include "serve/tls.h"

struct certificates;

/** Read every file; everything that is wrong is printed to standard error with its place in the manifest, warnings
 *  too. NULL: something is wrong. */
struct certificates *certificates_open(const struct manifest *manifest) MUST_USE;
void certificates_destroy(struct certificates *certificates);

/** The TLS of listener `index`, or NULL: it has none. */
struct tls *certificates_tls(const struct certificates *certificates, size_t index);

/** Read every file again, for new connections. What is wrong is logged, and that listener stays as it was. False:
 *  something was wrong. */
bool certificates_reload(struct certificates *certificates);
