#include "cli/explain.h"

#include "base/json.h"
#include "cli/need.h"
#include "guest/component.h"
#include "manifest/utf8_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES_MAX = 400, PLACE_BYTES = 256 };

/* What comes of an import. */
struct verdict {
    const char *state; /* "granted", "partly", "denied", "missing" */
    struct bytes by;   /* what grants it, or what there is of it; terminated, may be empty */
    uint32_t line;     /* of what grants it; see manifest.h */
    const char
        *needed; /* the line of the manifest that would grant it, or more of it; NULL: none */
};

struct explanation {
    const struct manifest *manifest;
    const struct manifest_component *component;
    const struct engine_import *imports;
    size_t import_count;
    bool plain; /* for people */
    struct json json;
    struct bytes *ret;
    bool failed;
};

static void put(struct explanation *explanation, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void put(struct explanation *explanation, const char *fmt, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, fmt);
    int size = vasprintf(&text, fmt, arguments);
    va_end(arguments);
    if (size < 0 || !bytes_append(explanation->ret, text, (size_t)size)) {
        explanation->failed = true;
    }
    free(size < 0 ? NULL : text);
}

/* ---- where something stands ---- */

/* The section that a line is in: of the capabilities that the component has, the last one that begins before it. */
static const struct manifest_ancestor *section_of(const struct manifest_component *component,
                                                  uint32_t line)
{
    const struct manifest_ancestor *nearest = NULL;
    for (size_t i = 0; i < component->ancestor_count; i++) {
        const struct manifest_ancestor *one = &component->lineage[i];
        if (one->line <= line && (nearest == NULL || one->line > nearest->line)) {
            nearest = one;
        }
    }
    return nearest;
}

static void place_text(const struct explanation *explanation, uint32_t line, char ret[PLACE_BYTES])
{
    const struct manifest_component *component = explanation->component;
    if (line == MANIFEST_DEFAULT || line == MANIFEST_PROFILE) {
        snprintf(ret, PLACE_BYTES, "profile %s", component->profile);
        return;
    }
    const struct manifest_ancestor *section = section_of(component, line);
    bool own = section == NULL || component->line > section->line;
    if (own && component->line <= line) {
        snprintf(ret, PLACE_BYTES, "%.100s:%u [components.%.64s]", explanation->manifest->path,
                 line, component->name);
    } else if (section != NULL) {
        snprintf(ret, PLACE_BYTES, "%.100s:%u [capabilities.%.64s]", explanation->manifest->path,
                 line, section->name);
    } else {
        snprintf(ret, PLACE_BYTES, "%.100s:%u", explanation->manifest->path, line);
    }
}

/* Where a grant that is missing would have to stand. */
static void home_text(const struct manifest_component *component, char ret[PLACE_BYTES])
{
    if (component->ancestor_count > 0) {
        snprintf(ret, PLACE_BYTES, "[capabilities.%.64s]", component->lineage[0].name);
    } else {
        snprintf(ret, PLACE_BYTES,
                 "a [capabilities.NAME] that inherits \"%s\", with capability = \"NAME\" in "
                 "[components.%.64s]",
                 component->profile, component->name);
    }
}

/* ---- verdicts ---- */

static bool list_names(struct bytes *ret, const char *key, const char *const *names)
{
    if (names[0] != NULL && strcmp(names[0], "*") == 0) {
        return bytes_printf(ret, "%s = true", key);
    }
    bool fits = bytes_printf(ret, "%s = [", key);
    for (size_t i = 0; fits && names[i] != NULL; i++) {
        fits = bytes_printf(ret, "%s\"%s\"", i == 0 ? "" : ", ", names[i]);
    }
    return fits && bytes_append(ret, "]", 1);
}

static bool judge_names(const struct manifest_names *names, const char *key, const char *needed,
                        struct verdict *ret)
{
    ret->needed = needed;
    ret->line = names->line;
    if (names->names == NULL || names->names[0] == NULL) {
        ret->state = "denied";
        return true;
    }
    ret->state = "granted";
    return list_names(&ret->by, key, names->names);
}

static bool is_set(const struct manifest_component *component, const char *name)
{
    size_t size = strlen(name);
    for (const char *const *at = component->environment; *at != NULL; at++) {
        if (strncmp(*at, name, size) == 0 && (*at)[size] == '=') {
            return true;
        }
    }
    return false;
}

/* The names, never what they are set to. */
static bool judge_env(const struct manifest_component *component, struct verdict *ret)
{
    bool fits = true, some = component->environment_names[0] != NULL;
    ret->needed = "env = [\"NAME\"]";
    ret->state = some ? "granted" : "denied";
    ret->line = some ? component->environment_lines[0] : MANIFEST_DEFAULT;
    for (size_t i = 0; fits && component->environment_names[i] != NULL; i++) {
        const char *name = component->environment_names[i];
        fits = bytes_printf(&ret->by, "%s%s (line %u%s)", i == 0 ? "" : ", ", name,
                            component->environment_lines[i],
                            is_set(component, name) ? "" : ", not set");
    }
    return fits;
}

static bool judge_folders(const struct manifest_component *component, struct verdict *ret)
{
    ret->needed = "preopen = [{ path = \"FOLDER\", guest = \"/FOLDER\", mode = \"ro\" }]";
    ret->state = component->preopen_count > 0 ? "granted" : "denied";
    ret->line = component->preopen_count > 0 ? component->preopens[0].line : MANIFEST_DEFAULT;
    bool fits = true;
    for (size_t i = 0; fits && i < component->preopen_count; i++) {
        const struct manifest_preopen *preopen = &component->preopens[i];
        fits = bytes_printf(&ret->by, "%s%s (%s, line %u)", i == 0 ? "" : ", ", preopen->guest_path,
                            preopen->read_only ? "ro" : "rw", preopen->line);
    }
    return fits;
}

static bool judge_flag(const struct manifest_flag *flag, const char *key, const char *otherwise,
                       const char *needed, struct verdict *ret)
{
    ret->needed = needed;
    ret->line = flag->line;
    ret->state = flag->value ? "granted" : otherwise != NULL ? "partly" : "denied";
    return flag->value ? bytes_printf(&ret->by, "%s = true", key)
                       : bytes_printf(&ret->by, "%s", otherwise != NULL ? otherwise : "");
}

static bool judge_namespaces(const struct manifest_component *component, struct verdict *ret)
{
    if (!judge_names(&component->allow_namespaces, "allow-namespaces",
                     "allow-namespaces = [\"NAMESPACE\"]", ret)) {
        return false;
    }
    if (ret->by.size > 0) {
        return true;
    }
    ret->state = "partly";
    ret->line = MANIFEST_PROFILE;
    return bytes_printf(&ret->by, "its own namespace \"%s\"", component->namespace.value);
}

static bool judge(const struct manifest_component *component, enum need need, struct verdict *ret)
{
    switch (need) {
    case NEED_NOTHING:
        ret->state = "granted";
        ret->line = MANIFEST_PROFILE;
        return bytes_printf(&ret->by, "every guest");
    case NEED_ENV:
        return judge_env(component, ret);
    case NEED_STDIO:
        return judge_flag(&component->allow_stdio, "allow-stdio", NULL, "allow-stdio = true", ret);
    case NEED_FOLDERS:
        return judge_folders(component, ret);
    case NEED_SPAWN:
        return judge_names(&component->allow_spawn, "allow-spawn", "allow-spawn = [\"COMPONENT\"]",
                           ret);
    case NEED_CONTROL:
        return judge_flag(&component->allow_process_control, "allow-process-control",
                          "its children, its parent, and who has accept-links",
                          "allow-process-control = true", ret);
    case NEED_NAMESPACES:
        return judge_namespaces(component, ret);
    case NEED_NETWORK:
        return judge_names(&component->allow_network, "allow-network", "allow-network = [\"HOST\"]",
                           ret);
    case NEED_NEVER:
        ret->state = "denied";
        return bytes_printf(&ret->by, "nothing grants it");
    }
    BUG("need %d", (int)need);
}

static bool is_text(const char *text, size_t size_bytes, const char *wanted)
{
    return strlen(wanted) == size_bytes && memcmp(text, wanted, size_bytes) == 0;
}

/* Whether a module gets it at all; what a component gets is told by its linking. */
static bool is_offered(const struct explanation *explanation, const struct wasm_import *import)
{
    if (import->name_bytes == 0 && import->name[0] == '\0') {
        return true;
    }
    for (size_t i = 0; i < explanation->import_count; i++) {
        const struct engine_import *one = &explanation->imports[i];
        if (is_text(import->module, import->module_bytes, one->module) &&
            is_text(import->name, import->name_bytes, one->name)) {
            return true;
        }
    }
    return is_text(import->module, import->module_bytes, "wasi_snapshot_preview1") &&
           need_is_preview1(import->name, import->name_bytes);
}

/* ---- telling ---- */

/* "module::name", fit for a terminal. False: out of memory. */
static bool import_text(const struct wasm_import *import, struct bytes *ret)
{
    char text[SHOWN_BYTES_MAX + 1];
    bool named = import->name_bytes > 0;
    int module = import->module_bytes < SHOWN_BYTES_MAX / 2 ? (int)import->module_bytes
                                                            : SHOWN_BYTES_MAX / 2;
    int name = import->name_bytes < SHOWN_BYTES_MAX / 2 - 2 ? (int)import->name_bytes
                                                            : SHOWN_BYTES_MAX / 2 - 2;
    snprintf(text, sizeof text, "%.*s%s%.*s", module, import->module, named ? "::" : "", name,
             import->name);
    return utf8_text_show(ret, text, sizeof text) && bytes_terminate(ret);
}

static void tell_line(struct explanation *explanation, const char *title,
                      const struct verdict *verdict)
{
    char place[PLACE_BYTES];
    const char *by = verdict->by.data != NULL ? (const char *)verdict->by.data : "";
    bool granted = strcmp(verdict->state, "granted") == 0;

    place_text(explanation, verdict->line, place);
    put(explanation, "  %-8s %-40s %s", verdict->state, title, by);
    if (granted) {
        put(explanation, "; %s", place);
    } else if (verdict->needed != NULL) {
        put(explanation, "%s: %s", *by == '\0' ? "needs" : "; more needs", verdict->needed);
    }
    put(explanation, "\n");
}

static void tell_json(struct explanation *explanation, const struct verdict *verdict)
{
    struct json *json = &explanation->json;
    char place[PLACE_BYTES], home[PLACE_BYTES];
    const char *by = verdict->by.data != NULL ? (const char *)verdict->by.data : "";
    bool granted = strcmp(verdict->state, "granted") == 0;

    json_string(json, "state", verdict->state);
    json_string(json, "by", by);
    if (strcmp(verdict->state, "denied") != 0 && strcmp(verdict->state, "missing") != 0) {
        place_text(explanation, verdict->line, place);
        json_string(json, "from", place);
    }
    if (!granted && verdict->needed != NULL) {
        home_text(explanation->component, home);
        json_string(json, "needs", verdict->needed);
        json_string(json, "in", home);
    }
}

static void tell_import(void *argument, const struct wasm_import *import)
{
    struct explanation *explanation = argument;
    AUTO(bytes_finip) struct bytes title = {0};
    struct verdict verdict = {.state = "missing"};
    bool fits = is_offered(explanation, import)
                    ? judge(explanation->component, need_of(import), &verdict)
                    : bytes_printf(&verdict.by, "mote does not offer it");
    if (!fits || !import_text(import, &title) || !bytes_terminate(&verdict.by)) {
        explanation->failed = true;
    } else if (explanation->plain) {
        tell_line(explanation, (char *)title.data, &verdict);
    } else {
        json_open(&explanation->json, NULL, '{');
        json_text(&explanation->json, "module", import->module, import->module_bytes);
        json_text(&explanation->json, "name", import->name, import->name_bytes);
        tell_json(explanation, &verdict);
        json_close(&explanation->json, '}');
    }
    bytes_fini(&verdict.by);
}

static void tell_grant(struct explanation *explanation, const char *key, enum need need)
{
    struct verdict verdict = {0};
    if (!judge(explanation->component, need, &verdict) || !bytes_terminate(&verdict.by)) {
        explanation->failed = true;
    } else if (explanation->plain) {
        tell_line(explanation, key, &verdict);
    } else {
        json_open(&explanation->json, key, '{');
        tell_json(explanation, &verdict);
        json_close(&explanation->json, '}');
    }
    bytes_fini(&verdict.by);
}

static void tell_grants(struct explanation *explanation)
{
    tell_grant(explanation, "env", NEED_ENV);
    tell_grant(explanation, "preopen", NEED_FOLDERS);
    tell_grant(explanation, "allow-stdio", NEED_STDIO);
    tell_grant(explanation, "allow-network", NEED_NETWORK);
    tell_grant(explanation, "allow-spawn", NEED_SPAWN);
    tell_grant(explanation, "allow-process-control", NEED_CONTROL);
    tell_grant(explanation, "allow-namespaces", NEED_NAMESPACES);
}

static void tell_head(struct explanation *explanation, const char *kind)
{
    const struct manifest_component *component = explanation->component;
    struct json *json = &explanation->json;

    if (explanation->plain) {
        char home[PLACE_BYTES];
        home_text(component, home);
        put(explanation, "%s: %s, %s, at %s:%u\ncapability:", component->name,
            component->source.value, kind, explanation->manifest->path, component->line);
        for (size_t i = 0; i < component->ancestor_count; i++) {
            put(explanation, " %s <", component->lineage[i].name);
        }
        put(explanation, " %s\nnamespace: %s\nmore can be granted in %s\n", component->profile,
            component->namespace.value, home);
        return;
    }
    json_open(json, NULL, '{');
    json_string(json, "component", component->name);
    json_string(json, "source", component->source.value);
    json_string(json, "kind", kind);
    json_number(json, "line", component->line);
    json_string(json, "namespace", component->namespace.value);
    json_string(json, "profile", component->profile);
    json_open(json, "capabilities", '[');
    for (size_t i = 0; i < component->ancestor_count; i++) {
        json_string(json, NULL, component->lineage[i].name);
    }
    json_close(json, ']');
}

static void open_part(struct explanation *explanation, const char *key, char bracket)
{
    if (explanation->plain) {
        put(explanation, "%s\n", key);
    } else {
        json_open(&explanation->json, key, bracket);
    }
}

static void close_part(struct explanation *explanation, char bracket)
{
    if (!explanation->plain) {
        json_close(&explanation->json, bracket);
    }
}

static void ignore_import(void *argument, const struct wasm_import *import)
{
    (void)argument;
    (void)import;
}

bool explain_component(const struct manifest *manifest, const struct manifest_component *component,
                       const struct engine_import *imports, size_t import_count,
                       enum manifest_form form, struct bytes *ret, struct err *err)
{
    AUTO(bytes_finip) struct bytes wasm = {0};
    enum wasm_kind kind = WASM_MODULE;
    struct explanation explanation = {.manifest = manifest,
                                      .component = component,
                                      .imports = imports,
                                      .import_count = import_count,
                                      .plain = form == MANIFEST_TEXT,
                                      .json = {.to = ret},
                                      .ret = ret};
    if (!bytes_read_file(&wasm, component->source.value, COMPONENT_FILE_BYTES_MAX, err)) {
        return false;
    }
    if (!wasm_imports_visit(&wasm, &kind, ignore_import, NULL)) {
        return err_set(err, ERR_INPUT, "%s: its imports cannot be read", component->source.value);
    }
    tell_head(&explanation, kind == WASM_MODULE ? "a core module" : "a component");
    open_part(&explanation, "grants", '{');
    tell_grants(&explanation);
    close_part(&explanation, '}');
    open_part(&explanation, "imports", '[');
    bool whole = wasm_imports_visit(&wasm, &kind, tell_import, &explanation);
    close_part(&explanation, ']');
    if (!explanation.plain) {
        json_close(&explanation.json, '}');
    }
    INVARIANT(whole);
    return (!explanation.failed && json_done(&explanation.json)) || err_set_memory(err);
}
