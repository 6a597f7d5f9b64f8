/* [[schedule]]: when to run which component. */
#include "manifest/section.h"

#include "manifest/quantity.h"

#include <inttypes.h>
#include <string.h>

#define EVERY_MAX_MS (UINT64_C(366) * DAY_MS)

static void read_every(struct loader *loader, const struct toml_node *node,
                       struct manifest_number *ret)
{
    struct place place = loader_value(loader, node);
    uint64_t every = 0;
    bool read = node->kind == TOML_INTEGER && node->integer >= 0;

    if (read) {
        every = (uint64_t)node->integer;
    } else if (node->kind == TOML_STRING) {
        const char *text = loader_text(loader, "'every'", node);
        if (text == NULL) {
            return;
        }
        /* Without a unit it would be anybody's guess. */
        bool unit = text[strspn(text, "0123456789_ ")] != '\0';
        read = unit && quantity_guess(text, "every-ms", &every);
    }
    if (!read) {
        problem_error(loader->problems, place,
                      "'every' is no span of time; write \"30s\", \"5m\", \"12h\", or an integer "
                      "of milliseconds");
        return;
    }
    if (every == 0 || every > EVERY_MAX_MS) {
        problem_error(loader->problems, place,
                      "'every' is %" PRIu64 " ms; it must be from 1 to %" PRIu64, every,
                      EVERY_MAX_MS);
        return;
    }
    *ret = (struct manifest_number){every, place.line};
}

static void check_when(struct loader *loader, const struct toml_node *table,
                       const struct schedule_section *section)
{
    const struct toml_node *cron = section_key(loader, table, "cron");

    if (cron == NULL && section->every == NULL) {
        problem_error(loader->problems, loader_value(loader, table),
                      "the schedule does not say when; add cron = \"*/5 * * * *\" or every = "
                      "\"30s\"");
    } else if (cron != NULL && section->every != NULL) {
        problem_error(loader->problems, loader_key(loader, cron),
                      "'cron' and 'every' exclude each other; remove one of them");
    }
}

static void find_target(struct loader *loader, const struct toml_node *table,
                        struct manifest_schedule *schedule)
{
    const struct toml_node *node = section_key(loader, table, "component");

    if (node == NULL) {
        problem_error(loader->problems, loader_value(loader, table),
                      "the schedule runs nothing; add component = \"...\"");
        return;
    }
    if (schedule->component.value == NULL) {
        return; /* told already */
    }
    schedule->target = manifest_component(loader->manifest, schedule->component.value);
    if (schedule->target == NULL) {
        const char *hash = strchr(schedule->component.value, '#');
        if (hash != NULL) {
            problem_error(loader->problems, loader_value(loader, node),
                          "'component' is a name only; write component = \"%.*s\" and entry = "
                          "\"%s\"",
                          (int)(hash - schedule->component.value), schedule->component.value,
                          hash + 1);
            return;
        }
        refuse_component(loader, node, schedule->component.value);
        return;
    }
    if (schedule->entry.value == NULL) {
        schedule->entry = schedule->target->entry;
    }
    warn_of_second_service(loader, node, schedule->target, schedule->entry.value, "run a schedule");
}

void schedules_read(struct loader *loader, const struct toml_node *array)
{
    struct manifest *manifest = loader->manifest;
    size_t count = array == NULL ? 0 : loader_count(loader, array);

    manifest->schedules = loader_alloc(loader, count, sizeof(*manifest->schedules));
    if (manifest->schedules == NULL || count == 0) {
        return;
    }
    for (const struct toml_node *table = loader_first(loader, array); table != NULL;
         table = loader_next(loader, table)) {
        struct schedule_section section = {0};
        schema_defaults(&SCHEMA_SCHEDULE, &section);
        section.schedule.line = loader_value(loader, table).line;
        schema_read(loader, &SCHEMA_SCHEDULE, "[[schedule]]", table, &section);
        check_when(loader, table, &section);
        if (section.every != NULL) {
            read_every(loader, section.every, &section.schedule.every_ms);
        }
        find_target(loader, table, &section.schedule);
        manifest->schedules[manifest->schedule_count++] = section.schedule;
    }
}
