#include "cli/build_c.h"
#include "cli/build_go.h"
#include "cli/build_javascript.h"
#include "cli/build_rust.h"
#include "cli/command.h"
#include "manifest/manifest.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = SOURCE_PATH_BYTES };

/* In the order in which they are asked whether a component is theirs. */
static const struct build_language *const languages[] = {
    &build_c,
    &build_javascript,
    &build_go,
    &build_rust,
};

static void print_help(void)
{
    puts(
        "usage: mote build [--force] [FOLDER]     every component of FOLDER/mote.toml (default: "
        "here)\n"
        "       mote build FILE... -o FILE.wasm\n\n"
        "Compiles guests to WebAssembly. The sources of a component whose source is DIR/NAME.wasm\n"
        "are beside the manifest; nothing is done when it is newer than they are. With wasm-opt\n"
        "in the PATH the output is optimised.\n");
    for (size_t i = 0; i < ARRAY_LENGTH(languages); i++) {
        printf("  %-10s  %s\n", languages[i]->name, languages[i]->looks_for);
    }
    puts("\n  -o FILE   the output for single files\n"
         "  --force   build also what is up to date");
}

/* ---- what is told ---- */

/* On a terminal a line that what comes after replaces. */
static void print_begun(const struct build_job *job, const struct build_language *language)
{
    if (isatty(STDOUT_FILENO)) {
        printf("%s: building (%s) ...", job->name, language->name);
        fflush(stdout);
    }
}

static void print_over(void)
{
    if (isatty(STDOUT_FILENO)) {
        fputs("\r\033[K", stdout);
        fflush(stdout);
    }
}

static unsigned long long size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (unsigned long long)info.st_size : 0;
}

static void print_made(const struct build_job *job, unsigned long long before)
{
    unsigned long long size = size_of(job->output);
    printf("%s: %s (%llu bytes", job->name, job->output, size);
    if (before != 0 && before != size) {
        printf(", was %llu", before);
    }
    puts(")");
    fflush(stdout);
}

/* ---- building ---- */

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

static bool make(const struct build_language *language, const struct build_job *job,
                 const struct sources *inputs, struct err *err)
{
    unsigned long long before = size_of(job->output);
    if (!make_parent(job->output, err)) {
        return false;
    }
    print_begun(job, language);
    bool good = language->build(job, inputs, err);
    print_over();
    if (good) {
        print_made(job, before);
    }
    return good;
}

/* NULL: of none, or `err` is set. */
static const struct build_language *language_of(const struct build_job *job, struct sources *inputs,
                                                struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(languages); i++) {
        if (languages[i]->claims(job, inputs, err)) {
            return languages[i];
        }
        sources_fini(inputs);
        if (err->code != ERR_NONE) {
            break;
        }
    }
    return NULL;
}

/* "hello" of "wasm/hello.wasm"; "": it is called otherwise. */
static void find_stem(const char *output, char ret[PATH_BYTES])
{
    const char *slash = strrchr(output, '/');
    const char *name = slash != NULL ? slash + 1 : output;
    size_t size = strlen(name), ending = strlen(".wasm");
    bool is_wasm = size > ending && strcmp(name + size - ending, ".wasm") == 0;
    snprintf(ret, PATH_BYTES, "%.*s", is_wasm ? (int)(size - ending) : 0, name);
}

/* True: made, up to date, or not ours to make. */
static bool build_component(const char *folder, const struct manifest_component *component,
                            bool force, struct err *err)
{
    char stem[PATH_BYTES];
    const char *output = component->source.value;
    find_stem(output, stem);
    struct build_job job = {
        .name = component->name, .folder = folder, .stem = stem, .output = output};
    AUTO(sources_finip) struct sources inputs = {0};
    const struct build_language *language = stem[0] == '\0' ? NULL
                                                            : language_of(&job, &inputs, err);
    if (language != NULL) {
        if (!force && sources_made(&inputs, output)) {
            printf("%s: up to date\n", component->name);
            return true;
        }
        return make(language, &job, &inputs, err);
    }
    if (err->code != ERR_NONE) {
        return err_wrap(err, "component '%s'", component->name);
    }
    if (is_file(output)) {
        printf("%s: %s has no sources here; left as it is\n", component->name, output);
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "component '%s': neither %s nor sources to make it of",
                   component->name, output);
}

/* Several components may be of one file: it is made once. */
static bool was_built(const struct manifest *manifest, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(manifest->components[i].source.value,
                   manifest->components[index].source.value) == 0) {
            return true;
        }
    }
    return false;
}

static int build_app(const char *folder, bool force)
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
        if (!was_built(manifest, i) &&
            !build_component(folder, &manifest->components[i], force, &err)) {
            fflush(stdout);
            fprintf(stderr, "mote build: %s\n", err.text);
            status = STATUS_FAILED;
        }
    }
    return status;
}

static const struct build_language *language_of_file(const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < ARRAY_LENGTH(languages); i++) {
        size_t ending = strlen(languages[i]->extension);
        if (size > ending && strcmp(path + size - ending, languages[i]->extension) == 0) {
            return languages[i];
        }
    }
    return NULL;
}

static int build_files(char *const *files, size_t count, const char *output)
{
    struct err err = {0};
    AUTO(sources_finip) struct sources inputs = {0};
    const struct build_language *language = language_of_file(files[0]);
    struct build_job job = {.name = "built", .folder = ".", .stem = "", .output = output};
    if (language == NULL) {
        return usage_error("build", "%s: sources of what language?", files[0]);
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        if (language_of_file(files[i]) != language) {
            return usage_error("build", "%s: not %s, as %s is", files[i], language->name, files[0]);
        }
        good = sources_add(&inputs, files[i], &err);
    }
    if (!good || !make(language, &job, &inputs, &err)) {
        fprintf(stderr, "mote build: %s\n", err.text);
        return STATUS_FAILED;
    }
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
    return output != NULL ? build_files(argv + optind, words, output)
                          : build_app(words == 1 ? argv[optind] : ".", force);
}
