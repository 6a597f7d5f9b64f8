#include "fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(void *argument, const char *name)
{
    static const char *const VARIABLES[][2] = {
        {"PORT", "9000"},
        {"GREETING", "hello"},
        {"TOKEN", "s3cret"},
        {"EMPTY", ""},
        {"BINARY", "a\xff"
                   "b"},
    };

    (void)argument;
    for (size_t i = 0; i < ARRAY_LENGTH(VARIABLES); i++) {
        if (strcmp(VARIABLES[i][0], name) == 0) {
            return VARIABLES[i][1];
        }
    }
    return NULL;
}

static enum world_entry inspect(void *argument, const char *path)
{
    (void)argument;
    if (strstr(path, "missing") != NULL) {
        return WORLD_MISSING;
    }
    if (strstr(path, "locked") != NULL) {
        return WORLD_UNREADABLE;
    }
    if (strstr(path, "device") != NULL) {
        return WORLD_OTHER;
    }
    size_t size = strlen(path);
    bool file = (size > 5 && strcmp(path + size - 5, ".wasm") == 0) ||
                (size > 4 && strcmp(path + size - 4, ".pem") == 0);
    return file ? WORLD_FILE : WORLD_FOLDER;
}

static char *resolve(void *argument, const char *path)
{
    char *real = NULL;

    (void)argument;
    if (strcmp(path, ".") == 0) {
        return strdup("/app");
    }
    if (strcmp(path, "link") == 0) {
        return strdup("/app/wasm");
    }
    if (strcmp(path, "loop") == 0) {
        return NULL;
    }
    if (asprintf(&real, "%s%s", *path == '/' ? "" : "/app/", path) < 0) {
        return NULL;
    }
    return real;
}

struct manifest_world fake_world(void)
{
    return (struct manifest_world){.variable = variable, .inspect = inspect, .resolve = resolve};
}

struct manifest *fake_load(const char *text, const struct manifest_overrides *overrides,
                           struct problems *ret)
{
    struct manifest_world world = fake_world();

    return manifest_load_text("mote.toml", text, strlen(text), overrides, &world, ret);
}

char *fake_problems(const struct problems *problems)
{
    AUTO(bytes_finip) struct bytes text = {0};

    if (!problems_print(problems, &text) || !bytes_terminate(&text)) {
        return NULL;
    }
    return strdup((char *)text.data);
}
