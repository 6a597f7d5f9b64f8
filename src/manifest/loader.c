#include "manifest/loader.h"

#include "manifest/interpolate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

const struct toml_node *loader_first(const struct loader *loader, const struct toml_node *parent)
{
    return parent->first_child == 0 ? NULL : &loader->nodes[parent->first_child];
}

const struct toml_node *loader_next(const struct loader *loader, const struct toml_node *node)
{
    return node->next == 0 ? NULL : &loader->nodes[node->next];
}

size_t loader_count(const struct loader *loader, const struct toml_node *parent)
{
    size_t count = 0;

    for (const struct toml_node *child = loader_first(loader, parent); child != NULL;
         child = loader_next(loader, child)) {
        count++;
    }
    return count;
}

struct place loader_key(const struct loader *loader, const struct toml_node *node)
{
    if (node->key_line == 0) {
        return (struct place){loader->manifest->path, node->line, node->column};
    }
    return (struct place){loader->manifest->path, node->key_line, node->key_column};
}

struct place loader_value(const struct loader *loader, const struct toml_node *node)
{
    if (node->line == 0) {
        return loader_key(loader, node);
    }
    return (struct place){loader->manifest->path, node->line, node->column};
}

struct place loader_file(const struct loader *loader)
{
    return (struct place){.file = loader->manifest->path};
}

void *loader_alloc(struct loader *loader, size_t count, size_t size_bytes)
{
    void *memory = arena_alloc(&loader->manifest->arena, count, size_bytes);

    return memory == NULL ? problem_memory(loader->problems) : memory;
}

char *loader_format(struct loader *loader, const char *fmt, ...)
{
    va_list arguments, again;

    va_start(arguments, fmt);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, fmt, arguments);
    va_end(arguments);
    char *text = size < 0 ? problem_memory(loader->problems)
                          : loader_alloc(loader, (size_t)size + 1, 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)size + 1, fmt, again);
    }
    va_end(again);
    return text;
}

const char *loader_kind_name(enum toml_kind kind)
{
    switch (kind) {
    case TOML_STRING:
        return "a string";
    case TOML_INTEGER:
        return "an integer";
    case TOML_FLOAT:
        return "a float";
    case TOML_BOOLEAN:
        return "a boolean";
    case TOML_DATETIME:
        return "a date or time";
    case TOML_ARRAY:
        return "an array";
    case TOML_TABLE:
        return "a table";
    }
    BUG("TOML kind %d", (int)kind);
}

const char *loader_text(struct loader *loader, const char *what, const struct toml_node *node)
{
    AUTO(bytes_finip) struct bytes text = {0};
    struct err err;
    bool replaced;

    if (node->kind != TOML_STRING) {
        bool bare = node->kind == TOML_INTEGER || node->kind == TOML_FLOAT ||
                    node->kind == TOML_BOOLEAN || node->kind == TOML_DATETIME;
        problem_error(loader->problems, loader_value(loader, node), "%s must be a string, not %s%s",
                      what, loader_kind_name(node->kind), bare ? "; put it in quotes" : "");
        return NULL;
    }
    if (strlen(node->text) != node->text_bytes) {
        problem_error(loader->problems, loader_value(loader, node),
                      "%s holds a zero byte; remove the \\u0000", what);
        return NULL;
    }
    if (!interpolate(node->text, loader->world->variable, loader->world->argument, &text, &replaced,
                     &err)) {
        if (err.code == ERR_MEMORY) {
            return problem_memory(loader->problems);
        }
        problem_error(loader->problems, loader_value(loader, node), "%s", err.text);
        return NULL;
    }
    const char *copy = arena_copy(&loader->manifest->arena, text.size == 0 ? "" : (char *)text.data,
                                  text.size);
    return copy == NULL ? problem_memory(loader->problems) : copy;
}

struct text_list loader_texts(struct loader *loader, const char *what, const struct toml_node *node)
{
    size_t count = node->kind == TOML_ARRAY ? loader_count(loader, node) : 0;
    struct text_list list = {
        .values = loader_alloc(loader, count + 1, sizeof(*list.values)),
        .written = loader_alloc(loader, count + 1, sizeof(*list.written)),
        .nodes = loader_alloc(loader, count + 1, sizeof(*list.nodes)),
    };

    if (node->kind != TOML_ARRAY) {
        problem_error(loader->problems, loader_value(loader, node),
                      "%s must be an array of strings, not %s%s", what,
                      loader_kind_name(node->kind),
                      node->kind == TOML_STRING ? "; put it in [ ]" : "");
        return list;
    }
    if (list.values == NULL || list.written == NULL || list.nodes == NULL) {
        return list;
    }
    for (const struct toml_node *element = loader_first(loader, node); element != NULL;
         element = loader_next(loader, element)) {
        char name[64];
        (void)snprintf(name, sizeof(name), "an element of %s", what);
        const char *text = loader_text(loader, name, element);
        const char *written = text == NULL ? NULL
                                           : arena_copy(&loader->manifest->arena, element->text,
                                                        element->text_bytes);
        if (written != NULL) {
            list.values[list.count] = text;
            list.written[list.count] = written;
            list.nodes[list.count] = element;
            list.count++;
        } else if (text != NULL) {
            (void)problem_memory(loader->problems);
        }
    }
    return list;
}

const char *loader_path(struct loader *loader, const char *path)
{
    if (*path == '/') {
        return loader_format(loader, "%s", path);
    }
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    return loader_format(loader, "%s%s", loader->folder, *path == '\0' ? "." : path);
}

bool loader_name_valid(const char *name, size_t size_bytes, bool dots)
{
    if (size_bytes == 0 || size_bytes > NAME_MAX_BYTES || name[0] == '-' || name[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && !(dots && c == '.')) {
            return false;
        }
    }
    return true;
}
