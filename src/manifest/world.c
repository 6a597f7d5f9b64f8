#include "manifest/world.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *world_variable(void *argument, const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : dotenv_get(argument, name);
}

static enum world_entry world_inspect(void *argument, const char *path)
{
    struct stat status;

    (void)argument;
    if (stat(path, &status) < 0) {
        return errno == EACCES ? WORLD_UNREADABLE : WORLD_MISSING;
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return WORLD_OTHER;
    }
    if (access(path, S_ISDIR(status.st_mode) ? R_OK | X_OK : R_OK) < 0) {
        return WORLD_UNREADABLE;
    }
    return S_ISDIR(status.st_mode) ? WORLD_FOLDER : WORLD_FILE;
}

/* A socket or cache folder that does not exist yet still has a place to be kept away from. */
static char *world_resolve(void *argument, const char *path)
{
    char *real = realpath(path, NULL);
    if (real != NULL || errno != ENOENT) {
        return real;
    }
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    size_t parent = size;
    while (parent > 0 && path[parent - 1] != '/') {
        parent--;
    }
    if (size == 0 || parent == size) {
        return NULL;
    }
    char *above = parent == 0 ? strdup(".") : strndup(path, parent);
    char *folder = above == NULL ? NULL : world_resolve(argument, above);
    char *joined = NULL;
    if (folder != NULL && asprintf(&joined, "%s/%.*s", strcmp(folder, "/") == 0 ? "" : folder,
                                   (int)(size - parent), path + parent) < 0) {
        joined = NULL;
    }
    free(above);
    free(folder);
    return joined;
}

struct manifest_world world_real(struct dotenv *dotenv)
{
    return (struct manifest_world){
        .argument = dotenv,
        .variable = world_variable,
        .inspect = world_inspect,
        .resolve = world_resolve,
    };
}
