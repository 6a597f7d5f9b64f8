/* A manifest of any bytes is refused with problems or becomes structs that can be printed in both forms.
 * Nothing is read but the input: what exists on the machine follows from the names in it. */
#include "manifest/dotenv.h"
#include "manifest/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const char *variable(void *argument, const char *name)
{
    (void)argument;
    switch (name[0]) {
    case 'A':
        return "api";
    case 'E':
        return "";
    case 'X':
        return "\xff";
    default:
        return NULL;
    }
}

static enum world_entry inspect(void *argument, const char *path)
{
    size_t size = strlen(path);

    (void)argument;
    if (size > 0 && path[size - 1] >= '0' && path[size - 1] <= '4') {
        return (enum world_entry)(path[size - 1] - '0');
    }
    return size > 5 && strcmp(path + size - 5, ".wasm") == 0 ? WORLD_FILE : WORLD_FOLDER;
}

static char *resolve(void *argument, const char *path)
{
    char *real;

    (void)argument;
    if (path[0] == 'z' || asprintf(&real, "%s%s", path[0] == '/' ? "" : "/app/", path) < 0) {
        return NULL;
    }
    return real;
}

/* Every promise that callers rely on without looking. */
static void check(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        const struct manifest_component *component = &manifest->components[i];
        INVARIANT(component->source.value != NULL);
        INVARIANT(component->profile != NULL);
        INVARIANT(component->arguments[component->argument_count] == NULL);
        INVARIANT(component->environment != NULL);
        INVARIANT(component->limits.max_memory_mb.value > 0);
        INVARIANT(component->limits.max_cpu_ms.value > 0);
        INVARIANT(manifest_component(manifest, component->name) == component);
    }
    for (size_t i = 0; i < manifest->serve_count; i++) {
        const struct manifest_serve *serve = &manifest->serves[i];
        INVARIANT(serve->listen.value != NULL);
        INVARIANT(serve->route_count > 0 || serve->everything.component != NULL);
        for (size_t j = 0; j < serve->route_count; j++) {
            INVARIANT(serve->routes[j].target.component != NULL);
            INVARIANT(serve->routes[j].pattern[0] == '/');
        }
    }
}

static void load(const char *text, size_t size_bytes)
{
    static const char *const PROTECTED[] = {"/cache"};
    static const char *const LISTEN[] = {"127.0.0.1:0"};
    const struct manifest_world world = {
        .variable = variable,
        .inspect = inspect,
        .resolve = resolve,
    };
    const struct manifest_overrides overrides = {
        .listen = LISTEN,
        .listen_count = size_bytes & 1,
        .protected_paths = PROTECTED,
        .protected_count = 1,
    };
    AUTO(problems_finip) struct problems problems = {0};
    AUTO(bytes_finip) struct bytes out = {0};
    AUTO(manifest_destroyp)
    struct manifest *manifest = manifest_load_text("mote.toml", text, size_bytes, &overrides,
                                                   &world, &problems);

    INVARIANT((manifest == NULL) == problems_failed(&problems));
    bool printed = problems_print(&problems, &out);
    if (printed && manifest != NULL) {
        check(manifest);
        printed = manifest_print(manifest, MANIFEST_TEXT, &out) &&
                  manifest_print(manifest, MANIFEST_JSON, &out);
    }
    /* Whatever the input holds, what is shown can neither steer a terminal nor break a line. */
    for (size_t i = 0; printed && i < out.size; i++) {
        INVARIANT((out.data[i] >= ' ' && out.data[i] != 0x7f) || out.data[i] == '\n');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    AUTO(problems_finip) struct problems problems = {0};
    AUTO(dotenv_finip) struct dotenv dotenv = {0};
    const char *text = size_bytes == 0 ? "" : (const char *)data;

    load(text, size_bytes);
    dotenv_parse(&dotenv, ".env", text, size_bytes, &problems);
    return 0;
}
