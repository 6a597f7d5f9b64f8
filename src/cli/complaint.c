#include "cli/complaint.h"

#include "base/json.h"
#include "manifest/suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct problems *kept;

void complaint_keep(struct problems *problems)
{
    kept = problems;
}

static void keep(const struct problem *problem)
{
    struct place at = {problem->file, problem->line, problem->column};
    if (kept == NULL) {
        return;
    }
    if (problem->severity == PROBLEM_ERROR) {
        problem_error(kept, at, "%s", problem->text);
    } else {
        problem_warning(kept, at, "%s", problem->text);
    }
}

void complain(struct place at, const char *fmt, ...)
{
    AUTO(problems_finip) struct problems one = {0};
    char *text = NULL;
    va_list arguments;
    va_start(arguments, fmt);
    int size = vasprintf(&text, fmt, arguments);
    va_end(arguments);
    if (size >= 0) {
        problem_error(&one, at, "%s", text); /* what is odd in it is escaped there */
        free(text);
    }
    if (one.count == 0) {
        fputs("mote: out of memory\n", stderr);
        return;
    }
    if (at.line > 0 && at.column > 0) {
        fprintf(stderr, "%s:%u:%u: %s\n", at.file, at.line, at.column, one.items[0].text);
    } else if (at.line > 0) {
        fprintf(stderr, "%s:%u: %s\n", at.file, at.line, one.items[0].text);
    } else {
        fprintf(stderr, "%s: %s\n", at.file, one.items[0].text);
    }
    keep(&one.items[0]);
}

/* What the engine lists behind these words, with commas between. */
#define LIST_BEGINS "it exports "

void complain_of_entry(struct place at, const char *wanted, const struct err *err)
{
    struct suggestion suggestion = suggestion_begin(wanted);
    const char *begin = strstr(err->text, LIST_BEGINS);
    char *names = begin == NULL ? NULL : strdup(begin + strlen(LIST_BEGINS));
    char *rest = names;
    for (char *name; names != NULL && (name = strsep(&rest, ",")) != NULL;) {
        suggestion_offer(&suggestion, name + strspn(name, " "));
    }
    if (suggestion.best != NULL) {
        complain(at, "%s; did you mean '%s'?", err->text, suggestion.best);
    } else {
        complain(at, "%s", err->text);
    }
    free(names);
}

void complain_of_all(const struct problems *problems)
{
    AUTO(bytes_finip) struct bytes text = {0};
    if (problems_print(problems, &text) && text.size > 0) {
        fwrite(text.data, 1, text.size, stderr);
    }
    for (size_t i = 0; i < problems->count; i++) {
        keep(&problems->items[i]);
    }
}

bool complaint_print_json(const struct problems *problems, struct bytes *ret)
{
    struct json json = {.to = ret};
    json_open(&json, NULL, '[');
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        json_open(&json, NULL, '{');
        json_string(&json, "severity", problem->severity == PROBLEM_ERROR ? "error" : "warning");
        json_string(&json, "file", problem->file);
        if (problem->line > 0) {
            json_number(&json, "line", problem->line);
        }
        if (problem->column > 0) {
            json_number(&json, "column", problem->column);
        }
        json_string(&json, "text", problem->text);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    return json_done(&json);
}
