#include "manifest/problem.h"

#include "manifest/utf8_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Long enough for every list of keys, short enough for a hostile value not to flood a terminal. */
enum { TEXT_MAX = 2000 };

void problems_fini(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].file);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct problems){0};
}

void *problem_memory(struct problems *problems)
{
    problems->out_of_memory = true;
    return NULL;
}

bool problems_failed(const struct problems *problems)
{
    return problems->errors > 0 || problems->out_of_memory;
}

static char *shown(const char *text)
{
    AUTO(bytes_finip) struct bytes out = {0};

    if (!utf8_text_show(&out, text, TEXT_MAX) || !bytes_terminate(&out)) {
        return NULL;
    }
    return strdup((const char *)out.data);
}

static size_t file_rank(const struct problems *problems, const char *file)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (strcmp(problems->items[i].file, file) == 0) {
            return problems->items[i].rank;
        }
    }
    return problems->count;
}

static struct problem *problem_add(struct problems *problems)
{
    if (problems->count == problems->capacity) {
        size_t capacity = problems->capacity == 0 ? 8 : problems->capacity * 2;
        struct problem *items = realloc(problems->items, capacity * sizeof(*items));
        if (items == NULL) {
            return problem_memory(problems);
        }
        problems->items = items;
        problems->capacity = capacity;
    }
    return &problems->items[problems->count];
}

static void PRINTF_LIKE(4, 0) record(struct problems *problems, enum problem_severity severity,
                                     struct place place, const char *fmt, va_list arguments)
{
    if (severity == PROBLEM_ERROR) {
        problems->errors++;
    }
    if (problems->count == PROBLEMS_MAX) {
        problems->suppressed++;
        return;
    }
    struct problem *problem = problem_add(problems);
    char *raw = NULL;
    if (problem == NULL || vasprintf(&raw, fmt, arguments) < 0) {
        (void)problem_memory(problems);
        return;
    }
    char *text = shown(raw);
    char *file = strdup(place.file);
    free(raw);
    if (text == NULL || file == NULL) {
        free(text);
        free(file);
        (void)problem_memory(problems);
        return;
    }
    *problem = (struct problem){
        .severity = severity,
        .file = file,
        .line = place.line,
        .column = place.column,
        .text = text,
        .rank = file_rank(problems, place.file),
        .arrival = problems->count,
    };
    problems->count++;
}

void problem_error(struct problems *problems, struct place place, const char *fmt, ...)
{
    va_list arguments;

    va_start(arguments, fmt);
    record(problems, PROBLEM_ERROR, place, fmt, arguments);
    va_end(arguments);
}

void problem_warning(struct problems *problems, struct place place, const char *fmt, ...)
{
    va_list arguments;

    va_start(arguments, fmt);
    record(problems, PROBLEM_WARNING, place, fmt, arguments);
    va_end(arguments);
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right)
{
    const struct problem *a = left, *b = right;
    int result = order(a->rank, b->rank);

    result = result != 0 ? result : order(a->line, b->line);
    result = result != 0 ? result : order(a->column, b->column);
    return result != 0 ? result : order(a->arrival, b->arrival);
}

void problems_sort(struct problems *problems)
{
    if (problems->count > 0) {
        qsort(problems->items, problems->count, sizeof(*problems->items), compare);
    }
}

static bool problem_print(const struct problem *problem, struct bytes *ret)
{
    bool fits = bytes_printf(ret, "%s:", problem->file);

    if (fits && problem->line > 0) {
        fits = bytes_printf(ret, "%" PRIu32 ":%" PRIu32 ":", problem->line, problem->column);
    }
    if (fits && problem->severity == PROBLEM_WARNING) {
        fits = bytes_printf(ret, " warning:");
    }
    return fits && bytes_printf(ret, " %s\n", problem->text);
}

bool problems_print(const struct problems *problems, struct bytes *ret)
{
    for (size_t i = 0; i < problems->count; i++) {
        if (!problem_print(&problems->items[i], ret)) {
            return false;
        }
    }
    if (problems->suppressed > 0 &&
        !bytes_printf(ret, "and %zu more problems\n", problems->suppressed)) {
        return false;
    }
    return !problems->out_of_memory || bytes_printf(ret, "out of memory\n");
}
