#include "cli/build_javascript.h"
#include "cli/command.h"
#include "cli/toolchain.h"
#include "manifest/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, SOURCES_MAX = 256 };

static void print_help(void)
{
    puts("usage: mote build [--force] [FOLDER]     every component of FOLDER/mote.toml (default: "
         "here)\n"
         "       mote build FILE.c... -o FILE.wasm\n\n"
         "Compiles C guests with clang for WebAssembly; mote.h comes with mote. A component whose\n"
         "source is DIR/NAME.wasm is made of NAME.c, src/NAME.c, or every src/NAME/*.c beside the\n"
         "manifest; nothing is done when it is newer than they are. Of NAME.js or NAME.ts it is "
         "made\n"
         "too: the script is loaded, and each instance begins with it loaded "
         "(docs/javascript.md).\n\n"
         "  -o FILE   the output for single files\n"
         "  --force   build also what is up to date");
}

/* The C files of one component. */
struct sources {
    char *items[SOURCES_MAX];
    size_t count;
};

static void sources_fini(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        free(sources->items[i]);
    }
    sources->count = 0;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static bool sources_add(struct sources *sources, const char *path)
{
    if (sources->count == SOURCES_MAX || (sources->items[sources->count] = strdup(path)) == NULL) {
        return false;
    }
    sources->count++;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_folder(struct sources *sources, const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return true; /* there need not be one */
    }
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(dir)) != NULL;) {
        size_t size = strlen(entry->d_name);
        char path[PATH_BYTES];
        if (entry->d_name[0] != '.' && size > 2 && strcmp(entry->d_name + size - 2, ".c") == 0 &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < sizeof path) {
            good = sources_add(sources, path);
        }
    }
    closedir(dir);
    qsort(sources->items, sources->count, sizeof sources->items[0], by_name);
    return good;
}

/* NAME.c, src/NAME.c or src/NAME/ beside the manifest. False: too many files, or out of memory. */
static bool find_sources(const char *folder, const char *wasm, struct sources *ret)
{
    const char *slash = strrchr(wasm, '/');
    const char *name = slash != NULL ? slash + 1 : wasm;
    size_t size = strlen(name);
    if (size <= 5 || strcmp(name + size - 5, ".wasm") != 0) {
        return true;
    }
    int stem = (int)size - 5;
    static const char *const places[] = {"", "src/"};
    char path[PATH_BYTES];
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        int length = snprintf(path, sizeof path, "%s/%s%.*s.c", folder, places[i], stem, name);
        if (length > 0 && (size_t)length < sizeof path && is_file(path)) {
            return sources_add(ret, path);
        }
    }
    if ((size_t)snprintf(path, sizeof path, "%s/src/%.*s", folder, stem, name) >= sizeof path) {
        return true;
    }
    return add_folder(ret, path);
}

static bool newer(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
                                                  : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* This program counts as a source: mote.h is in it. */
static bool up_to_date(const char *output, const struct sources *sources)
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

static bool make_parent(const char *path, struct err *err)
{
    char folder[PATH_BYTES];
    if ((size_t)snprintf(folder, sizeof folder, "%s", path) >= sizeof folder) {
        return err_set(err, ERR_INPUT, "the path of the output is too long");
    }
    char *slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder) {
        return true;
    }
    *slash = '\0';
    return mkdir(folder, 0755) == 0 || errno == EEXIST ||
           err_set_os(err, errno, "make folder %s", folder);
}

static void print_made(const char *name, const char *output)
{
    struct stat info;
    unsigned long long size = stat(output, &info) == 0 ? (unsigned long long)info.st_size : 0;
    printf("%s: %s (%llu bytes)\n", name, output, size);
}

/* The same of a script. */
static bool build_script(const char *folder, const char *source,
                         const struct manifest_component *component, bool force, struct err *err)
{
    const char *output = component->source.value;
    char *item = strdup(source);
    struct sources sources = {.items = {item}, .count = 1};
    bool good = item != NULL || err_set_memory(err);
    if (good && !force && build_javascript_is_alone(source) && up_to_date(output, &sources)) {
        printf("%s: up to date\n", component->name);
    } else if (good) {
        good = make_parent(output, err) && build_javascript(folder, source, output, err);
        if (good) {
            print_made(component->name, output);
        }
    }
    sources_fini(&sources);
    return good;
}

/* True: made, up to date, or not ours to make. */
static bool build_component(struct toolchain *toolchain, const char *folder,
                            const struct manifest_component *component, bool force, struct err *err)
{
    const char *output = component->source.value;
    char script[PATH_BYTES];
    if (build_javascript_find(folder, output, script, sizeof script)) {
        return build_script(folder, script, component, force, err);
    }
    struct sources sources = {0};
    bool good = find_sources(folder, output, &sources) || err_set_memory(err);
    if (good && sources.count == 0) {
        if (is_file(output)) {
            printf("%s: %s has no C sources here; left as it is\n", component->name, output);
        } else {
            good = err_set(err, ERR_NOT_FOUND,
                           "component '%s': neither %s nor C sources to make it of",
                           component->name, output);
        }
    } else if (good && !force && up_to_date(output, &sources)) {
        printf("%s: up to date\n", component->name);
    } else if (good) {
        good = make_parent(output, err) &&
               toolchain_build(toolchain, (const char *const *)sources.items, sources.count, output,
                               err);
        if (good) {
            print_made(component->name, output);
        }
    }
    sources_fini(&sources);
    return good;
}

static int build_app(struct toolchain *toolchain, const char *folder, bool force)
{
    char path[PATH_BYTES];
    if ((size_t)snprintf(path, sizeof path, "%s/mote.toml", folder) >= sizeof path) {
        return usage_error("build", "the path of the folder is too long");
    }
    AUTO(problems_finip) struct problems problems = {0};
    struct manifest_overrides overrides = {.allow_missing_sources = true};
    AUTO(manifest_destroyp) struct manifest *manifest = manifest_load(path, &overrides, &problems);
    AUTO(bytes_finip) struct bytes text = {0};
    if (problems_print(&problems, &text) && text.size > 0) {
        fwrite(text.data, 1, text.size, stderr);
    }
    if (manifest == NULL) {
        return STATUS_USAGE;
    }
    int status = STATUS_OK;
    for (size_t i = 0; i < manifest->component_count; i++) {
        struct err err = {0};
        if (!build_component(toolchain, folder, &manifest->components[i], force, &err)) {
            fprintf(stderr, "mote build: %s\n", err.text);
            status = STATUS_FAILED;
        }
    }
    return status;
}

static int build_files(struct toolchain *toolchain, char *const *files, size_t count,
                       const char *output)
{
    struct err err = {0};
    if (!toolchain_build(toolchain, (const char *const *)files, count, output, &err)) {
        fprintf(stderr, "mote build: %s\n", err.text);
        return STATUS_FAILED;
    }
    print_made("built", output);
    return STATUS_OK;
}

int command_build(int argc, char **argv)
{
    static const struct option longs[] = {
        {"force", no_argument, NULL, 'F'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *output = NULL;
    bool force = false;
    for (int option; (option = getopt_long(argc, argv, "o:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'o':
            output = optarg;
            break;
        case 'F':
            force = true;
            break;
        case 'h':
            print_help();
            return STATUS_OK;
        default: /* getopt has said what is wrong */
            return STATUS_USAGE;
        }
    }
    size_t words = (size_t)(argc - optind);
    if (output == NULL ? words > 1 : words == 0) {
        return usage_error("build", output == NULL ? "one FOLDER, or files with -o"
                                                   : "-o without a source file");
    }
    struct toolchain toolchain;
    struct err err = {0};
    if (!toolchain_open(&toolchain, &err)) {
        fprintf(stderr, "mote build: %s\n", err.text);
        toolchain_close(&toolchain);
        return STATUS_FAILED;
    }
    int status = output != NULL ? build_files(&toolchain, argv + optind, words, output)
                                : build_app(&toolchain, words == 1 ? argv[optind] : ".", force);
    toolchain_close(&toolchain);
    return status;
}
