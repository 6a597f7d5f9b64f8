/* What a capability grants towards other processes: whom to spawn, to control, to reach. */
#include "manifest/section.h"

#include <stdio.h>
#include <string.h>

static const char *const EVERYTHING[] = {"*", NULL};

static const char *const NOTHING[] = {NULL};

static struct text_list read_list(struct loader *loader, const char *key, const char *what,
                                  const struct toml_node *node)
{
    char title[64];

    (void)snprintf(title, sizeof(title), "'%s'", key);
    struct text_list list = loader_texts(loader, title, node);
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.values[i];
        struct place place = loader_value(loader, list.nodes[i]);
        if (strcmp(name, "*") == 0) {
            problem_error(loader->problems, place,
                          "'*' is no name; for all of them write %s = true", key);
        } else if (!loader_name_valid(name, strlen(name), true)) {
            problem_error(loader->problems, place, "'%.80s' in '%s' is no name of a %s", name, key,
                          what);
        }
    }
    return list;
}

static void read_names(struct loader *loader, const char *key, const char *what,
                       const struct toml_node *node, struct text_list *ret_list,
                       struct manifest_names *ret)
{
    *ret = (struct manifest_names){NOTHING, MANIFEST_DEFAULT};
    if (node == NULL) {
        return;
    }
    struct place place = loader_value(loader, node);
    if (node->kind != TOML_BOOLEAN) {
        *ret_list = read_list(loader, key, what, node);
        *ret = (struct manifest_names){ret_list->values, place.line};
        return;
    }
    *ret = (struct manifest_names){node->boolean ? EVERYTHING : NOTHING, place.line};
    if (node->boolean) {
        problem_warning(loader->problems, place,
                        "%s = true means every %s, also those of later; name them instead: %s = "
                        "[\"...\"]",
                        key, what, key);
    }
}

void grants_read(struct loader *loader, struct capability *capability)
{
    read_names(loader, "allow-spawn", "component", capability->spawn, &capability->spawn_list,
               &capability->spawn_names);
    read_names(loader, "allow-namespaces", "namespace", capability->namespaces,
               &capability->namespace_list, &capability->namespace_names);
}

/* The nearest that says anything counts, also when it says less than what it inherits. */
static struct manifest_flag nearest_flag(const struct capability *leaf, size_t offset)
{
    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        const struct manifest_flag *flag = (const void *)((const char *)at + offset);
        if (flag->line != MANIFEST_DEFAULT) {
            return *flag;
        }
    }
    return (struct manifest_flag){0};
}

static struct manifest_names nearest_names(const struct capability *leaf, size_t offset)
{
    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        const struct manifest_names *names = (const void *)((const char *)at + offset);
        if (names->line != MANIFEST_DEFAULT) {
            return *names;
        }
    }
    return (struct manifest_names){NOTHING, MANIFEST_DEFAULT};
}

void grants_apply(const struct capability *leaf, struct manifest_component *component)
{
    component->allow_process_control =
        nearest_flag(leaf, offsetof(struct capability, allow_process_control));
    component->accept_links = nearest_flag(leaf, offsetof(struct capability, accept_links));
    component->allow_spawn = nearest_names(leaf, offsetof(struct capability, spawn_names));
    component->allow_namespaces = nearest_names(leaf, offsetof(struct capability, namespace_names));
    if (strcmp(component->profile, "trusted") != 0) {
        return;
    }
    if (component->allow_process_control.line == MANIFEST_DEFAULT) {
        component->allow_process_control = (struct manifest_flag){true, MANIFEST_PROFILE};
    }
    if (component->allow_spawn.line == MANIFEST_DEFAULT) {
        component->allow_spawn = (struct manifest_names){EVERYTHING, MANIFEST_PROFILE};
    }
}

void grants_check(struct loader *loader)
{
    for (size_t i = 0; i < loader->capability_count; i++) {
        const struct text_list *list = &loader->capabilities[i].spawn_list;
        for (size_t j = 0; j < list->count; j++) {
            const char *name = list->values[j];
            if (loader_name_valid(name, strlen(name), true) &&
                manifest_component(loader->manifest, name) == NULL) {
                refuse_component(loader, list->nodes[j], name);
            }
        }
    }
}
