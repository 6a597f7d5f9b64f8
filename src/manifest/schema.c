#include "manifest/schema.h"

#include "manifest/quantity.h"
#include "manifest/suggest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void *member(const struct field_group *group, const struct field *field, void *section)
{
    return (char *)section + group->base + field->offset;
}

void schema_defaults(const struct schema *schema, void *section)
{
    for (size_t g = 0; g < SCHEMA_GROUPS; g++) {
        const struct field_group *group = &schema->groups[g];
        for (size_t i = 0; i < group->count; i++) {
            const struct field *field = &group->fields[i];
            void *value = member(group, field, section);
            switch (field->kind) {
            case FIELD_NUMBER:
            case FIELD_CHOICE:
                *(struct manifest_number *)value = (struct manifest_number){field->fallback, 0};
                break;
            case FIELD_FLAG:
                *(struct manifest_flag *)value = (struct manifest_flag){field->fallback != 0, 0};
                break;
            case FIELD_TEXT:
                *(struct manifest_text *)value = (struct manifest_text){field->text_fallback, 0};
                break;
            case FIELD_NODE:
            case FIELD_TABLE:
            case FIELD_TABLES:
                *(const struct toml_node **)value = NULL;
                break;
            case FIELD_LATER:
            case FIELD_ELSEWHERE:
                break;
            }
        }
    }
}

static void read_number(struct loader *loader, const struct field *field,
                        const struct toml_node *node, struct manifest_number *ret)
{
    struct place place = loader_value(loader, node);
    uint64_t meant;

    if (node->kind == TOML_STRING && quantity_guess(node->text, field->key, &meant)) {
        problem_error(loader->problems, place,
                      "'%s' must be an integer, not a string; write %s = %" PRIu64, field->key,
                      field->key, meant);
        return;
    }
    if (node->kind != TOML_INTEGER) {
        problem_error(loader->problems, place,
                      "'%s' must be an integer from %" PRIu64 " to %" PRIu64 ", not %s", field->key,
                      field->min, field->max, loader_kind_name(node->kind));
        return;
    }
    if (node->integer < 0 || (uint64_t)node->integer < field->min ||
        (uint64_t)node->integer > field->max) {
        problem_error(loader->problems, place,
                      "'%s' is %" PRId64 "; it must be from %" PRIu64 " to %" PRIu64, field->key,
                      node->integer, field->min, field->max);
        return;
    }
    *ret = (struct manifest_number){(uint64_t)node->integer, place.line};
}

static void read_choice(struct loader *loader, const struct field *field,
                        const struct toml_node *node, struct manifest_number *ret)
{
    AUTO(bytes_finip) struct bytes known = {0};
    char what[64];
    (void)snprintf(what, sizeof(what), "'%s'", field->key);
    const char *text = loader_text(loader, what, node);
    if (text == NULL) {
        return;
    }
    struct suggestion suggestion = suggestion_begin(text);
    for (size_t i = 0; field->choices[i] != NULL; i++) {
        if (strcmp(field->choices[i], text) == 0) {
            *ret = (struct manifest_number){i, loader_value(loader, node).line};
            return;
        }
        suggestion_offer(&suggestion, field->choices[i]);
        if (!bytes_printf(&known, "%s'%s'", i == 0 ? "" : " or ", field->choices[i])) {
            (void)problem_memory(loader->problems);
            return;
        }
    }
    if (suggestion.best != NULL) {
        problem_error(loader->problems, loader_value(loader, node),
                      "'%s' cannot be '%.80s'; did you mean '%s'?", field->key, text,
                      suggestion.best);
        return;
    }
    problem_error(loader->problems, loader_value(loader, node),
                  "'%s' cannot be '%.80s'; write %.*s", field->key, text, (int)known.size,
                  (const char *)known.data);
}

static void read_flag(struct loader *loader, const struct field *field,
                      const struct toml_node *node, struct manifest_flag *ret)
{
    struct place place = loader_value(loader, node);

    if (node->kind == TOML_BOOLEAN) {
        *ret = (struct manifest_flag){node->boolean, place.line};
        return;
    }
    bool quoted = node->kind == TOML_STRING &&
                  (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0);
    problem_error(loader->problems, place, "'%s' must be true or false, not %s%s", field->key,
                  loader_kind_name(node->kind), quoted ? "; remove the quotes" : "");
}

static void read_text(struct loader *loader, const struct field *field,
                      const struct toml_node *node, struct manifest_text *ret)
{
    struct place place = loader_value(loader, node);
    char what[64];
    (void)snprintf(what, sizeof(what), "'%s'", field->key);
    const char *text = loader_text(loader, what, node);

    if (text == NULL) {
        return;
    }
    if (*text == '\0') {
        problem_error(loader->problems, place, "'%s' is empty; give it a value or remove it",
                      field->key);
        return;
    }
    *ret = (struct manifest_text){text, place.line};
    if (field->check != NULL) {
        field->check(loader, node, ret);
    }
}

static bool all_tables(const struct loader *loader, const struct toml_node *node)
{
    for (const struct toml_node *element = loader_first(loader, node); element != NULL;
         element = loader_next(loader, element)) {
        if (element->kind != TOML_TABLE) {
            return false;
        }
    }
    return true;
}

static void read_table(struct loader *loader, const struct field *field,
                       const struct toml_node *node, const struct toml_node **ret)
{
    const char *name = field->advice != NULL ? field->advice : field->key;

    if (node->kind == TOML_TABLE) {
        *ret = node;
        return;
    }
    if (node->kind == TOML_ARRAY && loader_first(loader, node) != NULL &&
        all_tables(loader, node)) {
        problem_error(loader->problems, loader_key(loader, node),
                      "[[%s]] stands for one of several, but there is only one; write [%s]", name,
                      name);
        return;
    }
    problem_error(loader->problems, loader_value(loader, node),
                  "'%s' must be a table, not %s; write [%s] on a line of its own", field->key,
                  loader_kind_name(node->kind), name);
}

static void read_tables(struct loader *loader, const struct field *field,
                        const struct toml_node *node, const struct toml_node **ret)
{
    if (node->kind == TOML_ARRAY && all_tables(loader, node)) {
        *ret = node;
        return;
    }
    if (node->kind == TOML_TABLE) {
        problem_error(loader->problems, loader_key(loader, node),
                      "there may be several of '%s'; write [[%s]] instead of [%s]", field->key,
                      field->key, field->key);
        return;
    }
    problem_error(loader->problems, loader_value(loader, node),
                  "'%s' must be tables; write [[%s]] on a line of its own", field->key, field->key);
}

static void refuse_later(struct loader *loader, const struct field *field,
                         const struct toml_node *node)
{
    if (field->advice != NULL) {
        problem_error(loader->problems, loader_key(loader, node),
                      "%s is not available in this version of mote; remove it", field->advice);
    } else {
        problem_error(loader->problems, loader_key(loader, node),
                      "'%s' is not available in this version of mote; remove it", field->key);
    }
}

static void read_field(struct loader *loader, const struct field *field, const char *title,
                       const struct toml_node *node, void *value)
{
    switch (field->kind) {
    case FIELD_NUMBER:
        read_number(loader, field, node, value);
        return;
    case FIELD_CHOICE:
        read_choice(loader, field, node, value);
        return;
    case FIELD_FLAG:
        read_flag(loader, field, node, value);
        return;
    case FIELD_TEXT:
        read_text(loader, field, node, value);
        return;
    case FIELD_NODE:
        *(const struct toml_node **)value = node;
        return;
    case FIELD_TABLE:
        read_table(loader, field, node, value);
        return;
    case FIELD_TABLES:
        read_tables(loader, field, node, value);
        return;
    case FIELD_LATER:
        refuse_later(loader, field, node);
        return;
    case FIELD_ELSEWHERE:
        problem_error(loader->problems, loader_key(loader, node),
                      "'%s' does not belong in %s; move it to %s", field->key, title,
                      field->advice);
        return;
    }
    BUG("field kind %d", (int)field->kind);
}

static bool field_is_known(const struct field *field)
{
    return field->kind != FIELD_LATER && field->kind != FIELD_ELSEWHERE;
}

static void refuse_unknown(struct loader *loader, const struct schema *schema, const char *title,
                           const struct toml_node *node)
{
    AUTO(bytes_finip) struct bytes known = {0};
    struct suggestion suggestion = suggestion_begin(node->key);

    for (size_t g = 0; g < SCHEMA_GROUPS; g++) {
        for (size_t i = 0; i < schema->groups[g].count; i++) {
            const struct field *field = &schema->groups[g].fields[i];
            if (!field_is_known(field)) {
                continue;
            }
            suggestion_offer(&suggestion, field->key);
            if (!bytes_printf(&known, "%s%s", known.size == 0 ? "" : ", ", field->key)) {
                (void)problem_memory(loader->problems);
                return;
            }
        }
    }
    if (suggestion.best != NULL) {
        problem_error(loader->problems, loader_key(loader, node),
                      "unknown key '%.80s' in %s; did you mean '%s'?", node->key, title,
                      suggestion.best);
        return;
    }
    problem_error(loader->problems, loader_key(loader, node),
                  "unknown key '%.80s' in %s; there are: %.*s", node->key, title, (int)known.size,
                  (const char *)known.data);
}

void schema_read(struct loader *loader, const struct schema *schema, const char *title,
                 const struct toml_node *table, void *section)
{
    for (const struct toml_node *node = loader_first(loader, table); node != NULL;
         node = loader_next(loader, node)) {
        bool found = false;
        for (size_t g = 0; !found && g < SCHEMA_GROUPS; g++) {
            const struct field_group *group = &schema->groups[g];
            for (size_t i = 0; !found && i < group->count; i++) {
                const struct field *field = &group->fields[i];
                found = strlen(field->key) == node->key_bytes &&
                        memcmp(field->key, node->key, node->key_bytes) == 0;
                if (found) {
                    read_field(loader, field, title, node, member(group, field, section));
                }
            }
        }
        if (!found) {
            refuse_unknown(loader, schema, title, node);
        }
    }
}
