#include "manifest/manifest.h"

#include "manifest/dialect.h"
#include "manifest/section.h"
#include "manifest/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MANIFEST_BYTES_MAX = 1 << 20, DOTENV_BYTES_MAX = 1 << 20 };

void manifest_destroy(struct manifest *manifest)
{
    if (manifest == NULL) {
        return;
    }
    arena_fini(&manifest->arena);
    free(manifest);
}

/* "" or with a '/' at its end, so that it only needs to be put in front. */
static const char *folder_of(struct loader *loader, const char *path)
{
    const char *slash = strrchr(path, '/');

    return loader_format(loader, "%.*s", slash == NULL ? 0 : (int)(slash - path) + 1, path);
}

static void read_sections(struct loader *loader)
{
    struct manifest *manifest = loader->manifest;
    struct root_section root;

    schema_defaults(&SCHEMA_ROOT, &root);
    schema_read(loader, &SCHEMA_ROOT, "the manifest", &loader->nodes[0], &root);
    schema_defaults(&SCHEMA_NODE, &manifest->node);
    if (root.node != NULL) {
        schema_read(loader, &SCHEMA_NODE, "[node]", root.node, &manifest->node);
    }
    schema_defaults(&SCHEMA_LOG, &manifest->log);
    if (root.log != NULL) {
        schema_read(loader, &SCHEMA_LOG, "[log]", root.log, &manifest->log);
    }
    schema_defaults(&SCHEMA_ADMIN, &manifest->admin);
    if (root.admin != NULL) {
        schema_read(loader, &SCHEMA_ADMIN, "[admin]", root.admin, &manifest->admin);
    }
    capabilities_read(loader, root.capabilities);
    components_read(loader, root.components);
    grants_check(loader);
    preopens_check(loader);
    supervisors_read(loader, root.supervisor);
    schedules_read(loader, root.schedule);
    serves_read(loader, root.serve);
    folders_check(loader);
    tls_protect(loader);
}

/* The text of line `line`, without its end. */
static const char *line_text(const char *text, size_t size_bytes, uint32_t line, size_t *ret_size)
{
    const char *end = text + size_bytes;

    for (; line > 1 && text < end; line--) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        text = newline == NULL ? end : newline + 1;
    }
    const char *newline = text == end ? NULL : memchr(text, '\n', (size_t)(end - text));
    *ret_size = (size_t)((newline == NULL ? end : newline) - text);
    return text;
}

/* Columns count characters. */
static const char *at_column(const char *line, const char *end, uint32_t column)
{
    for (; column > 1 && line < end; column--) {
        do {
            line++;
        } while (line < end && ((unsigned char)*line & 0xc0) == 0x80);
    }
    return line;
}

/* How much of `text` to quote: up to one of `ends`, and never very much. */
static size_t word_size(const char *text, const char *end, const char *ends)
{
    size_t size = 0;

    while (text + size < end && size < 40 && text[size] != '\0' &&
           strchr(ends, text[size]) == NULL) {
        size++;
    }
    return size;
}

/* The parser says what it expected. Where the line shows what a person must have meant, say that. */
static void refuse_syntax(struct loader *loader, const char *text, size_t size_bytes,
                          const struct toml_error *error)
{
    struct place place = {loader->manifest->path, error->line, error->column};
    size_t size;
    const char *line = line_text(text, size_bytes, error->line, &size);
    const char *end = line + size;
    const char *value = size == 0 ? NULL : memchr(line, '=', size);

    if (strstr(error->text, "duplicate key") != NULL) {
        const char *key = at_column(line, end, error->column);
        problem_error(loader->problems, place,
                      "'%.*s' stands here a second time; remove one of the two, or join them",
                      (int)word_size(key, end, " \t\r=]"), key);
        return;
    }
    if (strcmp(error->text, "not UTF-8") == 0) {
        problem_error(loader->problems, place, "this is not UTF-8 text; store the file as UTF-8");
        return;
    }
    if (value == NULL) {
        problem_error(loader->problems, place, "%s; a line is [section] or key = value",
                      error->text);
        return;
    }
    do {
        value++;
    } while (value < end && (*value == ' ' || *value == '\t'));
    if (value == end || *value == '\r' || *value == '#') {
        problem_error(loader->problems, place, "there is no value; write one behind the '='");
        return;
    }
    if (strchr("\"'[{+-0123456789", *value) == NULL) {
        size_t word = word_size(value, end, " \t\r,#]}");
        bool truth = (word == 4 && strncasecmp(value, "true", word) == 0) ||
                     (word == 5 && strncasecmp(value, "false", word) == 0);
        problem_error(loader->problems, place, "'%.*s' is no value; %s", (int)word, value,
                      truth ? "write true or false" : "text stands in quotes");
        return;
    }
    bool quoted = *value == '"' || *value == '\'';
    problem_error(loader->problems, place, "%s%s", error->text,
                  quoted ? "; check the quotes and backslashes of the text" : "");
}

static void read_document(struct loader *loader, const char *text, size_t size_bytes)
{
    struct toml_error error;
    AUTO(toml_document_destroyp)
    struct toml_document *document = toml_parse(text, size_bytes, &error);

    if (document == NULL) {
        refuse_syntax(loader, text, size_bytes, &error);
        return;
    }
    size_t count;
    loader->nodes = toml_nodes(document, &count);
    INVARIANT(count > 0);
    if (dialect_is_rusm(loader->manifest->path)) {
        dialect_translate(loader, count);
    }
    read_sections(loader);
}

struct manifest *manifest_load_text(const char *path, const char *text, size_t size_bytes,
                                    const struct manifest_overrides *overrides,
                                    const struct manifest_world *world, struct problems *ret)
{
    static const struct manifest_overrides NOTHING = {0};
    AUTO(manifest_destroyp) struct manifest *manifest = calloc(1, sizeof(*manifest));

    if (manifest == NULL) {
        return problem_memory(ret);
    }
    struct loader loader = {
        .manifest = manifest,
        .problems = ret,
        .overrides = overrides != NULL ? overrides : &NOTHING,
        .world = world,
    };
    manifest->path = arena_copy(&manifest->arena, path, strlen(path));
    loader.folder = folder_of(&loader, path);
    if (manifest->path == NULL || loader.folder == NULL) {
        return problem_memory(ret);
    }
    read_document(&loader, text, size_bytes);
    problems_sort(ret);
    return problems_failed(ret) ? NULL : TAKE(manifest);
}

/* An empty file leaves an empty buffer, which has no address. */
static const char *content(const struct bytes *text)
{
    return text->size == 0 ? "" : (const char *)text->data;
}

static bool read_manifest(const char *path, struct bytes *text, struct problems *problems)
{
    struct place place = {.file = path};
    struct err err;

    if (bytes_read_file(text, path, MANIFEST_BYTES_MAX, &err)) {
        return true;
    }
    if (err.code == ERR_NOT_FOUND) {
        problem_error(problems, place,
                      "there is no such file; create it, or name another manifest with -f");
    } else if (err.code == ERR_LIMIT) {
        problem_error(problems, place, "the manifest is larger than %d bytes; make it smaller",
                      MANIFEST_BYTES_MAX);
    } else {
        problem_error(problems, place, "%s", err.text);
    }
    return false;
}

/* No `.env` is fine; one that cannot be read is not. */
static void read_dotenv(const char *manifest_path, struct dotenv *dotenv, struct problems *problems)
{
    const char *slash = strrchr(manifest_path, '/');
    AUTO(bytes_finip) struct bytes text = {0};
    char *path;
    struct err err;

    if (asprintf(&path, "%.*s.env", slash == NULL ? 0 : (int)(slash - manifest_path) + 1,
                 manifest_path) < 0) {
        (void)problem_memory(problems);
        return;
    }
    if (bytes_read_file(&text, path, DOTENV_BYTES_MAX, &err)) {
        dotenv_parse(dotenv, path, content(&text), text.size, problems);
    } else if (err.code != ERR_NOT_FOUND) {
        problem_error(problems, (struct place){.file = path}, "%s", err.text);
    }
    free(path);
}

struct manifest *manifest_load(const char *path, const struct manifest_overrides *overrides,
                               struct problems *ret)
{
    AUTO(bytes_finip) struct bytes text = {0};
    AUTO(dotenv_finip) struct dotenv dotenv = {0};

    if (!read_manifest(path, &text, ret)) {
        return NULL;
    }
    read_dotenv(path, &dotenv, ret);
    struct manifest_world world = world_real(&dotenv);
    return manifest_load_text(path, content(&text), text.size, overrides, &world, ret);
}
