#include "cli/error_page.h"

#include "base/number.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { AROUND = 4, PATH_BYTES = 4096, SOURCE_BYTES_MAX = 4 << 20 };

/* "src/a.c:12:5: error: expected ';'" */
struct finding {
    char path[PATH_BYTES]; /* as it was written */
    uint64_t line;
    const char *text; /* borrowed: the whole line */
    size_t size;
};

static bool append_escaped(struct bytes *to, const char *text, size_t size)
{
    bool good = true;
    for (size_t i = 0; good && i < size; i++) {
        char c = text[i];
        good = c == '<'   ? bytes_append(to, "&lt;", 4)
               : c == '>' ? bytes_append(to, "&gt;", 4)
               : c == '&' ? bytes_append(to, "&amp;", 5)
               : c == '"' ? bytes_append(to, "&quot;", 6)
                          : bytes_append(to, &c, 1);
    }
    return good;
}

/* A path, a colon, a number, and another colon or the like. rustc puts an arrow before it. */
static bool parse_place(const char *text, size_t size, struct finding *ret)
{
    const char *arrow = memmem(text, size, "--> ", 4);
    if (arrow != NULL && strspn(text, " ") == (size_t)(arrow - text)) {
        size -= (size_t)(arrow + 4 - text);
        text = arrow + 4;
    }
    const char *colon = memchr(text, ':', size);
    size_t path = colon == NULL ? 0 : (size_t)(colon - text);
    size_t digits = 0;
    if (path == 0 || path >= sizeof ret->path || memchr(text, '.', path) == NULL) {
        return false;
    }
    while (path + 1 + digits < size && colon[1 + digits] >= '0' && colon[1 + digits] <= '9') {
        digits++;
    }
    if (digits == 0 || path + 1 + digits >= size || colon[1 + digits] != ':' ||
        !number_parse(colon + 1, digits, UINT32_MAX, &ret->line)) {
        return false;
    }
    memcpy(ret->path, text, path);
    ret->path[path] = '\0';
    ret->text = text;
    ret->size = size;
    return true;
}

/* The first line with a place, and rather one that says "error". */
static bool find(const struct bytes *said, struct finding *ret)
{
    const char *at = (const char *)said->data, *end = at + said->size;
    bool found = false;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop == NULL ? end : stop) - at);
        bool error = size > 0 && memmem(at, size, "error", 5) != NULL;
        struct finding one;
        if ((!found || error) && parse_place(at, size, &one)) {
            *ret = one;
            found = true;
            if (error) {
                return true;
            }
        }
        at += size + 1;
    }
    return found;
}

/* Read the file, if it is one of the app's. A compiler repeats what the source says its file is called (#line), and
 * a page of an app must not show what else its developer has. */
static bool read_source(const char *path, const char *folder, struct bytes *ret)
{
    char real_path[PATH_MAX], real_folder[PATH_MAX];
    struct err unread = {0};
    struct stat info;
    if (realpath(path, real_path) == NULL || realpath(folder, real_folder) == NULL) {
        return false;
    }
    size_t size = strlen(real_folder);
    return strncmp(real_path, real_folder, size) == 0 && real_path[size] == '/' &&
           stat(real_path, &info) == 0 && S_ISREG(info.st_mode) &&
           bytes_read_file(ret, real_path, SOURCE_BYTES_MAX, &unread);
}

static bool append_source(struct bytes *to, const struct finding *finding, const char *folder)
{
    char path[2 * PATH_BYTES];
    AUTO(bytes_finip) struct bytes source = {0};
    snprintf(path, sizeof path, "%s%s%s", finding->path[0] == '/' ? "" : folder,
             finding->path[0] == '/' ? "" : "/", finding->path);
    if (!read_source(finding->path, folder, &source) && !read_source(path, folder, &source)) {
        return true;
    }
    bool good = bytes_printf(to, "<pre class=source>");
    const char *at = (const char *)source.data, *end = at + source.size;
    for (uint64_t line = 1; good && at < end && line <= finding->line + AROUND; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop == NULL ? end : stop) - at);
        if (line + AROUND >= finding->line) {
            const char *mark = line == finding->line ? "<mark>" : "";
            good = bytes_printf(to, "%s%5llu  ", mark, (unsigned long long)line) &&
                   append_escaped(to, at, size) &&
                   bytes_printf(to, "%s\n", mark[0] != '\0' ? "</mark>" : "");
        }
        at += size + 1;
    }
    return good && bytes_printf(to, "</pre>\n");
}

static const char head[] =
    "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
    "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
    "<meta name=color-scheme content='light dark'>\n<meta http-equiv=refresh content=1>\n"
    "<title>mote dev: an error</title>\n<style>\n"
    "body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 "
    "1rem; }\n"
    "h1 { font-size: 1.25rem; color: #c0392b; }\n"
    "pre { font: 14px/1.5 ui-monospace, monospace; padding: 1rem; overflow-x: auto; border: 1px "
    "solid #8886; border-radius: .6rem; }\n"
    "mark { display: inline-block; min-width: 100%; background: #c0392b; color: #fff; }\n"
    "p { color: #888; font-size: .875rem; }\n</style>\n";

bool error_page(const struct bytes *said, const char *folder, struct bytes *ret)
{
    struct finding finding = {0};
    bool good = bytes_printf(ret, "%s<h1>", head);
    if (find(said, &finding)) {
        good = good && append_escaped(ret, finding.text, finding.size) &&
               bytes_printf(ret, "</h1>\n") && append_source(ret, &finding, folder);
    } else {
        good = good && bytes_printf(ret, "The app could not be built or started</h1>\n");
    }
    return good && bytes_printf(ret, "<pre>") &&
           append_escaped(ret, (const char *)said->data, said->size) &&
           bytes_printf(ret, "</pre>\n<p>This page looks again each second, and goes away once the "
                             "error is gone.</p>\n");
}
