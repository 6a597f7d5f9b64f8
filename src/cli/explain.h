/**
 * @file
 * `mote check --explain`: what a component imports, what of it does something for it and by which line of the manifest,
 * and for the rest the line that would grant it.
 *
 * Threads: none of its own.
 */
#pragma once

#include "engine/engine.h"
#include "manifest/manifest.h"

/** Append the explanation to `ret`, for people or as one JSON object (without an end of line).
 *  @param imports  what is offered to modules
 *  @return false: ERR_INPUT, ERR_OS (the file cannot be read, or is no Wasm), ERR_MEMORY. */
bool explain_component(const struct manifest *manifest, const struct manifest_component *component,
                       const struct engine_import *imports, size_t import_count,
                       enum manifest_form form, struct bytes *ret, struct err *err) MUST_USE;
