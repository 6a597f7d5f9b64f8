/**
 * @file
 * What the parts of manifest loading share: the tree, the manifest being filled, the problems found.
 * Known to `src/manifest/` only.
 *
 * Every reader goes on after an error, so that all problems are told at once; what it could not read
 * keeps its default. Running out of memory is recorded like a problem, and ends the loading.
 */
#pragma once

#include "manifest/manifest.h"
#include "manifest/toml.h"

struct capability;

struct loader {
    struct manifest *manifest;
    struct problems *problems;
    const struct toml_node *nodes;
    const struct manifest_overrides *overrides;
    const struct manifest_world *world;
    const char *folder; /**< Of the manifest: "" or with a '/' at its end. */
    struct capability *capabilities;
    size_t capability_count;
};

/** First child of a table or array, or NULL. */
const struct toml_node *loader_first(const struct loader *loader, const struct toml_node *parent);

/** The child behind `node`, or NULL. */
const struct toml_node *loader_next(const struct loader *loader, const struct toml_node *node);

size_t loader_count(const struct loader *loader, const struct toml_node *parent);

/** Where its key stands; for an element of an array the value. */
struct place loader_key(const struct loader *loader, const struct toml_node *node);

/** Where its value stands. */
struct place loader_value(const struct loader *loader, const struct toml_node *node);

/** The manifest as a whole. */
struct place loader_file(const struct loader *loader);

/** Zeroed memory that lives as long as the manifest. NULL: recorded. */
void *loader_alloc(struct loader *loader, size_t count, size_t size_bytes) MUST_USE;

/** printf into such memory. NULL: recorded. */
char *loader_format(struct loader *loader, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_USE;

/** The string `node` with its variables replaced. NULL: not a string, a variable is missing, or there
 *  is a zero byte in it: recorded, with `what` ("'listen'") as its name. */
const char *loader_text(struct loader *loader, const char *what, const struct toml_node *node)
    MUST_USE;

/** A list of strings, terminated by NULL. */
struct text_list {
    const char **values;
    const char **written;           /**< The same before interpolation. */
    const struct toml_node **nodes; /**< Where each stands. */
    size_t count;
};

/** The array of strings `node`; elements that are wrong are recorded and left out. */
struct text_list loader_texts(struct loader *loader, const char *what,
                              const struct toml_node *node);

/** `path` as this program opens it: what is not absolute is relative to the manifest's folder. NULL: no
 *  memory; recorded. */
const char *loader_path(struct loader *loader, const char *path) MUST_USE;

/** "a string", "a table" ... */
const char *loader_kind_name(enum toml_kind kind);

/** Whether `name` is 1 to 64 of letters, digits, '-', '_' and, if `dots`, '.', not first. */
bool loader_name_valid(const char *name, size_t size_bytes, bool dots);
