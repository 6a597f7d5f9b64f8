/**
 * @file
 * Tables that say what a section of the manifest may hold, and the one function that checks a section
 * against its table. Known to `src/manifest/` only.
 */
#pragma once

#include "manifest/loader.h"

enum field_kind {
    FIELD_NUMBER,    /**< struct manifest_number, from `min` to `max`. */
    FIELD_CHOICE,    /**< struct manifest_number: the index of a string in `choices`. */
    FIELD_FLAG,      /**< struct manifest_flag */
    FIELD_TEXT,      /**< struct manifest_text, not empty. */
    FIELD_NODE,      /**< const struct toml_node *: any value, looked at later. */
    FIELD_TABLE,     /**< const struct toml_node *: a table. */
    FIELD_TABLES,    /**< const struct toml_node *: an array of tables. */
    FIELD_LATER,     /**< Part of the specification, not of this version. */
    FIELD_ELSEWHERE, /**< Belongs in `advice`. */
};

/** One key. */
struct field {
    const char *key;
    enum field_kind kind;
    size_t offset; /**< Of its value in the section's struct. */
    uint64_t min, max;
    uint64_t fallback;          /**< Default of a number, choice or flag. */
    const char *text_fallback;  /**< Default of a text, or NULL. */
    const char *zero;           /**< What 0 or a text without value means, in words; or NULL. */
    const char *const *choices; /**< Ends with NULL. */
    const char *advice;         /**< Later: how it is written; elsewhere: where it belongs. */
    /** Look closer at a text that has been stored; may be NULL. */
    void (*check)(struct loader *loader, const struct toml_node *node, struct manifest_text *text);
};

/** Some keys, whose offsets count from `base` in the section's struct. */
struct field_group {
    const struct field *fields;
    size_t count, base;
};

enum { SCHEMA_GROUPS = 2 };

struct schema {
    struct field_group groups[SCHEMA_GROUPS];
};

#define FIELD_GROUP(array, base_)                                                                  \
    {                                                                                              \
        .fields = (array), .count = ARRAY_LENGTH(array), .base = (base_)                           \
    }

/** Set every default. */
void schema_defaults(const struct schema *schema, void *section);

/** Check every key of `table` and store its value. Defaults must have been set.
 *  @param title  "[node]": how messages name the section */
void schema_read(struct loader *loader, const struct schema *schema, const char *title,
                 const struct toml_node *table, void *section);

extern const struct schema SCHEMA_ROOT, SCHEMA_NODE, SCHEMA_LOG, SCHEMA_ADMIN, SCHEMA_SERVE,
    SCHEMA_COMPONENT, SCHEMA_CAPABILITY, SCHEMA_SUPERVISOR, SCHEMA_SCHEDULE, SCHEMA_CORS,
    SCHEMA_STATIC;

/** The keys of struct manifest_limits: part of components and capabilities. */
extern const struct field LIMIT_FIELDS[];
enum { LIMIT_FIELD_COUNT = 21 };

enum { DAY_MS = 86400000 };
