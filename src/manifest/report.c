#include "manifest/report.h"

#include "manifest/utf8_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One line of the table; a title has a name only. */
struct report_row {
    struct report_row *next;
    const char *name, *value, *source;
};

void report_begin(struct report *report, const struct manifest *manifest, enum manifest_form form,
                  struct bytes *ret)
{
    *report = (struct report){.form = form, .manifest = manifest, .ret = ret};
    if (form == MANIFEST_JSON) {
        report->failed = !bytes_append(ret, "{", 1);
    }
}

/* ---- table ---- */

static const char *keep(struct report *report, const char *text)
{
    AUTO(bytes_finip) struct bytes shown = {0};
    const char *copy = NULL;

    if (utf8_text_show(&shown, text, SIZE_MAX)) {
        copy = arena_copy(&report->arena, shown.size == 0 ? "" : (char *)shown.data, shown.size);
    }
    report->failed = report->failed || copy == NULL;
    return copy;
}

static void add_row(struct report *report, const char *name, const char *value, const char *source)
{
    struct report_row *row = arena_alloc(&report->arena, 1, sizeof(*row));

    if (row == NULL) {
        report->failed = true;
        return;
    }
    row->name = keep(report, name);
    row->value = value == NULL ? NULL : keep(report, value);
    row->source = source == NULL ? NULL : keep(report, source);
    if (report->last == NULL) {
        report->first = row;
    } else {
        report->last->next = row;
    }
    report->last = row;
}

static void source_of(const struct report *report, uint32_t line, char *ret, size_t capacity)
{
    if (line == MANIFEST_DEFAULT) {
        (void)snprintf(ret, capacity, "default");
    } else if (line == MANIFEST_OPTION) {
        (void)snprintf(ret, capacity, "option");
    } else if (line == MANIFEST_PROFILE) {
        (void)snprintf(ret, capacity, "profile");
    } else if (line == MANIFEST_MACHINE) {
        (void)snprintf(ret, capacity, "machine");
    } else {
        (void)snprintf(ret, capacity, "%.400s:%" PRIu32, report->manifest->path, line);
    }
}

/* Columns line up over the whole table, but one very long value must not push all others away. */
enum { COLUMN_MAX = 40 };

static void widen(size_t *width, const char *text)
{
    size_t length = utf8_text_length(text);

    if (length > *width && length <= COLUMN_MAX) {
        *width = length;
    }
}

static bool pad(struct bytes *ret, const char *text, size_t width)
{
    size_t length = utf8_text_length(text);
    int blanks = length < width ? (int)(width - length) : 0;

    return bytes_printf(ret, "%s%*s  ", text, blanks, "");
}

static bool print_table(struct report *report)
{
    size_t names = 0, values = 0;

    for (const struct report_row *row = report->first; row != NULL; row = row->next) {
        if (row->value != NULL) {
            widen(&names, row->name);
            widen(&values, row->value);
        }
    }
    for (const struct report_row *row = report->first; row != NULL; row = row->next) {
        if (row->value == NULL) {
            if (!bytes_printf(report->ret, "%s%s\n", row == report->first ? "" : "\n", row->name)) {
                return false;
            }
        } else if (!bytes_append(report->ret, "  ", 2) || !pad(report->ret, row->name, names) ||
                   !pad(report->ret, row->value, values) ||
                   !bytes_printf(report->ret, "%s\n", row->source)) {
            return false;
        }
    }
    return true;
}

bool report_end(struct report *report)
{
    if (!report->failed) {
        report->failed = report->form == MANIFEST_JSON ? !bytes_append(report->ret, "}\n", 2)
                                                       : !print_table(report);
    }
    arena_fini(&report->arena);
    return !report->failed;
}

/* ---- JSON ---- */

static void PRINTF_LIKE(2, 3) emit(struct report *report, const char *fmt, ...)
{
    char text[64];
    va_list arguments;

    va_start(arguments, fmt);
    int size = vsnprintf(text, sizeof(text), fmt, arguments);
    va_end(arguments);
    INVARIANT(size >= 0 && (size_t)size < sizeof(text));
    report->failed = report->failed || !bytes_append(report->ret, text, (size_t)size);
}

static void emit_string(struct report *report, const char *text)
{
    report->failed = report->failed || !utf8_text_json(report->ret, text);
}

/* The comma and the name in front of a value. */
static void emit_key(struct report *report, const char *key)
{
    if (report->comma) {
        emit(report, ",");
    }
    report->comma = true;
    if (key != NULL) {
        emit_string(report, key);
        emit(report, ":");
    }
}

static void emit_open(struct report *report, const char *key, const char *bracket)
{
    if (report->form == MANIFEST_JSON) {
        emit_key(report, key);
        emit(report, "%s", bracket);
        report->comma = false;
    }
}

static void emit_close(struct report *report, const char *bracket)
{
    if (report->form == MANIFEST_JSON) {
        emit(report, "%s", bracket);
        report->comma = true;
    }
}

void report_member(struct report *report, const char *key, const char *value)
{
    if (report->form == MANIFEST_JSON) {
        emit_key(report, key);
        if (value == NULL) {
            emit(report, "null");
        } else {
            emit_string(report, value);
        }
    }
}

void report_member_number(struct report *report, const char *key, uint64_t value)
{
    if (report->form == MANIFEST_JSON) {
        emit_key(report, key);
        emit(report, "%" PRIu64, value);
    }
}

void report_member_flag(struct report *report, const char *key, bool value)
{
    if (report->form == MANIFEST_JSON) {
        emit_key(report, key);
        emit(report, "%s", value ? "true" : "false");
    }
}

void report_member_source(struct report *report, uint32_t line)
{
    char source[512];

    source_of(report, line, source, sizeof(source));
    report_member(report, "source", source);
}

void report_element(struct report *report, const char *value)
{
    report_member(report, NULL, value);
}

/* ---- both ---- */

void report_open(struct report *report, const char *key, const char *title)
{
    emit_open(report, key, "{");
    if (report->form == MANIFEST_TEXT) {
        add_row(report, title, NULL, NULL);
    }
}

void report_close(struct report *report)
{
    emit_close(report, "}");
}

void report_list_open(struct report *report, const char *key)
{
    emit_open(report, key, "[");
}

void report_list_close(struct report *report)
{
    emit_close(report, "]");
}

void report_map_open(struct report *report, const char *key)
{
    emit_open(report, key, "{");
}

void report_line(struct report *report, const char *name, const char *value, uint32_t line)
{
    char source[512];

    if (report->form == MANIFEST_TEXT) {
        source_of(report, line, source, sizeof(source));
        add_row(report, name, value, source);
    }
}

void report_number(struct report *report, const char *key, struct manifest_number number,
                   const char *zero)
{
    bool nothing = number.value == 0 && zero != NULL;
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, number.value);
    report_line(report, key, nothing ? zero : text, number.line);
    emit_open(report, key, "{");
    report_member_number(report, "value", number.value);
    if (nothing) {
        report_member(report, "meaning", zero);
    }
    report_member_source(report, number.line);
    report_close(report);
}

void report_flag(struct report *report, const char *key, struct manifest_flag flag)
{
    report_line(report, key, flag.value ? "true" : "false", flag.line);
    emit_open(report, key, "{");
    report_member_flag(report, "value", flag.value);
    report_member_source(report, flag.line);
    report_close(report);
}

void report_text(struct report *report, const char *key, const char *value, uint32_t line,
                 const char *zero)
{
    const char *words = zero != NULL ? zero : "none";

    report_line(report, key, value != NULL ? value : words, line);
    emit_open(report, key, "{");
    report_member(report, "value", value);
    if (value == NULL) {
        report_member(report, "meaning", words);
    }
    report_member_source(report, line);
    report_close(report);
}
