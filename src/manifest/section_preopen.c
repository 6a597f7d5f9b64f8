/* Folders that a capability opens to a guest: read, and kept away from what no guest may touch. */
#include "manifest/section.h"

#include <stdlib.h>
#include <string.h>

/* One of "path", "path::guest", "path::guest:ro", "path::guest:rw". */
static bool split_text(struct loader *loader, const struct toml_node *node, const char *text,
                       struct manifest_preopen *ret)
{
    const char *separator = strstr(text, "::");
    char *path = loader_format(
        loader, "%.*s", separator == NULL ? (int)strlen(text) : (int)(separator - text), text);
    char *guest = loader_format(loader, "%s", separator == NULL ? text : separator + 2);
    if (path == NULL || guest == NULL) {
        return false;
    }
    char *mode = separator == NULL ? NULL : strrchr(guest, ':');
    if (mode != NULL) {
        if (strcmp(mode, ":rw") != 0 && strcmp(mode, ":ro") != 0) {
            problem_error(loader->problems, loader_value(loader, node),
                          "'%.80s' ends in no mode; write PATH::GUEST:ro or PATH::GUEST:rw", text);
            return false;
        }
        ret->read_only = strcmp(mode, ":ro") == 0;
        *mode = '\0';
    }
    ret->written = path;
    ret->guest_path = guest;
    return true;
}

struct preopen_section {
    struct manifest_text path, guest;
    struct manifest_number mode;
};

static const char *const MODES[] = {"ro", "rw", NULL};

static const struct field PREOPEN_FIELDS[] = {
    {.key = "path", .kind = FIELD_TEXT, .offset = offsetof(struct preopen_section, path)},
    {.key = "guest", .kind = FIELD_TEXT, .offset = offsetof(struct preopen_section, guest)},
    {.key = "mode",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct preopen_section, mode),
     .choices = MODES},
};

static const struct schema SCHEMA_PREOPEN = {{FIELD_GROUP(PREOPEN_FIELDS, 0)}};

static bool read_table(struct loader *loader, const struct toml_node *node,
                       struct manifest_preopen *ret)
{
    struct preopen_section section;

    schema_defaults(&SCHEMA_PREOPEN, &section);
    size_t errors = loader->problems->errors;
    schema_read(loader, &SCHEMA_PREOPEN, "a preopen", node, &section);
    if (section.path.value == NULL) {
        if (errors == loader->problems->errors) {
            problem_error(loader->problems, loader_value(loader, node),
                          "a preopen needs a folder; write { path = \"...\", guest = \"...\" }");
        }
        return false;
    }
    ret->written = section.path.value;
    ret->guest_path = section.guest.value != NULL ? section.guest.value : section.path.value;
    ret->read_only = section.mode.value == 0;
    return true;
}

bool path_lies_in(const char *inner, const char *outer)
{
    size_t size = strlen(outer);

    if (size == 1) {
        return true; /* Everything lies in "/". */
    }
    return strncmp(inner, outer, size) == 0 && (inner[size] == '/' || inner[size] == '\0');
}

static bool refuse_near(struct loader *loader, const struct toml_node *node,
                        const struct manifest_preopen *preopen, const char *protected_path)
{
    char *real = loader->world->resolve(loader->world->argument, protected_path);

    if (real == NULL) {
        return false; /* It cannot be reached, so neither can a guest reach it. */
    }
    bool holds = path_lies_in(real, preopen->host_path);
    bool inside = path_lies_in(preopen->host_path, real);
    if (holds) {
        problem_error(loader->problems, loader_value(loader, node),
                      "preopen '%.200s' holds %.400s, which no guest may reach; open a folder "
                      "without it",
                      preopen->written, real);
    } else if (inside) {
        problem_error(loader->problems, loader_value(loader, node),
                      "preopen '%.200s' lies in %.400s, which no guest may reach; open another "
                      "folder",
                      preopen->written, real);
    }
    free(real);
    return holds || inside;
}

static bool check_protected(struct loader *loader, const struct toml_node *node,
                            const struct manifest_preopen *preopen)
{
    const struct manifest_overrides *overrides = loader->overrides;
    const char *admin = loader->manifest->admin.listen.value;

    if (refuse_near(loader, node, preopen, loader->manifest->path)) {
        return false;
    }
    if (admin != NULL && strncmp(admin, "unix:", 5) == 0 &&
        refuse_near(loader, node, preopen, admin + 5)) {
        return false;
    }
    for (size_t i = 0; i < overrides->protected_count; i++) {
        if (refuse_near(loader, node, preopen, overrides->protected_paths[i])) {
            return false;
        }
    }
    return true;
}

static bool check_folder(struct loader *loader, const struct toml_node *node,
                         struct manifest_preopen *preopen)
{
    const char *path = loader_path(loader, preopen->written);
    struct place place = loader_value(loader, node);

    if (path == NULL) {
        return false;
    }
    switch (loader->world->inspect(loader->world->argument, path)) {
    case WORLD_MISSING:
        problem_error(loader->problems, place,
                      "preopen '%.400s': there is no such folder; create it, or correct the path",
                      path);
        return false;
    case WORLD_FILE:
    case WORLD_OTHER:
        problem_error(loader->problems, place,
                      "preopen '%.400s' is no folder; open the folder that holds it", path);
        return false;
    case WORLD_UNREADABLE:
        problem_error(loader->problems, place,
                      "preopen '%.400s' cannot be read; check its permissions", path);
        return false;
    case WORLD_FOLDER:
        break;
    }
    char *real = loader->world->resolve(loader->world->argument, path);
    if (real == NULL) {
        problem_error(loader->problems, place,
                      "preopen '%.400s' cannot be followed; check the links in it", path);
        return false;
    }
    preopen->host_path = loader_format(loader, "%s", real);
    free(real);
    return preopen->host_path != NULL && check_protected(loader, node, preopen);
}

static bool preopen_read(struct loader *loader, const struct toml_node *node,
                         struct manifest_preopen *ret)
{
    *ret = (struct manifest_preopen){
        .read_only = true,
        .line = loader_value(loader, node).line,
    };
    if (node->kind == TOML_TABLE) {
        return read_table(loader, node, ret) && check_folder(loader, node, ret);
    }
    if (node->kind != TOML_STRING) {
        problem_error(loader->problems, loader_value(loader, node),
                      "a preopen must be a string or a table, not %s; write \"PATH::GUEST:ro\" or "
                      "{ path = \"PATH\", guest = \"GUEST\", mode = \"ro\" }",
                      loader_kind_name(node->kind));
        return false;
    }
    const char *text = loader_text(loader, "a preopen", node);
    if (text == NULL || !split_text(loader, node, text, ret)) {
        return false;
    }
    if (*ret->written == '\0' || *ret->guest_path == '\0') {
        problem_error(loader->problems, loader_value(loader, node),
                      "preopen '%.80s' lacks a path; write PATH::GUEST:ro", text);
        return false;
    }
    return check_folder(loader, node, ret);
}

void preopens_read(struct loader *loader, struct capability *capability)
{
    const struct toml_node *array = capability->preopen;

    if (array == NULL) {
        return;
    }
    if (array->kind != TOML_ARRAY) {
        problem_error(loader->problems, loader_value(loader, array),
                      "'preopen' must be an array, not %s; put it in [ ]",
                      loader_kind_name(array->kind));
        return;
    }
    size_t most = loader_count(loader, array);
    capability->preopens = loader_alloc(loader, most, sizeof(*capability->preopens));
    if (capability->preopens == NULL) {
        return;
    }
    for (const struct toml_node *node = loader_first(loader, array); node != NULL;
         node = loader_next(loader, node)) {
        struct manifest_preopen *preopen = &capability->preopens[capability->preopen_count];
        if (!preopen_read(loader, node, preopen)) {
            continue;
        }
        bool twice = false;
        for (size_t i = 0; i < capability->preopen_count; i++) {
            twice = twice || strcmp(capability->preopens[i].guest_path, preopen->guest_path) == 0;
        }
        if (twice) {
            problem_error(loader->problems, loader_value(loader, node),
                          "two preopens have the guest path '%.200s'; give each its own",
                          preopen->guest_path);
            continue;
        }
        capability->preopen_count++;
    }
}

/* A guest that may write to a folder can put a link in the place of whatever lies in it. */
static void refuse_within(struct loader *loader, const struct manifest_component *writer,
                          const struct manifest_preopen *outer)
{
    const struct manifest *manifest = loader->manifest;
    for (size_t i = 0; i < manifest->component_count; i++) {
        const struct manifest_component *other = &manifest->components[i];
        for (size_t j = 0; j < other->preopen_count; j++) {
            const struct manifest_preopen *inner = &other->preopens[j];
            if (path_lies_in(inner->host_path, outer->host_path) &&
                strcmp(inner->host_path, outer->host_path) != 0) {
                problem_error(loader->problems, (struct place){manifest->path, inner->line, 1},
                              "preopen '%.200s' lies in '%.200s', where guests of [components.%s] "
                              "may write and so put something else in its place; make that one "
                              "\"ro\", or open folders side by side",
                              inner->written, outer->written, writer->name);
            }
        }
        char *source = other->source.value == NULL
                           ? NULL
                           : loader->world->resolve(loader->world->argument, other->source.value);
        if (source != NULL && path_lies_in(source, outer->host_path)) {
            problem_error(loader->problems, (struct place){manifest->path, outer->line, 1},
                          "preopen '%.200s' holds %.400s, the code of [components.%s], and guests "
                          "of [components.%s] may write there; make it \"ro\", or open another "
                          "folder",
                          outer->written, source, other->name, writer->name);
        }
        free(source);
    }
}

void preopens_check(struct loader *loader)
{
    const struct manifest *manifest = loader->manifest;
    for (size_t i = 0; i < manifest->component_count; i++) {
        const struct manifest_component *writer = &manifest->components[i];
        for (size_t j = 0; j < writer->preopen_count; j++) {
            if (!writer->preopens[j].read_only) {
                refuse_within(loader, writer, &writer->preopens[j]);
            }
        }
    }
}
