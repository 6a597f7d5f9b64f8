#include "cli/sources.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void sources_fini(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free(sources->items[i]);
    }
    sources->count = 0;
}

bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool sources_add(struct sources *sources, const char *path, struct err *err)
{
    if (sources->count == SOURCES_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d source files", SOURCES_MAX);
    }
    path += strncmp(path, "./", 2) == 0 ? 2 : 0; /* what compilers repeat */
    if ((sources->items[sources->count] = strdup(path)) == NULL) {
        return err_set_memory(err);
    }
    sources->count++;
    return true;
}

static bool has(const struct sources *sources, const char *path)
{
    path += strncmp(path, "./", 2) == 0 ? 2 : 0;
    for (size_t i = 0; i < sources->count; i++) {
        if (strcmp(sources->items[i], path) == 0) {
            return true;
        }
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool sources_add_folder(struct sources *sources, const char *folder, const char *ending,
                        struct err *err)
{
    DIR *dir = opendir(folder);
    size_t before = sources->count, wanted = strlen(ending);
    bool good = true;
    if (dir == NULL) {
        return true;
    }
    for (struct dirent *entry; good && (entry = readdir(dir)) != NULL;) {
        size_t size = strlen(entry->d_name);
        char path[SOURCE_PATH_BYTES];
        if (entry->d_name[0] != '.' && size > wanted &&
            strcmp(entry->d_name + size - wanted, ending) == 0 &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < sizeof path &&
            is_file(path) && !has(sources, path)) {
            good = sources_add(sources, path, err);
        }
    }
    closedir(dir);
    qsort(sources->items + before, sources->count - before, sizeof sources->items[0], by_name);
    return good;
}

static bool newer(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
                                                  : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* This program counts as a source: what guests include is in it. */
bool sources_made(const struct sources *sources, const char *output)
{
    struct stat made, source;
    if (stat(output, &made) != 0 ||
        (stat("/proc/self/exe", &source) == 0 && newer(&source, &made))) {
        return false;
    }
    for (size_t i = 0; i < sources->count; i++) {
        if (stat(sources->items[i], &source) != 0 || newer(&source, &made)) {
            return false;
        }
    }
    return true;
}
