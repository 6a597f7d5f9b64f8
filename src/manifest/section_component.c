/* [components.<name>]: the Wasm to run, how, and under which grant. */
#include "manifest/section.h"

#include "manifest/suggest.h"

#include <stdio.h>
#include <string.h>

const struct manifest_component *manifest_component(const struct manifest *manifest,
                                                    const char *name)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        if (strcmp(manifest->components[i].name, name) == 0) {
            return &manifest->components[i];
        }
    }
    return NULL;
}

const struct toml_node *section_key(const struct loader *loader, const struct toml_node *table,
                                    const char *key)
{
    for (const struct toml_node *node = loader_first(loader, table); node != NULL;
         node = loader_next(loader, node)) {
        if (strcmp(node->key, key) == 0) {
            return node;
        }
    }
    return NULL;
}

static const struct toml_node *key_node(const struct loader *loader, const struct toml_node *table,
                                        const char *key)
{
    const struct toml_node *node = section_key(loader, table, key);

    return node != NULL ? node : table;
}

static void check_source(struct loader *loader, const struct toml_node *table,
                         struct manifest_component *component)
{
    bool given = component->source.value != NULL;
    const char *written = given ? component->source.value
                                : loader_format(loader, "wasm/%s.wasm", component->name);
    const char *path = written == NULL ? NULL : loader_path(loader, written);

    if (path == NULL) {
        return;
    }
    component->source.value = path;
    struct place place = given ? loader_value(loader, key_node(loader, table, "source"))
                               : loader_key(loader, table);
    switch (loader->world->inspect(loader->world->argument, path)) {
    case WORLD_FILE:
        return;
    case WORLD_MISSING:
        if (loader->overrides->allow_missing_sources) {
            return;
        }
        if (given) {
            problem_error(
                loader->problems, place,
                "there is no file %.400s; build it with 'mote build', or correct 'source'", path);
        } else {
            problem_error(
                loader->problems, place,
                "component '%s' has no 'source', and there is no file %.400s; build it with "
                "'mote build', or say where it is",
                component->name, path);
        }
        return;
    case WORLD_FOLDER:
    case WORLD_OTHER:
        problem_error(loader->problems, place, "%.400s is no file; name a .wasm file in 'source'",
                      path);
        return;
    case WORLD_UNREADABLE:
        problem_error(loader->problems, place, "%.400s cannot be read; check its permissions",
                      path);
        return;
    }
}

static void check_capability(struct loader *loader, const struct toml_node *table,
                             struct manifest_component *component)
{
    const char *name = component->capability.value;
    struct place place = loader_value(loader, key_node(loader, table, "capability"));

    if (capability_is_profile(name) || capability_find(loader, name) != NULL) {
        return;
    }
    const char *best = capability_suggest(loader, name);
    if (best != NULL) {
        problem_error(loader->problems, place, "there is no capability '%.80s'; did you mean '%s'?",
                      name, best);
    } else {
        problem_error(loader->problems, place,
                      "there is no capability '%.80s'; declare [capabilities.%.80s], or name a "
                      "profile: sandboxed, network-client or trusted",
                      name, name);
    }
}

static void read_arguments(struct loader *loader, const struct component_section *section,
                           struct manifest_component *component)
{
    if (section->arguments == NULL) {
        static const char *const NOTHING[] = {NULL};
        component->arguments = component->arguments_written = NOTHING;
        return;
    }
    struct text_list list = loader_texts(loader, "'args'", section->arguments);
    component->arguments = list.values;
    component->arguments_written = list.written;
    component->argument_count = list.count;
    component->arguments_line = loader_value(loader, section->arguments).line;
}

static void check_processes(struct loader *loader, const struct toml_node *table,
                            const struct manifest_component *component)
{
    uint64_t node_max = loader->manifest->node.max_processes.value;

    if (node_max != 0 && component->max_processes.value > node_max) {
        problem_warning(loader->problems,
                        loader_value(loader, key_node(loader, table, "max-processes")),
                        "'max-processes' is above the %llu of [node], which count first",
                        (unsigned long long)node_max);
    }
}

/* What only counts for services is a misunderstanding elsewhere. */
static void check_resident(struct loader *loader, const struct toml_node *table,
                           struct manifest_component *component)
{
    static const char *const KEYS[] = {"restart", "shutdown-ms", "start-timeout-ms", "code-change"};
    const struct toml_node *resident = section_key(loader, table, "resident");

    if (resident != NULL && resident->kind != TOML_BOOLEAN) {
        /* Told already, and it keeps the manifest from being used: what else there is was meant for a service. */
        component->resident.value = true;
    }
    for (size_t i = 0; !component->resident.value && i < ARRAY_LENGTH(KEYS); i++) {
        const struct toml_node *node = section_key(loader, table, KEYS[i]);
        if (node != NULL) {
            problem_error(loader->problems, loader_key(loader, node),
                          "'%s' counts for services only; add resident = true, or remove it",
                          KEYS[i]);
        }
    }
}

static void component_read(struct loader *loader, const struct toml_node *node,
                           struct manifest_component *ret)
{
    struct component_section section = {0};

    schema_defaults(&SCHEMA_COMPONENT, &section);
    section.component.name = node->key;
    section.component.line = loader_value(loader, node).line;
    section.component.column = loader_value(loader, node).column;
    bool named = loader_name_valid(node->key, node->key_bytes, false);
    if (!named) {
        problem_error(
            loader->problems, loader_key(loader, node),
            "'%.80s' is no name for a component; use 1 to 64 letters, digits, '-' and '_'",
            node->key);
    }
    if (node->kind != TOML_TABLE) {
        problem_error(
            loader->problems, loader_value(loader, node),
            "'%.80s' must be a table, not %s; write [components.%.80s] and in it source = "
            "\"...\"",
            node->key, loader_kind_name(node->kind), node->key);
        *ret = section.component;
        return;
    }
    char title[96];
    (void)snprintf(title, sizeof(title), "[components.%.64s]", node->key);
    size_t errors = loader->problems->errors;
    schema_read(loader, &SCHEMA_COMPONENT, title, node, &section);
    /* A source that could not be read must not be told to be missing as well. */
    bool source_wrong = section.component.source.value == NULL &&
                        key_node(loader, node, "source") != node &&
                        errors != loader->problems->errors;
    if (named && !source_wrong) {
        check_source(loader, node, &section.component);
    }
    capability_apply(loader, &section.component);
    check_capability(loader, node, &section.component);
    check_processes(loader, node, &section.component);
    check_resident(loader, node, &section.component);
    read_arguments(loader, &section, &section.component);
    *ret = section.component;
}

void components_read(struct loader *loader, const struct toml_node *table)
{
    struct manifest *manifest = loader->manifest;
    size_t count = table == NULL ? 0 : loader_count(loader, table);

    manifest->components = loader_alloc(loader, count, sizeof(*manifest->components));
    if (manifest->components == NULL || count == 0) {
        return;
    }
    for (const struct toml_node *node = loader_first(loader, table); node != NULL;
         node = loader_next(loader, node)) {
        /* The TOML tree goes, the name stays. */
        struct manifest_component *component = &manifest->components[manifest->component_count];
        component_read(loader, node, component);
        component->name = loader_format(loader, "%s", node->key);
        if (component->name == NULL) {
            return;
        }
        manifest->component_count++;
    }
}

void refuse_component(struct loader *loader, const struct toml_node *node, const char *name)
{
    struct suggestion suggestion = suggestion_begin(name);

    for (size_t i = 0; i < loader->manifest->component_count; i++) {
        suggestion_offer(&suggestion, loader->manifest->components[i].name);
    }
    if (suggestion.best != NULL) {
        problem_error(loader->problems, loader_value(loader, node),
                      "there is no component '%.80s'; did you mean '%s'?", name, suggestion.best);
    } else {
        problem_error(loader->problems, loader_value(loader, node),
                      "there is no component '%.80s'; declare [components.%.80s]", name, name);
    }
}

void warn_of_second_service(struct loader *loader, const struct toml_node *node,
                            const struct manifest_component *component, const char *entry,
                            const char *what)
{
    const char *service = component->entry.value;

    if (component->resident.value && entry != NULL && service != NULL &&
        strcmp(entry, service) == 0) {
        problem_warning(loader->problems, loader_value(loader, node),
                        "'%.80s' is the entry of the service '%.80s': to %s, another process of it "
                        "is started each time, which is not that service; name another entry",
                        entry, component->name, what);
    }
}

bool target_read(struct loader *loader, const struct toml_node *node, const char *text,
                 const struct manifest_serve *serve, struct manifest_target *ret)
{
    const char *hash = strchr(text, '#');
    size_t size = hash == NULL ? strlen(text) : (size_t)(hash - text);
    char *name = loader_format(loader, "%.*s", (int)size, text);

    if (name == NULL) {
        return false;
    }
    if (size == 0 || (hash != NULL && hash[1] == '\0')) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'%.80s' names nobody to answer; write \"component#entry\" or \"component\"",
                      text);
        return false;
    }
    const struct manifest_component *component = manifest_component(loader->manifest, name);
    if (component == NULL) {
        refuse_component(loader, node, name);
        return false;
    }
    const struct manifest_limits *limits = &component->limits;
    *ret = (struct manifest_target){
        .line = loader_value(loader, node).line,
        .column = loader_value(loader, node).column,
        .component = component,
        .entry = hash == NULL ? component->entry.value
                              : arena_copy(&loader->manifest->arena, hash + 1, strlen(hash + 1)),
        .deadline_ms = limits->deadline_ms.line != MANIFEST_DEFAULT ? limits->deadline_ms
                                                                    : serve->deadline_ms,
        .stream_deadline_ms = limits->stream_deadline_ms.line != MANIFEST_DEFAULT
                                  ? limits->stream_deadline_ms
                                  : serve->stream_deadline_ms,
    };
    if (hash != NULL && ret->entry == NULL) {
        return problem_memory(loader->problems) != NULL;
    }
    ret->action = hash == NULL ? NULL : ret->entry;
    warn_of_second_service(loader, node, component, ret->entry, "answer requests");
    return true;
}
