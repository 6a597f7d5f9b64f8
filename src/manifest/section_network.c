/* `allow-network`: with whom a guest may speak. */
#include "manifest/section.h"

#include "guest/network.h"

#include <string.h>

static const char *const PUBLIC[] = {"*", NULL};

static const char *const NOBODY[] = {NULL};

static void check_rule(struct loader *loader, const struct toml_node *node, const char *text)
{
    struct network_rule rule;
    struct err err = {0};
    if (!network_rule_parse(text, &rule, &err)) {
        problem_error(loader->problems, loader_value(loader, node), "'allow-network': %s",
                      err.text);
    }
}

void network_read(struct loader *loader, struct capability *capability)
{
    const struct toml_node *node = capability->network;
    capability->network_rules = (struct manifest_names){NOBODY, MANIFEST_DEFAULT};
    if (node == NULL) {
        return;
    }
    uint32_t line = loader_value(loader, node).line;
    if (node->kind == TOML_BOOLEAN) {
        capability->network_rules = (struct manifest_names){node->boolean ? PUBLIC : NOBODY, line};
        return;
    }
    struct text_list list = loader_texts(loader, "'allow-network'", node);
    for (size_t i = 0; i < list.count; i++) {
        check_rule(loader, list.nodes[i], list.values[i]);
    }
    if (list.count > NETWORK_RULES_MAX) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'allow-network' has %zu entries, at most %d; name blocks of addresses, or "
                      "\"*.example.com\"",
                      list.count, (int)NETWORK_RULES_MAX);
    }
    capability->network_rules = (struct manifest_names){list.values, line};
}

void network_apply(const struct capability *leaf, struct manifest_component *component)
{
    for (const struct capability *at = leaf; at != NULL; at = at->parent) {
        if (at->network_rules.line != MANIFEST_DEFAULT) {
            component->allow_network = at->network_rules;
            return;
        }
    }
    bool nobody = strcmp(component->profile, "sandboxed") == 0;
    component->allow_network = nobody ? (struct manifest_names){NOBODY, MANIFEST_DEFAULT}
                                      : (struct manifest_names){PUBLIC, MANIFEST_PROFILE};
}
