/**
 * @file
 * TOML text to a tree that remembers where everything stood. The parser rides in the engine's shim,
 * because it is a Rust crate; nothing of it is visible here.
 *
 * Threads: a document is constant once parsed.
 */
#pragma once

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum toml_kind {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOLEAN,
    TOML_DATETIME,
    TOML_ARRAY, /**< Also of tables. */
    TOML_TABLE,
};

struct toml_node {
    enum toml_kind kind;
    const char *key;  /**< Name within its table, terminated; NULL in arrays and for the root. */
    const char *text; /**< Strings (decoded) and datetimes (as written), terminated; else NULL. */
    size_t key_bytes, text_bytes;
    int64_t integer;
    double real;
    bool boolean;
    uint32_t key_line, key_column; /**< Both from 1; columns count Unicode characters. */
    uint32_t line, column;         /**< Of the value; of a table its header, or opening brace. */
    uint32_t first_child, next;    /**< Indices of nodes; 0: none. The root is node 0. */
};

struct toml_error {
    uint32_t line, column; /**< From 1. */
    char text[256];
};

struct toml_document;

/** Parse. NULL: `*ret_error` says what is wrong (the first thing) and where. At most 1 MiB; brackets
 *  may nest 80 deep, and a key may have 16 parts. */
struct toml_document *toml_parse(const char *text, size_t size_bytes, struct toml_error *ret_error)
    MUST_USE;

/** All nodes, the root table first. Owned by the document. */
const struct toml_node *toml_nodes(const struct toml_document *document, size_t *ret_count);

void toml_document_destroy(struct toml_document *document);
DEFINE_AUTO_DESTROY(toml_document)
