#include "cli/build_c.h"

#include "cli/toolchain.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Headers of the folders where the sources are: any may be included. */
static bool add_headers(const struct build_job *job, struct sources *inputs, struct err *err)
{
    static const char *const places[] = {"", "/src", "/src/"};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        char path[SOURCE_PATH_BYTES];
        int size = snprintf(path, sizeof path, "%s%s%s", job->folder, places[i],
                            i == 2 ? job->stem : "");
        if (size > 0 && (size_t)size < sizeof path &&
            !sources_add_folder(inputs, path, ".h", err)) {
            return false;
        }
    }
    return true;
}

/* NAME.c, src/NAME.c or src/NAME/ beside the manifest. */
static bool claims(const struct build_job *job, struct sources *inputs, struct err *err)
{
    static const char *const places[] = {"", "src/"};
    char path[SOURCE_PATH_BYTES];
    bool good = true;
    for (size_t i = 0; inputs->count == 0 && i < ARRAY_LENGTH(places); i++) {
        int size = snprintf(path, sizeof path, "%s/%s%s.c", job->folder, places[i], job->stem);
        if (size > 0 && (size_t)size < sizeof path && is_file(path)) {
            good = sources_add(inputs, path, err);
        }
    }
    if (inputs->count == 0 && good &&
        (size_t)snprintf(path, sizeof path, "%s/src/%s", job->folder, job->stem) < sizeof path) {
        good = sources_add_folder(inputs, path, ".c", err);
    }
    return good && inputs->count > 0 && add_headers(job, inputs, err);
}

static bool is_source(const char *path)
{
    size_t size = strlen(path);
    return size > 2 && strcmp(path + size - 2, ".c") == 0;
}

/* For editors: an app that `mote new` made has a folder for what it includes, which compile_flags.txt names. */
static void write_for_editors(const char *folder)
{
    char path[SOURCE_PATH_BYTES];
    struct stat info;
    struct err unwritten = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/.mote", folder) < sizeof path &&
        lstat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
        !toolchain_write_headers(path, &unwritten)) {
        fprintf(stderr, "mote build: headers for editors: %s\n", unwritten.text);
    }
}

static bool build(const struct build_job *job, const struct sources *inputs, struct err *err)
{
    const char *files[SOURCES_MAX];
    size_t count = 0;
    struct toolchain toolchain;
    for (size_t i = 0; i < inputs->count; i++) {
        if (is_source(inputs->items[i])) {
            files[count++] = inputs->items[i];
        }
    }
    bool good = toolchain_open(&toolchain, err) &&
                toolchain_build(&toolchain, files, count, job->output, err);
    toolchain_close(&toolchain);
    if (good) {
        write_for_editors(job->folder);
    }
    return good;
}

const struct build_language build_c = {
    .name = "C",
    .extension = ".c",
    .looks_for = "NAME.c, src/NAME.c, or C files in src/NAME/",
    .claims = claims,
    .build = build,
};
