#include "cli/folders.h"

#include "guest/cache.h"
#include "manifest/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Whether guests that write to `outer` could put something else in the place of `inner`. */
static bool lies_within(const char *inner, const char *outer)
{
    char *inner_real = realpath(inner, NULL);
    char *outer_real = realpath(outer, NULL);
    size_t size = outer_real == NULL ? 0 : strlen(outer_real);
    bool within = inner_real != NULL && size > 0 && strncmp(inner_real, outer_real, size) == 0 &&
                  (size == 1 ? inner_real[1] != '\0' : inner_real[size] == '/');
    free(inner_real);
    free(outer_real);
    return within;
}

/* Not even from one run to the next may a guest choose what it is given. */
static bool check_nesting(const struct engine_preopen *folders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            const struct engine_preopen *outer = &folders[i], *inner = &folders[j];
            if (!outer->read_only && lies_within(inner->host_path, outer->host_path)) {
                fprintf(stderr,
                        "mote run: --dir %s lies in %s, where the guest may write and so put "
                        "something else in its place; make that one :ro\n",
                        inner->host_path, outer->host_path);
                return false;
            }
        }
    }
    return true;
}

/* One path without links is the other, or lies in it. */
static bool holds(const char *outer, const char *inner)
{
    size_t size = strcmp(outer, "/") == 0 ? 0 : strlen(outer);
    return strncmp(inner, outer, size) == 0 && (inner[size] == '/' || inner[size] == '\0');
}

/* What is compiled is run as native code the next time; and a guest that reaches the memory of the process that runs it
 * is free. */
static bool check_secret(const struct engine_preopen *folders, size_t count, const char *secret,
                         const char *remedy)
{
    struct manifest_world world = world_real(NULL);
    char *real = world.resolve(NULL, secret);
    bool good = true;
    for (size_t i = 0; real != NULL && good && i < count; i++) {
        const char *written = folders[i].host_path;
        char *folder = realpath(written, NULL);
        good = folder == NULL || (!holds(folder, real) && !holds(real, folder));
        if (!good) {
            fprintf(stderr,
                    "mote run: --dir %s %s %s, which no guest may reach; give another folder%s\n",
                    written, holds(folder, real) ? "holds" : "lies in", real, remedy);
        }
        free(folder);
    }
    free(real);
    return good;
}

bool folders_allow(const struct engine_preopen *folders, size_t count, const char *cache_folder)
{
    char usual[CACHE_PATH_BYTES];
    for (size_t i = 0; i < count; i++) {
        struct stat info;
        if (stat(folders[i].host_path, &info) != 0 || !S_ISDIR(info.st_mode)) {
            fprintf(stderr, "mote run: --dir %s: not a folder that can be opened\n",
                    folders[i].host_path);
            return false;
        }
    }
    cache_default_folder(usual);
    const char *cache = cache_folder != NULL ? cache_folder : usual;
    return check_secret(folders, count, cache, ", or another --cache") &&
           check_secret(folders, count, "/proc", "") && check_secret(folders, count, "/sys", "") &&
           check_nesting(folders, count);
}
