/* [[serve.static]]: folders that are served, and what they may not hold. */
#include "manifest/section.h"

#include "manifest/route_key.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(key_, member_, default_)                                                              \
    .key = (key_), .kind = FIELD_TEXT, .offset = offsetof(struct manifest_static, member_),        \
    .text_fallback = (default_)
#define FLAG(key_, member_)                                                                        \
    .key = (key_), .kind = FIELD_FLAG, .offset = offsetof(struct manifest_static, member_)

static const struct field STATIC_FIELDS[] = {
    {TEXT("prefix", prefix, "/")},
    {TEXT("folder", folder, NULL)},
    {TEXT("index", index, "index.html")},
    {TEXT("fallback", fallback, NULL), .zero = "404"},
    {TEXT("cache-control", cache_control, NULL), .zero = "none"},
    {FLAG("precompressed", precompressed)},
    {FLAG("dotfiles", dotfiles)},
};

const struct schema SCHEMA_STATIC = {{FIELD_GROUP(STATIC_FIELDS, 0)}};

static void refuse(struct loader *loader, uint32_t line, const char *key, const char *value,
                   const char *rule)
{
    problem_error(loader->problems, (struct place){loader->manifest->path, line, 1},
                  "'%s' cannot be '%.400s'; %s", key, value, rule);
}

/* "/a/b/" and "/a/b" are the same. */
static void check_prefix(struct loader *loader, struct manifest_static *folder)
{
    size_t size = strlen(folder->prefix.value);

    while (size > 1 && folder->prefix.value[size - 1] == '/') {
        size--;
    }
    char *prefix = loader_format(loader, "%.*s", (int)size, folder->prefix.value);
    char *text = loader_format(loader, "GET %s%s*", prefix == NULL ? "" : prefix,
                               size > 1 ? "/" : "");
    struct route_key key;
    struct err err;
    if (prefix == NULL || text == NULL) {
        return;
    }
    folder->prefix.value = prefix;
    if (!route_key_parse(text, &key, &err) || strstr(prefix, "/:") != NULL ||
        strchr(prefix, '*') != NULL) {
        refuse(loader, folder->prefix.line, "prefix", prefix,
               "write a path as in \"/assets\", without ':' and '*'");
    }
}

/* The file's name below the folder: nothing that leads elsewhere. */
static bool is_relative(const char *path)
{
    for (const char *at = path;;) {
        size_t size = strcspn(at, "/");
        if (size == 0 || (size == 1 && at[0] == '.') ||
            (size == 2 && at[0] == '.' && at[1] == '.')) {
            return false;
        }
        if (at[size] == '\0') {
            return true;
        }
        at += size + 1;
    }
}

static void check_names(struct loader *loader, struct manifest_static *folder)
{
    const struct manifest_text *index = &folder->index, *fallback = &folder->fallback,
                               *cache = &folder->cache_control;

    if (strchr(index->value, '/') != NULL || strlen(index->value) > 255 ||
        !is_relative(index->value)) {
        refuse(loader, index->line, "index", index->value,
               "write the name of a file, as in \"index.html\"");
    }
    if (fallback->value != NULL &&
        (strlen(fallback->value) > 1024 || !is_relative(fallback->value))) {
        refuse(loader, fallback->line, "fallback", fallback->value,
               "write the path of a file in the folder");
    }
    if (cache->value != NULL && !header_value_is_valid(cache->value)) {
        refuse(loader, cache->line, "cache-control", cache->value,
               "write what a header may hold, as in \"max-age=3600\"");
    }
}

static void check_folder(struct loader *loader, struct manifest_static *folder)
{
    const char *path = loader_path(loader, folder->folder.value);

    if (path == NULL) {
        return;
    }
    folder->folder.value = path;
    const char *rule = NULL;
    switch (loader->world->inspect(loader->world->argument, path)) {
    case WORLD_MISSING:
        rule = "there is no such folder: create it, or correct the path";
        break;
    case WORLD_FILE:
    case WORLD_OTHER:
        rule = "it is no folder: name the one that holds it";
        break;
    case WORLD_UNREADABLE:
        rule = "it cannot be read: check its permissions";
        break;
    case WORLD_FOLDER:
        return;
    }
    refuse(loader, folder->folder.line, "folder", path, rule);
}

static void refuse_twins(struct loader *loader, const struct manifest_static *folders, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(folders[i].prefix.value, folders[j].prefix.value) == 0) {
                refuse(loader, folders[i].line, "prefix", folders[i].prefix.value,
                       "another [[serve.static]] of this listener has it");
            }
        }
    }
}

void folders_read(struct loader *loader, const struct toml_node *array,
                  struct manifest_serve *serve)
{
    size_t most = array == NULL ? 0 : loader_count(loader, array), count = 0;
    struct manifest_static *folders = loader_alloc(loader, most, sizeof(*folders));

    if (folders == NULL) {
        return;
    }
    for (const struct toml_node *table = array == NULL ? NULL : loader_first(loader, array);
         table != NULL; table = loader_next(loader, table)) {
        struct manifest_static *folder = &folders[count++];
        schema_defaults(&SCHEMA_STATIC, folder);
        folder->line = loader_value(loader, table).line;
        schema_read(loader, &SCHEMA_STATIC, "[[serve.static]]", table, folder);
        check_prefix(loader, folder);
        check_names(loader, folder);
        if (folder->folder.value != NULL) {
            check_folder(loader, folder);
        } else if (section_key(loader, table, "folder") == NULL) {
            problem_error(loader->problems, loader_value(loader, table),
                          "[[serve.static]] serves nothing; add folder = \"...\"");
        }
    }
    refuse_twins(loader, folders, count);
    serve->content.folders = folders;
    serve->content.folder_count = count;
}

/* ---- What a folder may not hold ---- */

static void refuse_secret(struct loader *loader, const struct manifest_static *folder,
                          const char *real, const char *secret)
{
    char *path = loader->world->resolve(loader->world->argument, secret);

    if (path == NULL) {
        return; /* It cannot be reached. */
    }
    if (path_lies_in(path, real) || path_lies_in(real, path)) {
        problem_error(loader->problems,
                      (struct place){loader->manifest->path, folder->folder.line, 1},
                      "'folder': %.300s %s %.300s, which nobody may read; serve another folder",
                      real, path_lies_in(path, real) ? "holds" : "lies in", path);
    }
    free(path);
}

/* Who may write to a folder can put another one in the place of whatever lies in it. */
static void refuse_replaceable(struct loader *loader, const struct manifest_static *folder,
                               const char *real)
{
    const struct manifest *manifest = loader->manifest;

    for (size_t i = 0; i < manifest->component_count; i++) {
        const struct manifest_component *component = &manifest->components[i];
        for (size_t j = 0; j < component->preopen_count; j++) {
            const struct manifest_preopen *preopen = &component->preopens[j];
            if (!preopen->read_only && strcmp(real, preopen->host_path) != 0 &&
                path_lies_in(real, preopen->host_path)) {
                problem_error(loader->problems,
                              (struct place){manifest->path, folder->folder.line, 1},
                              "'folder': %.300s lies in the preopen '%.200s', where guests of "
                              "[components.%s] may write and so put something else in its place; "
                              "make that one \"ro\", or serve another folder",
                              real, preopen->written, component->name);
            }
        }
    }
}

static void refuse_keys(struct loader *loader, const struct manifest_static *folder,
                        const char *real)
{
    const struct manifest *manifest = loader->manifest;

    for (size_t i = 0; i < manifest->serve_count; i++) {
        const struct manifest_tls *tls = &manifest->serves[i].tls;
        for (size_t j = 0; j < tls->pair_count; j++) {
            if (tls->pairs[j].key.path != NULL) {
                refuse_secret(loader, folder, real, tls->pairs[j].key.path);
            }
        }
    }
}

static void folder_check(struct loader *loader, const struct manifest_static *folder)
{
    const struct manifest_overrides *overrides = loader->overrides;
    const char *admin = loader->manifest->admin.listen.value;
    char *real = folder->folder.value == NULL
                     ? NULL
                     : loader->world->resolve(loader->world->argument, folder->folder.value);
    char *dotenv = loader_format(loader, "%s.env", loader->folder);

    if (real != NULL && dotenv != NULL) {
        refuse_secret(loader, folder, real, loader->manifest->path);
        refuse_secret(loader, folder, real, dotenv);
        if (admin != NULL && strncmp(admin, "unix:", 5) == 0) {
            refuse_secret(loader, folder, real, admin + 5);
        }
        for (size_t i = 0; i < overrides->protected_count; i++) {
            refuse_secret(loader, folder, real, overrides->protected_paths[i]);
        }
        refuse_keys(loader, folder, real);
        refuse_replaceable(loader, folder, real);
    }
    free(real);
}

void folders_check(struct loader *loader)
{
    const struct manifest *manifest = loader->manifest;

    for (size_t i = 0; i < manifest->serve_count; i++) {
        const struct manifest_content *content = &manifest->serves[i].content;
        for (size_t j = 0; j < content->folder_count; j++) {
            folder_check(loader, &content->folders[j]);
        }
    }
}
