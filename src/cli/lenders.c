#include "cli/lenders.h"

#include <stdlib.h>

struct dynamic *lenders_connect(const struct manifest *manifest,
                                struct component *const *components, const struct node *node,
                                struct dynamic_options options, struct err *err)
{
    struct dynamic_template *templates = calloc(manifest->component_count + 1, sizeof *templates);
    if (templates == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < manifest->component_count; i++) {
        const struct manifest_component *from = &manifest->components[i];
        if (from->lends.value) {
            templates[options.template_count++] =
                (struct dynamic_template){.component = components[i], .entry = from->entry.value};
        }
    }
    options.templates = templates;
    struct dynamic *dynamic = dynamic_create(&options, err);
    free(templates);
    if (dynamic != NULL) {
        dynamic_start(node, dynamic);
    }
    return dynamic;
}
