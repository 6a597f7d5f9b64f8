#include "cli/catalog_fill.h"

#include "cli/complaint.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether it was given an entry, or somebody will surely run it without naming one. */
static bool needs_entry(const struct manifest *manifest, const struct manifest_component *component)
{
    bool needed = component->resident.value || component->entry.value != NULL;

    for (size_t i = 0; !needed && i < manifest->schedule_count; i++) {
        const struct manifest_schedule *schedule = &manifest->schedules[i];
        needed = schedule->target == component && schedule->entry.value == NULL;
    }
    return needed;
}

static bool fill_line(const struct manifest *manifest, const struct manifest_component *from,
                      struct component *component, struct catalog_line *ret)
{
    const struct manifest_number *deadline = &from->limits.deadline_ms;
    struct err err = {0};

    *ret = (struct catalog_line){
        .name = from->name, .component = component, .resident = from->resident.value};
    if (deadline->line != MANIFEST_DEFAULT && !from->resident.value) {
        ret->deadline_ns = deadline->value * 1000000;
    }
    bool needed = needs_entry(manifest, from);
    ret->has_entry = needed
                         ? component_entry(component, from->entry.value, &ret->entry, &err)
                         : component_entry_maybe(component, from->entry.value, &ret->entry, &err);
    if (!ret->has_entry && needed) {
        bool named = from->entry.line != MANIFEST_DEFAULT;
        struct place at = {manifest->path, named ? from->entry.line : from->line,
                           named ? 0 : from->column};
        complain_of_entry(at, named ? from->entry.value : "", &err);
        return false;
    }
    return true;
}

struct catalog *catalog_fill(const struct manifest *manifest, struct component *const *components)
{
    struct catalog_line *lines = calloc(manifest->component_count + 1, sizeof *lines);
    struct catalog *catalog = NULL;
    struct err err = {0};
    bool good = true;

    if (lines == NULL) {
        fputs("mote: out of memory\n", stderr);
        return NULL;
    }
    for (size_t i = 0; i < manifest->component_count; i++) {
        good = fill_line(manifest, &manifest->components[i], components[i], &lines[i]) && good;
    }
    if (good) {
        catalog = catalog_create(lines, manifest->component_count, &err);
        if (catalog == NULL) {
            fprintf(stderr, "mote: %s\n", err.text);
        }
    }
    free(lines);
    return catalog;
}
