/* [capabilities.<name>]: what is granted, what is inherited, and what a component gets of it. */
#include "manifest/section.h"

#include "manifest/suggest.h"

#include <stdio.h>
#include <string.h>

static const char *const PROFILES[] = {"sandboxed", "network-client", "trusted"};

bool capability_is_profile(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(PROFILES); i++) {
        if (strcmp(PROFILES[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const struct capability *capability_find(const struct loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->capability_count; i++) {
        if (strcmp(loader->capabilities[i].name, name) == 0) {
            return &loader->capabilities[i];
        }
    }
    return NULL;
}

const char *capability_suggest(const struct loader *loader, const char *name)
{
    struct suggestion suggestion = suggestion_begin(name);

    for (size_t i = 0; i < loader->capability_count; i++) {
        suggestion_offer(&suggestion, loader->capabilities[i].name);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(PROFILES); i++) {
        suggestion_offer(&suggestion, PROFILES[i]);
    }
    return suggestion.best;
}

static bool is_variable_name(const char *name)
{
    static const char LETTERS_DIGITS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    return *name != '\0' && !(*name >= '0' && *name <= '9') &&
           name[strspn(name, LETTERS_DIGITS)] == '\0';
}

static void read_env(struct loader *loader, struct capability *capability)
{
    if (capability->env == NULL) {
        return;
    }
    if (capability->env->kind == TOML_TABLE) {
        problem_error(
            loader->problems, loader_value(loader, capability->env),
            "'env' must be an array of names, not a table; write env = [\"NAME\"], and put "
            "the value into the environment or .env");
        return;
    }
    capability->env_names = loader_texts(loader, "'env'", capability->env);
    for (size_t i = 0; i < capability->env_names.count; i++) {
        const char *name = capability->env_names.values[i];
        if (!is_variable_name(name)) {
            problem_error(
                loader->problems, loader_value(loader, capability->env),
                "'%.80s' in 'env' is no name of a variable; write only the name, letters, "
                "digits and '_', and put the value into the environment or .env",
                name);
        } else if (loader->world->variable(loader->world->argument, name) == NULL) {
            problem_warning(loader->problems, loader_value(loader, capability->env),
                            "'%.80s' is granted by 'env', but is not set in the environment or in "
                            ".env",
                            name);
        }
    }
}

static void capability_read(struct loader *loader, const struct toml_node *node,
                            struct capability *ret)
{
    ret->name = node->key;
    ret->table = node;
    if (!loader_name_valid(node->key, node->key_bytes, false)) {
        problem_error(
            loader->problems, loader_key(loader, node),
            "'%.80s' is no name for a capability; use 1 to 64 letters, digits, '-' and '_'",
            node->key);
    } else if (capability_is_profile(node->key)) {
        problem_error(
            loader->problems, loader_key(loader, node),
            "'%s' is a profile and cannot be declared again; choose another name and write "
            "inherits = \"%s\"",
            node->key, node->key);
    }
    if (node->kind != TOML_TABLE) {
        problem_error(
            loader->problems, loader_value(loader, node),
            "'%.80s' must be a table, not %s; write [capabilities.%.80s] on a line of its "
            "own",
            node->key, loader_kind_name(node->kind), node->key);
        return;
    }
    char title[96];
    (void)snprintf(title, sizeof(title), "[capabilities.%.64s]", node->key);
    schema_read(loader, &SCHEMA_CAPABILITY, title, node, ret);
    read_env(loader, ret);
    grants_read(loader, ret);
    network_read(loader, ret);
    preopens_read(loader, ret);
}

static const struct toml_node *inherits_node(const struct loader *loader,
                                             const struct capability *capability)
{
    const struct toml_node *node = section_key(loader, capability->table, "inherits");

    return node != NULL ? node : capability->table;
}

static void capability_link(struct loader *loader, struct capability *capability)
{
    const char *wanted = capability->inherits.value;

    if (capability_is_profile(wanted)) {
        return;
    }
    capability->parent = capability_find(loader, wanted);
    if (capability->parent != NULL) {
        return;
    }
    const char *best = capability_suggest(loader, wanted);
    struct place place = loader_value(loader, inherits_node(loader, capability));
    if (best != NULL) {
        problem_error(loader->problems, place, "there is no capability '%.80s'; did you mean '%s'?",
                      wanted, best);
    } else {
        problem_error(loader->problems, place,
                      "there is no capability '%.80s'; declare [capabilities.%.80s], or name a "
                      "profile: sandboxed, network-client or trusted",
                      wanted, wanted);
    }
}

/* Every walk upwards must end: a cycle is told once, at the capability that closes it, and cut. */
static void refuse_cycles(struct loader *loader)
{
    for (size_t i = 0; i < loader->capability_count; i++) {
        struct capability *start = &loader->capabilities[i];
        struct capability *at = start;
        for (size_t j = 0; j < loader->capability_count; j++) {
            loader->capabilities[j].visited = false;
        }
        while (at->parent != NULL) {
            size_t parent = (size_t)(at->parent - loader->capabilities);
            at->visited = true;
            if (loader->capabilities[parent].visited) {
                struct place place = loader_value(loader, inherits_node(loader, at));
                if (at->parent == at) {
                    problem_error(loader->problems, place,
                                  "'%.64s' inherits itself; name another capability or a profile",
                                  at->name);
                } else {
                    problem_error(loader->problems, place,
                                  "'%.64s' inherits '%.64s', which inherits '%.64s' again; break "
                                  "the circle",
                                  at->name, at->parent->name, at->name);
                }
                at->parent = NULL;
                break;
            }
            at = &loader->capabilities[parent];
        }
    }
}

void capabilities_read(struct loader *loader, const struct toml_node *table)
{
    size_t count = table == NULL ? 0 : loader_count(loader, table);
    struct capability *capabilities = loader_alloc(loader, count, sizeof(*capabilities));

    if (capabilities == NULL || count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        schema_defaults(&SCHEMA_CAPABILITY, &capabilities[i]);
    }
    loader->capabilities = capabilities;
    for (const struct toml_node *node = loader_first(loader, table); node != NULL;
         node = loader_next(loader, node)) {
        capability_read(loader, node, &capabilities[loader->capability_count++]);
    }
    for (size_t i = 0; i < count; i++) {
        capability_link(loader, &capabilities[i]);
    }
    refuse_cycles(loader);
}

static void apply_limits(struct loader *loader, const struct capability *leaf,
                         struct manifest_component *component)
{
    for (size_t i = 0; i < LIMIT_FIELD_COUNT; i++) {
        struct manifest_number *limit = limit_at(&component->limits, i);
        for (const struct capability *at = leaf; limit->line == MANIFEST_DEFAULT && at != NULL;
             at = at->parent) {
            struct manifest_limits limits = at->limits;
            *limit = *limit_at(&limits, i);
        }
    }
    if (component->limits.max_memory_mb.line == MANIFEST_DEFAULT) {
        component->limits.max_memory_mb = loader->manifest->node.max_memory_mb;
    }
}

static bool list_holds(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void apply_env(struct loader *loader, const struct capability *leaf,
                      struct manifest_component *component)
{
    size_t most = 0, names = 0, values = 0;

    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        most += at->env_names.count;
    }
    const char **granted = loader_alloc(loader, most + 1, sizeof(*granted));
    const char **set = loader_alloc(loader, most + 1, sizeof(*set));
    uint32_t *lines = loader_alloc(loader, most + 1, sizeof(*lines));
    if (granted == NULL || set == NULL || lines == NULL) {
        return;
    }
    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        for (size_t i = 0; i < at->env_names.count; i++) {
            const char *name = at->env_names.values[i];
            if (list_holds(granted, names, name)) {
                continue;
            }
            lines[names] = loader_value(loader, at->env_names.nodes[i]).line;
            granted[names++] = name;
            const char *value = loader->world->variable(loader->world->argument, name);
            if (value != NULL) {
                set[values] = loader_format(loader, "%s=%s", name, value);
                values += set[values] != NULL;
            }
        }
    }
    component->environment_names = granted;
    component->environment_lines = lines;
    component->environment = set;
}

/* What is nearer to the component comes first and hides what is inherited under the same guest path. */
static void apply_preopens(struct loader *loader, const struct capability *leaf,
                           struct manifest_component *component)
{
    size_t most = 0, count = 0;

    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        most += at->preopen_count;
    }
    struct manifest_preopen *preopens = loader_alloc(loader, most, sizeof(*preopens));
    if (preopens == NULL) {
        return;
    }
    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        for (size_t i = 0; i < at->preopen_count; i++) {
            bool hidden = false;
            for (size_t j = 0; !hidden && j < count; j++) {
                hidden = strcmp(preopens[j].guest_path, at->preopens[i].guest_path) == 0;
            }
            if (!hidden) {
                preopens[count++] = at->preopens[i];
            }
        }
    }
    component->preopens = preopens;
    component->preopen_count = count;
}

/* For whoever wants to know where something comes from. */
static void apply_lineage(struct loader *loader, const struct capability *leaf,
                          struct manifest_component *component)
{
    size_t count = 0;

    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        count++;
    }
    struct manifest_ancestor *lineage = loader_alloc(loader, count, sizeof(*lineage));
    if (lineage == NULL) {
        return;
    }
    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        lineage[component->ancestor_count++] = (struct manifest_ancestor){
            loader_format(loader, "%s", at->name), loader_key(loader, at->table).line};
    }
    component->lineage = lineage;
}

void capability_apply(struct loader *loader, struct manifest_component *component)
{
    const struct capability *leaf = capability_find(loader, component->capability.value);
    const char *profile = component->capability.value;

    component->allow_stdio = (struct manifest_flag){0};
    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        if (component->allow_stdio.line == MANIFEST_DEFAULT) {
            component->allow_stdio = at->allow_stdio;
        }
        profile = at->inherits.value;
    }
    component->profile = capability_is_profile(profile) ? profile : "sandboxed";
    if (component->allow_stdio.line == MANIFEST_DEFAULT &&
        strcmp(component->profile, "trusted") == 0) {
        component->allow_stdio = (struct manifest_flag){true, MANIFEST_PROFILE};
    }
    grants_apply(leaf, component);
    network_apply(leaf, component);
    apply_limits(loader, leaf, component);
    apply_env(loader, leaf, component);
    apply_preopens(loader, leaf, component);
    apply_lineage(loader, leaf, component);
}
