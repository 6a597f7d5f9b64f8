/**
 * @file
 * Settings as a table for people or as JSON for programs, from one walk. Known to `src/manifest/` only.
 *
 * Life:    report_begin() -> objects, lists, settings -> report_end(), always. Failures are remembered and
 *          told by report_end().
 */
#pragma once

#include "manifest/manifest.h"

struct report_row;

struct report {
    enum manifest_form form;
    const struct manifest *manifest;
    struct bytes *ret; /**< Borrowed. */
    struct arena arena;
    struct report_row *first, *last; /**< Of a table: written at the end, when widths are known. */
    bool comma;                      /**< JSON: something precedes on this level. */
    bool failed;
};

void report_begin(struct report *report, const struct manifest *manifest, enum manifest_form form,
                  struct bytes *ret);

/** Write what is left and let go of everything. False: memory ran out on the way. */
bool report_end(struct report *report) MUST_USE;

/** Begin a section. `key` names it in JSON (NULL: an element of a list), `title` in the table. */
void report_open(struct report *report, const char *key, const char *title);
void report_close(struct report *report);

/** Begin a list or an object of sections: only JSON shows it. */
void report_list_open(struct report *report, const char *key);
void report_list_close(struct report *report);
void report_map_open(struct report *report, const char *key);

/** One setting. `zero`, if any, says in words what 0 or no value means. */
void report_number(struct report *report, const char *key, struct manifest_number number,
                   const char *zero);
void report_flag(struct report *report, const char *key, struct manifest_flag flag);
void report_text(struct report *report, const char *key, const char *value, uint32_t line,
                 const char *zero);

/** A line of the table that JSON says otherwise, and the reverse. */
void report_line(struct report *report, const char *name, const char *value, uint32_t line);
void report_member(struct report *report, const char *key, const char *value);
void report_member_number(struct report *report, const char *key, uint64_t value);
void report_member_flag(struct report *report, const char *key, bool value);
void report_member_source(struct report *report, uint32_t line);
/** A bare string in a JSON list. */
void report_element(struct report *report, const char *value);
