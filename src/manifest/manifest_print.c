/* What `mote check` shows of a manifest: one walk over the tables of keys, told to a report. */
#include "manifest/manifest.h"

#include "manifest/report.h"
#include "manifest/section.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const void *member(const struct field_group *group, const struct field *field,
                          const void *section)
{
    return (const char *)section + group->base + field->offset;
}

/* Without one of its own, a component has the deadline of whichever listener the request came by. */
static bool is_the_listeners(const struct field_group *group, const struct field *field,
                             const struct manifest_number *number)
{
    return group->fields == LIMIT_FIELDS && number->line == MANIFEST_DEFAULT &&
           (strcmp(field->key, "deadline-ms") == 0 ||
            strcmp(field->key, "stream-deadline-ms") == 0);
}

/* Who is not watched is not restarted either. */
static bool is_for_services(const struct field *field)
{
    return field->offset == offsetof(struct manifest_component, restart) ||
           field->offset == offsetof(struct manifest_component, shutdown_ms) ||
           field->offset == offsetof(struct manifest_component, start_timeout_ms) ||
           field->offset == offsetof(struct manifest_component, code_change);
}

static void print_field(struct report *report, const struct field_group *group,
                        const struct field *field, const void *section)
{
    const void *value = member(group, field, section);

    switch (field->kind) {
    case FIELD_NUMBER: {
        const struct manifest_number *number = value;
        if (is_the_listeners(group, field, number)) {
            report_text(report, field->key, NULL, number->line, "the listener's");
        } else {
            report_number(report, field->key, *number, field->zero);
        }
        return;
    }
    case FIELD_CHOICE: {
        const struct manifest_number *choice = value;
        report_text(report, field->key, field->choices[choice->value], choice->line, NULL);
        return;
    }
    case FIELD_FLAG: {
        const struct manifest_flag *flag = value;
        report_flag(report, field->key, *flag);
        return;
    }
    case FIELD_TEXT: {
        const struct manifest_text *text = value;
        report_text(report, field->key, text->value, text->line, field->zero);
        return;
    }
    case FIELD_NODE:
    case FIELD_TABLE:
    case FIELD_TABLES:
    case FIELD_LATER:
    case FIELD_ELSEWHERE:
        return;
    }
    BUG("field kind %d", (int)field->kind);
}

static void print_fields(struct report *report, const struct schema *schema, const void *section)
{
    for (size_t g = 0; g < SCHEMA_GROUPS; g++) {
        for (size_t i = 0; i < schema->groups[g].count; i++) {
            const struct field *field = &schema->groups[g].fields[i];
            if (schema == &SCHEMA_COMPONENT && g == 0 && is_for_services(field) &&
                !((const struct manifest_component *)section)->resident.value) {
                continue;
            }
            print_field(report, &schema->groups[g], field, section);
        }
    }
}

/* As written, not as interpolated: an argument may well be a secret. */
static bool print_arguments(struct report *report, const struct manifest_component *component)
{
    AUTO(bytes_finip) struct bytes joined = {0};

    for (size_t i = 0; i < component->argument_count; i++) {
        if (!bytes_printf(&joined, "%s%s", i == 0 ? "" : " ", component->arguments_written[i])) {
            return false;
        }
    }
    if (!bytes_terminate(&joined)) {
        return false;
    }
    report_line(report, "args", joined.size == 0 ? "none" : (char *)joined.data,
                component->arguments_line);
    report_list_open(report, "args");
    for (size_t i = 0; i < component->argument_count; i++) {
        report_element(report, component->arguments_written[i]);
    }
    report_list_close(report);
    return true;
}

static bool print_env(struct report *report, const struct manifest_component *component)
{
    AUTO(bytes_finip) struct bytes joined = {0};

    report_list_open(report, "env");
    for (size_t i = 0; component->environment_names[i] != NULL; i++) {
        if (!bytes_printf(&joined, "%s%s", i == 0 ? "" : " ", component->environment_names[i])) {
            return false;
        }
        report_element(report, component->environment_names[i]);
    }
    report_list_close(report);
    if (!bytes_terminate(&joined)) {
        return false;
    }
    /* Several capabilities may have added to it: each of them is right, none of them is the place. */
    report_line(report, "env", joined.size == 0 ? "none" : (char *)joined.data,
                component->environment_names[0] == NULL ? MANIFEST_DEFAULT
                                                        : component->capability.line);
    return true;
}

static bool print_preopens(struct report *report, const struct manifest_component *component)
{
    report_list_open(report, "preopen");
    for (size_t i = 0; i < component->preopen_count; i++) {
        const struct manifest_preopen *preopen = &component->preopens[i];
        const char *mode = preopen->read_only ? "ro" : "rw";
        AUTO(bytes_finip) struct bytes line = {0};
        if (!bytes_printf(&line, "%s as %s, %s", preopen->host_path, preopen->guest_path, mode) ||
            !bytes_terminate(&line)) {
            return false;
        }
        report_line(report, "preopen", (char *)line.data, preopen->line);
        report_map_open(report, NULL);
        report_member(report, "path", preopen->host_path);
        report_member(report, "guest", preopen->guest_path);
        report_member(report, "mode", mode);
        report_member_source(report, preopen->line);
        report_close(report);
    }
    report_list_close(report);
    if (component->preopen_count == 0) {
        report_line(report, "preopen", "none", MANIFEST_DEFAULT);
    }
    return true;
}

static bool print_names(struct report *report, const char *key, const struct manifest_names *names,
                        const char *everything)
{
    AUTO(bytes_finip) struct bytes joined = {0};
    bool all = names->names[0] != NULL && strcmp(names->names[0], "*") == 0;

    report_map_open(report, key);
    report_member_flag(report, "all", all);
    report_list_open(report, "names");
    for (size_t i = 0; !all && names->names[i] != NULL; i++) {
        if (!bytes_printf(&joined, "%s%s", i == 0 ? "" : " ", names->names[i])) {
            return false;
        }
        report_element(report, names->names[i]);
    }
    report_list_close(report);
    report_member_source(report, names->line);
    report_close(report);
    if (!bytes_terminate(&joined)) {
        return false;
    }
    report_line(report, key,
                all                ? everything
                : joined.size == 0 ? "none"
                                   : (char *)joined.data,
                names->line);
    return true;
}

/* Names that are given or not; `otherwise`: what none of them means. */
static bool print_list(struct report *report, const char *key, const struct manifest_names *names,
                       const char *otherwise)
{
    AUTO(bytes_finip) struct bytes joined = {0};

    report_list_open(report, key);
    for (size_t i = 0; names->names != NULL && names->names[i] != NULL; i++) {
        if (!bytes_printf(&joined, "%s%s", i == 0 ? "" : " ", names->names[i])) {
            return false;
        }
        report_element(report, names->names[i]);
    }
    report_list_close(report);
    if (!bytes_terminate(&joined)) {
        return false;
    }
    report_line(report, key, names->names == NULL ? otherwise : (char *)joined.data, names->line);
    return true;
}

static bool print_component(struct report *report, const struct manifest_component *component)
{
    char title[96];

    (void)snprintf(title, sizeof(title), "[components.%.64s]", component->name);
    report_open(report, component->name, title);
    print_fields(report, &SCHEMA_COMPONENT, component);
    report_flag(report, "allow-stdio", component->allow_stdio);
    report_flag(report, "allow-process-control", component->allow_process_control);
    report_flag(report, "accept-links", component->accept_links);
    bool fits = print_names(report, "allow-spawn", &component->allow_spawn, "all") &&
                print_names(report, "allow-namespaces", &component->allow_namespaces, "all") &&
                print_names(report, "allow-network", &component->allow_network,
                            "any public address") &&
                print_arguments(report, component) && print_env(report, component) &&
                print_preopens(report, component);
    report_close(report);
    return fits;
}

static bool target_line(const struct manifest_serve *serve, const struct manifest_target *target,
                        struct bytes *ret)
{
    bool fits = bytes_printf(ret, "%s%s%s", target->component->name,
                             target->entry == NULL ? "" : "#",
                             target->entry == NULL ? "" : target->entry);

    if (target->deadline_ms.value != serve->deadline_ms.value) {
        fits = fits && bytes_printf(ret, ", deadline-ms %" PRIu64, target->deadline_ms.value);
    }
    if (target->stream_deadline_ms.value != serve->stream_deadline_ms.value) {
        fits = fits &&
               bytes_printf(ret, ", stream-deadline-ms %" PRIu64, target->stream_deadline_ms.value);
    }
    return fits && bytes_terminate(ret);
}

static bool print_route(struct report *report, const struct manifest_serve *serve,
                        const struct manifest_route *route)
{
    AUTO(bytes_finip) struct bytes name = {0};
    AUTO(bytes_finip) struct bytes value = {0};

    if (!bytes_printf(&name, "%s %s", route->method, route->pattern) || !bytes_terminate(&name) ||
        !target_line(serve, &route->target, &value)) {
        return false;
    }
    report_line(report, (char *)name.data, (char *)value.data, route->line);
    report_map_open(report, NULL);
    report_member(report, "method", route->method);
    report_member(report, "pattern", route->pattern);
    report_member(report, "component", route->target.component->name);
    report_member(report, "entry", route->target.entry);
    report_member_number(report, "deadline-ms", route->target.deadline_ms.value);
    report_member_number(report, "stream-deadline-ms", route->target.stream_deadline_ms.value);
    report_member_source(report, route->line);
    report_close(report);
    return true;
}

static bool print_header(struct report *report, const struct manifest_header *header)
{
    AUTO(bytes_finip) struct bytes name = {0};

    if (!bytes_printf(&name, "header %s", header->name) || !bytes_terminate(&name)) {
        return false;
    }
    report_line(report, (char *)name.data, header->written, header->line);
    report_map_open(report, NULL);
    report_member(report, "name", header->name);
    report_member(report, "value", header->written);
    report_member_source(report, header->line);
    report_close(report);
    return true;
}

static void print_joined(struct report *report, const char *key, const struct manifest_list *list,
                         const char *empty)
{
    bool none = list->values == NULL || list->values[0] == NULL;

    report_line(report, key, none ? empty : list->joined, list->line);
    report_list_open(report, key);
    for (size_t i = 0; !none && list->values[i] != NULL; i++) {
        report_element(report, list->values[i]);
    }
    report_list_close(report);
}

static void print_cors(struct report *report, const struct manifest_cors *cors)
{
    report_line(report, "cors", cors->line == 0 ? "none" : "as follows", cors->line);
    if (cors->line == 0) {
        return;
    }
    report_map_open(report, "cors");
    print_joined(report, "origins", &cors->origins, "none");
    print_joined(report, "methods", &cors->methods, "none");
    print_joined(report, "headers", &cors->headers, "none");
    print_joined(report, "expose", &cors->expose, "none");
    report_number(report, "max-age-s", cors->max_age_s, NULL);
    report_flag(report, "credentials", cors->credentials);
    report_close(report);
}

static bool print_folder(struct report *report, const struct manifest_static *folder)
{
    AUTO(bytes_finip) struct bytes name = {0};

    if (!bytes_printf(&name, "static %s", folder->prefix.value) || !bytes_terminate(&name)) {
        return false;
    }
    report_line(report, (char *)name.data, folder->folder.value, folder->line);
    report_map_open(report, NULL);
    report_member(report, "prefix", folder->prefix.value);
    report_member(report, "folder", folder->folder.value);
    report_member(report, "index", folder->index.value);
    report_member(report, "fallback", folder->fallback.value);
    report_member(report, "cache-control", folder->cache_control.value);
    report_member_flag(report, "precompressed", folder->precompressed.value);
    report_member_flag(report, "dotfiles", folder->dotfiles.value);
    report_member_source(report, folder->line);
    report_close(report);
    return true;
}

static bool print_content(struct report *report, const struct manifest_content *content)
{
    bool fits = true;

    print_joined(report, "compression", &content->codings, "none");
    print_joined(report, "compression-types", &content->types, "the usual ones");
    print_cors(report, &content->cors);
    report_list_open(report, "static");
    for (size_t i = 0; fits && i < content->folder_count; i++) {
        fits = print_folder(report, &content->folders[i]);
    }
    report_list_close(report);
    return fits;
}

static bool print_trusted(struct report *report, const struct manifest_proxies *trusted)
{
    AUTO(bytes_finip) struct bytes joined = {0};

    report_list_open(report, "trusted-proxies");
    for (size_t i = 0; trusted->written != NULL && trusted->written[i] != NULL; i++) {
        if (!bytes_printf(&joined, "%s%s", i == 0 ? "" : " ", trusted->written[i])) {
            return false;
        }
        report_element(report, trusted->written[i]);
    }
    report_list_close(report);
    if (!bytes_terminate(&joined)) {
        return false;
    }
    report_line(report, "trusted-proxies", joined.size == 0 ? "none" : (char *)joined.data,
                trusted->line);
    return true;
}

static void print_file(struct report *report, const char *name, const char *key,
                       const struct manifest_file *file)
{
    report_line(report, name, file->path != NULL ? file->path : "none", file->line);
    report_member(report, key, file->path);
}

static void print_tls(struct report *report, const struct manifest_tls *tls)
{
    report_map_open(report, "tls");
    if (tls->pair_count > 0) {
        print_file(report, "tls client-ca", "client-ca", &tls->client_ca);
    } else {
        report_line(report, "tls", "none", MANIFEST_DEFAULT);
    }
    report_list_open(report, "certificates");
    for (size_t i = 0; i < tls->pair_count; i++) {
        report_map_open(report, NULL);
        print_file(report, "tls certificate", "certificate", &tls->pairs[i].certificate);
        print_file(report, "tls key", "key", &tls->pairs[i].key);
        report_member_source(report, tls->pairs[i].certificate.line);
        report_close(report);
    }
    report_list_close(report);
    report_close(report);
}

static bool print_serve(struct report *report, const struct manifest_serve *serve, size_t number)
{
    char title[64];
    bool fits = true;

    (void)snprintf(title, sizeof(title), "[[serve]] %zu", number);
    report_open(report, NULL, title);
    print_fields(report, &SCHEMA_SERVE, serve);
    fits = print_content(report, &serve->content);
    fits = fits && print_list(report, "subprotocols", &serve->subprotocols, "none") &&
           print_list(report, "allowed-origins", &serve->allowed_origins,
                      "the host that was asked");
    fits = fits && print_trusted(report, &serve->trusted);
    print_tls(report, &serve->tls);
    report_list_open(report, "headers");
    for (size_t i = 0; fits && i < serve->header_count; i++) {
        fits = print_header(report, &serve->headers[i]);
    }
    report_list_close(report);
    report_list_open(report, "routes");
    for (size_t i = 0; fits && i < serve->route_count; i++) {
        fits = print_route(report, serve, &serve->routes[i]);
    }
    report_list_close(report);
    report_close(report);
    return fits;
}

static bool print_supervisor(struct report *report, const struct manifest_supervisor *supervisor)
{
    AUTO(bytes_finip) struct bytes joined = {0};
    char title[96];

    (void)snprintf(title, sizeof(title), "[[supervisor]] %.64s", supervisor->name.value);
    report_open(report, NULL, title);
    print_fields(report, &SCHEMA_SUPERVISOR, supervisor);
    report_member(report, "parent",
                  supervisor->parent == NULL ? NULL : supervisor->parent->name.value);
    report_list_open(report, "children");
    for (size_t i = 0; i < supervisor->child_count; i++) {
        const struct manifest_child *child = &supervisor->children[i];
        const char *name = child->component != NULL ? child->component->name
                                                    : child->supervisor->name.value;
        if (!bytes_printf(&joined, "%s%s", i == 0 ? "" : " ", name)) {
            return false;
        }
        report_element(report, name);
    }
    report_list_close(report);
    if (!bytes_terminate(&joined)) {
        return false;
    }
    report_line(report, "children", (char *)joined.data, supervisor->children_line);
    report_close(report);
    return true;
}

static void print_schedule(struct report *report, const struct manifest_schedule *schedule,
                           size_t number)
{
    char title[64];

    (void)snprintf(title, sizeof(title), "[[schedule]] %zu", number);
    report_open(report, NULL, title);
    report_number(report, "every-ms", schedule->every_ms, "not at an interval");
    print_fields(report, &SCHEMA_SCHEDULE, schedule);
    report_close(report);
}

bool manifest_print(const struct manifest *manifest, enum manifest_form form, struct bytes *ret)
{
    struct report report;
    bool fits = true;

    report_begin(&report, manifest, form, ret);
    report_member(&report, "manifest", manifest->path);
    report_open(&report, "node", "[node]");
    print_fields(&report, &SCHEMA_NODE, &manifest->node);
    report_close(&report);
    report_open(&report, "log", "[log]");
    print_fields(&report, &SCHEMA_LOG, &manifest->log);
    report_close(&report);
    report_open(&report, "admin", "[admin]");
    print_fields(&report, &SCHEMA_ADMIN, &manifest->admin);
    report_close(&report);
    report_map_open(&report, "components");
    for (size_t i = 0; fits && i < manifest->component_count; i++) {
        fits = print_component(&report, &manifest->components[i]);
    }
    report_close(&report);
    report_list_open(&report, "supervisor");
    for (size_t i = 0; fits && i < manifest->supervisor_count; i++) {
        fits = print_supervisor(&report, &manifest->supervisors[i]);
    }
    report_list_close(&report);
    report_list_open(&report, "schedule");
    for (size_t i = 0; i < manifest->schedule_count; i++) {
        print_schedule(&report, &manifest->schedules[i], i + 1);
    }
    report_list_close(&report);
    report_list_open(&report, "serve");
    for (size_t i = 0; fits && i < manifest->serve_count; i++) {
        fits = print_serve(&report, &manifest->serves[i], i + 1);
    }
    report_list_close(&report);
    return report_end(&report) && fits;
}
