/* [[supervisor]]: who watches whom, and what the node's top supervisor is left with. */
#include "manifest/section.h"

#include "manifest/suggest.h"

#include "core/supervisor.h"

#include <string.h>

/* While the tree is put together: one a [[supervisor]]. */
struct branch {
    struct manifest_supervisor *supervisor; /* NULL: it could not be read */
    const struct toml_node *table, *children;
    struct text_list names;
    bool visited; /* while looking for circles */
};

struct tree {
    struct branch *branches;
    size_t count;
    const struct manifest_supervisor **owners; /* of components, by their index */
};

static struct manifest_supervisor *find_supervisor(const struct loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->manifest->supervisor_count; i++) {
        struct manifest_supervisor *supervisor = &loader->manifest->supervisors[i];
        if (supervisor->name.value != NULL && strcmp(supervisor->name.value, name) == 0) {
            return supervisor;
        }
    }
    return NULL;
}

static void check_name(struct loader *loader, const struct toml_node *table,
                       struct manifest_supervisor *supervisor)
{
    const struct toml_node *node = section_key(loader, table, "name");

    if (node == NULL) {
        problem_error(loader->problems, loader_value(loader, table),
                      "the supervisor has no name; add name = \"...\"");
        return;
    }
    if (supervisor->name.value == NULL) {
        return; /* told already */
    }
    const struct manifest_supervisor *other = find_supervisor(loader, supervisor->name.value);
    if (other != NULL) {
        problem_error(loader->problems, loader_value(loader, node),
                      "the supervisor in line %u has the name '%s' too; choose another",
                      other->line, supervisor->name.value);
        supervisor->name.value = NULL;
    } else if (manifest_component(loader->manifest, supervisor->name.value) != NULL) {
        problem_error(loader->problems, loader_value(loader, node),
                      "a component has the name '%s' too, and 'children' could not tell them "
                      "apart; choose another",
                      supervisor->name.value);
        supervisor->name.value = NULL;
    }
}

static void branch_read(struct loader *loader, const struct toml_node *table, struct branch *branch)
{
    struct supervisor_section section = {0};

    schema_defaults(&SCHEMA_SUPERVISOR, &section);
    section.supervisor.line = loader_value(loader, table).line;
    schema_read(loader, &SCHEMA_SUPERVISOR, "[[supervisor]]", table, &section);
    check_name(loader, table, &section.supervisor);
    branch->table = table;
    branch->children = section.children;
    if (section.children == NULL) {
        problem_error(loader->problems, loader_value(loader, table),
                      "the supervisor has nobody to watch; add children = [\"...\"]");
    } else {
        branch->names = loader_texts(loader, "'children'", section.children);
        section.supervisor.children_line = loader_value(loader, section.children).line;
        if (section.children->kind == TOML_ARRAY && loader_count(loader, section.children) == 0) {
            problem_error(loader->problems, loader_value(loader, section.children),
                          "'children' is empty; name components or supervisors");
        }
        if (branch->names.count > SUPERVISOR_CHILDREN_MAX) {
            problem_error(loader->problems, loader_value(loader, section.children),
                          "'children' has more than %d; divide them over several supervisors",
                          SUPERVISOR_CHILDREN_MAX);
        }
    }
    branch->supervisor = &loader->manifest->supervisors[loader->manifest->supervisor_count++];
    *branch->supervisor = section.supervisor;
}

/* ---- children ---- */

static void refuse_child(struct loader *loader, const struct toml_node *node, const char *name)
{
    struct suggestion suggestion = suggestion_begin(name);

    for (size_t i = 0; i < loader->manifest->component_count; i++) {
        suggestion_offer(&suggestion, loader->manifest->components[i].name);
    }
    for (size_t i = 0; i < loader->manifest->supervisor_count; i++) {
        if (loader->manifest->supervisors[i].name.value != NULL) {
            suggestion_offer(&suggestion, loader->manifest->supervisors[i].name.value);
        }
    }
    if (suggestion.best != NULL) {
        problem_error(loader->problems, loader_value(loader, node),
                      "there is no component or supervisor '%.80s'; did you mean '%s'?", name,
                      suggestion.best);
    } else {
        problem_error(loader->problems, loader_value(loader, node),
                      "there is no component or supervisor '%.80s'; declare [components.%.80s] "
                      "with resident = true",
                      name, name);
    }
}

static bool adopt(struct loader *loader, const struct branch *branch, size_t index,
                  const struct manifest_supervisor **owner)
{
    const char *name = branch->names.values[index];
    struct place place = loader_value(loader, branch->names.nodes[index]);

    if (*owner == branch->supervisor) {
        problem_error(loader->problems, place, "'%s' stands in 'children' twice; remove one", name);
        return false;
    }
    if (*owner != NULL) {
        problem_error(loader->problems, place,
                      "'%s' is a child of the supervisor in line %u already; remove one", name,
                      (*owner)->line);
        return false;
    }
    *owner = branch->supervisor;
    return true;
}

static bool child_read(struct loader *loader, const struct tree *tree, const struct branch *branch,
                       size_t index, struct manifest_child *ret)
{
    struct manifest *manifest = loader->manifest;
    const char *name = branch->names.values[index];
    const struct toml_node *node = branch->names.nodes[index];
    const struct manifest_component *component = manifest_component(manifest, name);
    struct manifest_supervisor *supervisor = find_supervisor(loader, name);

    if (supervisor == branch->supervisor) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'%s' cannot be its own child; remove it", name);
        return false;
    }
    if (supervisor != NULL) {
        *ret = (struct manifest_child){.supervisor = supervisor};
        return adopt(loader, branch, index, &supervisor->parent);
    }
    if (component == NULL) {
        refuse_child(loader, node, name);
        return false;
    }
    if (!component->resident.value) {
        problem_error(loader->problems, loader_value(loader, node),
                      "component '%s' is no service; add resident = true to [components.%s]", name,
                      name);
        return false;
    }
    *ret = (struct manifest_child){.component = component};
    return adopt(loader, branch, index, &tree->owners[component - manifest->components]);
}

static void children_read(struct loader *loader, const struct tree *tree, struct branch *branch)
{
    struct manifest_child *children = loader_alloc(loader, branch->names.count, sizeof(*children));

    if (children == NULL) {
        return;
    }
    branch->supervisor->children = children;
    for (size_t i = 0; i < branch->names.count; i++) {
        if (child_read(loader, tree, branch, i, &children[branch->supervisor->child_count])) {
            branch->supervisor->child_count++;
        }
    }
}

static struct branch *branch_of(const struct tree *tree,
                                const struct manifest_supervisor *supervisor)
{
    for (size_t i = 0; supervisor != NULL && i < tree->count; i++) {
        if (tree->branches[i].supervisor == supervisor) {
            return &tree->branches[i];
        }
    }
    return NULL;
}

/* Each has one parent at most, so whoever comes back on the way up is in a circle: told once, and cut. */
static void refuse_circles(struct loader *loader, const struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        for (size_t j = 0; j < tree->count; j++) {
            tree->branches[j].visited = false;
        }
        for (struct branch *at = &tree->branches[i]; at != NULL;) {
            struct branch *parent = branch_of(tree, at->supervisor->parent);
            at->visited = true;
            if (parent != NULL && parent->visited) {
                problem_error(loader->problems, loader_value(loader, parent->children),
                              "'%s' is above '%s' already; break the circle",
                              at->supervisor->name.value, parent->supervisor->name.value);
                at->supervisor->parent = NULL;
                return;
            }
            at = parent;
        }
    }
}

/* ---- the whole ---- */

/* What a component does not say itself is its supervisor's. */
static void inherit_times(struct loader *loader, const struct tree *tree)
{
    for (size_t i = 0; i < loader->manifest->component_count; i++) {
        struct manifest_component *component = &loader->manifest->components[i];
        const struct manifest_supervisor *owner = tree->owners[i];
        if (owner != NULL && component->shutdown_ms.line == MANIFEST_DEFAULT) {
            component->shutdown_ms = owner->shutdown_ms;
        }
        if (owner != NULL && component->start_timeout_ms.line == MANIFEST_DEFAULT) {
            component->start_timeout_ms = owner->start_timeout_ms;
        }
    }
}

static void top_read(struct loader *loader, const struct tree *tree)
{
    struct manifest *manifest = loader->manifest;
    size_t most = manifest->component_count + manifest->supervisor_count;
    struct manifest_child *top = loader_alloc(loader, most, sizeof(*top));
    size_t component = 0, supervisor = 0;

    if (top == NULL) {
        return;
    }
    manifest->top = top;
    /* By line: the order of the manifest, whatever the kind. */
    while (component < manifest->component_count || supervisor < manifest->supervisor_count) {
        const struct manifest_component *service = &manifest->components[component];
        const struct manifest_supervisor *branch = &manifest->supervisors[supervisor];
        if (supervisor == manifest->supervisor_count ||
            (component < manifest->component_count && service->line < branch->line)) {
            if (service->resident.value && tree->owners[component] == NULL) {
                top[manifest->top_count++] = (struct manifest_child){.component = service};
            }
            component++;
        } else {
            if (branch->parent == NULL) {
                top[manifest->top_count++] = (struct manifest_child){.supervisor = branch};
            }
            supervisor++;
        }
    }
    if (manifest->top_count > SUPERVISOR_CHILDREN_MAX) {
        problem_error(loader->problems, loader_file(loader),
                      "more than %d services have no [[supervisor]]; divide them over several",
                      SUPERVISOR_CHILDREN_MAX);
    }
}

void supervisors_read(struct loader *loader, const struct toml_node *array)
{
    struct manifest *manifest = loader->manifest;
    size_t count = array == NULL ? 0 : loader_count(loader, array);
    struct tree tree = {
        .branches = loader_alloc(loader, count, sizeof(*tree.branches)),
        .owners = loader_alloc(loader, manifest->component_count, sizeof(*tree.owners)),
    };

    manifest->supervisors = loader_alloc(loader, count, sizeof(*manifest->supervisors));
    if (tree.branches == NULL || tree.owners == NULL || manifest->supervisors == NULL) {
        return;
    }
    for (const struct toml_node *table = array == NULL ? NULL : loader_first(loader, array);
         table != NULL; table = loader_next(loader, table)) {
        branch_read(loader, table, &tree.branches[tree.count++]);
    }
    for (size_t i = 0; i < tree.count; i++) {
        children_read(loader, &tree, &tree.branches[i]);
    }
    refuse_circles(loader, &tree);
    inherit_times(loader, &tree);
    top_read(loader, &tree);
}
