#include "cli/build_rust.h"

#include "cli/kit.h"
#include "cli/tool.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders below this many are not looked at for changes. */
enum { FOLDER_DEPTH_MAX = 4 };

#define TARGET "wasm32-wasip1"
/* Where the SDK lies in a package that asks for it in its Cargo.toml. */
#define KIT_FOLDER ".mote/rust"
/* Small, so that a guest of few words fits one page with its data; it comes first, so that its overflow traps. No multiple of
 * 4 KiB, so that its upper end shares a page of the machine with the data behind it. What a package's own flags say comes
 * later, and counts. */
#define STACK_FLAG "-Clink-arg=-zstack-size=34816"

static bool joined(char path[SOURCE_PATH_BYTES], const char *folder, const char *name)
{
    int size = snprintf(path, SOURCE_PATH_BYTES, "%s/%s", folder, name);
    return size > 0 && size < SOURCE_PATH_BYTES;
}

static bool has_file(const char *folder, const char *name)
{
    char path[SOURCE_PATH_BYTES];
    return joined(path, folder, name) && is_file(path);
}

/* The folder of the package: src/NAME/ or NAME/ with Cargo.toml, or the manifest's own. False: it is not Rust. */
static bool find_package(const struct build_job *job, char ret[SOURCE_PATH_BYTES])
{
    static const char *const places[] = {"src/", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        int size = snprintf(ret, SOURCE_PATH_BYTES, "%s/%s%s", job->folder, places[i], job->stem);
        if (size > 0 && size < SOURCE_PATH_BYTES && has_file(ret, "Cargo.toml")) {
            return true;
        }
    }
    int size = snprintf(ret, SOURCE_PATH_BYTES, "%s", job->folder);
    return size > 0 && size < SOURCE_PATH_BYTES && has_file(ret, "Cargo.toml");
}

/* Folders that hold no sources of a package. */
static bool is_foreign(const char *name)
{
    return (name[0] == '.' && strcmp(name, ".cargo") != 0) || strcmp(name, "target") == 0 ||
           strcmp(name, "vendor") == 0 || strcmp(name, "wasm") == 0 ||
           strcmp(name, "node_modules") == 0;
}

/* What a package is made of, with what is often included in one. */
static bool add_folder(struct sources *inputs, const char *folder, struct err *err)
{
    static const char *const endings[] = {".rs", ".toml", ".html", ".css",
                                          ".js", ".svg",  ".json", ".txt"};
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        if (!sources_add_folder(inputs, folder, endings[i], err)) {
            return false;
        }
    }
    return true;
}

static bool add_tree(struct sources *inputs, const char *folder, unsigned depth, struct err *err)
{
    DIR *dir = opendir(folder);
    bool good = dir == NULL || add_folder(inputs, folder, err);
    for (struct dirent *entry; good && dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[SOURCE_PATH_BYTES];
        struct stat info;
        if (!is_foreign(entry->d_name) && depth < FOLDER_DEPTH_MAX &&
            joined(path, folder, entry->d_name) && lstat(path, &info) == 0 &&
            S_ISDIR(info.st_mode)) {
            good = add_tree(inputs, path, depth + 1, err);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return good;
}

static bool claims(const struct build_job *job, struct sources *inputs, struct err *err)
{
    char package[SOURCE_PATH_BYTES];
    return find_package(job, package) && add_tree(inputs, job->folder, 0, err);
}

/* ---- building ---- */

static const char *cargo(void)
{
    const char *chosen = getenv("CARGO");
    return chosen != NULL && chosen[0] != '\0' ? chosen : "cargo";
}

/* The SDK goes where Cargo.toml looks for it, with every build: it is always the one of this program. */
static bool write_kit(const char *package, struct err *err)
{
    char path[SOURCE_PATH_BYTES], text[16384];
    if (!joined(path, package, "Cargo.toml")) {
        return true;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_set_os(err, errno, "%s", path);
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    if (strstr(text, "\"" KIT_FOLDER "\"") == NULL || !joined(path, package, KIT_FOLDER)) {
        return true;
    }
    return kit_write(kit_rust, path, err);
}

/* Whether the compiler that runs in that folder has the target's libraries. */
static bool has_target(const char *package)
{
    struct words words = {0};
    words_add(&words, "sh");
    words_add(&words, "-c");
    words_add(&words, "at=$(\"${RUSTC:-rustc}\" --print target-libdir --target " TARGET ") && "
                      "ls \"$at\"/libstd-*.rlib >/dev/null");
    return tool_run(&words, package, -1, true) == 0;
}

static bool run_cargo(const char *package, const char *output, struct err *err)
{
    char emit[SOURCE_PATH_BYTES + 16];
    snprintf(emit, sizeof emit, "--emit=link=%s", output);
    const char *const line[] = {cargo(),  "rustc",    "--quiet",  "--release",
                                "--lib",  "--target", TARGET,     "--crate-type",
                                "cdylib", "--",       STACK_FLAG, emit};
    struct words words = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(line); i++) {
        words_add(&words, line[i]);
    }
    int status = tool_run(&words, package, -1, false);
    if (status == TOOL_MISSING) {
        return err_set(err, ERR_NOT_FOUND,
                       "cannot run '%s': install Rust 1.82 or newer from https://rustup.rs, then: "
                       "rustup target add " TARGET,
                       cargo());
    }
    if (status != 0 && !has_target(package)) {
        return err_set(err, ERR_NOT_FOUND,
                       "the compiler has no libraries for " TARGET ": rustup target add " TARGET);
    }
    return status == 0 || err_set(err, ERR_INPUT, "%s did not compile (see above)", package);
}

/* Where the tool is missing or does not know the code, the output stays as it is. */
static void optimise(const char *output)
{
    static const char *const line[] = {"wasm-opt",
                                       "-O2",
                                       "-g",
                                       "--enable-bulk-memory",
                                       "--enable-mutable-globals",
                                       "--enable-sign-ext",
                                       "--enable-nontrapping-float-to-int",
                                       "--enable-reference-types",
                                       "--enable-multivalue"};
    struct words words = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(line); i++) {
        words_add(&words, line[i]);
    }
    words_add(&words, output);
    words_add(&words, "-o");
    words_add(&words, output);
    (void)tool_run(&words, NULL, -1, true);
}

static bool build(const struct build_job *job, const struct sources *inputs, struct err *err)
{
    (void)inputs;
    char package[SOURCE_PATH_BYTES], made[SOURCE_PATH_BYTES];
    if (job->stem[0] == '\0') {
        return err_set(err, ERR_INPUT,
                       "a program in Rust is built by its folder: mote build FOLDER");
    }
    if (!find_package(job, package)) {
        return err_set(err, ERR_NOT_FOUND, "%s: Cargo.toml is gone", job->name);
    }
    /* The compiler runs in the package's folder. */
    char *here = realpath(".", NULL);
    int size = here == NULL ? -1
               : job->output[0] == '/'
                   ? snprintf(made, sizeof made, "%s.new", job->output)
                   : snprintf(made, sizeof made, "%s/%s.new", here, job->output);
    free(here);
    if (size < 0 || (size_t)size >= sizeof made) {
        return err_set_os(err, ENAMETOOLONG, "write %s", job->output);
    }
    bool good = write_kit(package, err) && run_cargo(package, made, err);
    if (good) {
        optimise(made);
    }
    if (good && rename(made, job->output) != 0) {
        good = err_set_os(err, errno, "write %s", job->output);
    }
    if (!good) {
        (void)unlink(made);
    }
    return good;
}

const struct build_language build_rust = {
    .name = "Rust",
    .extension = ".rs",
    .looks_for = "Cargo.toml beside the manifest, in NAME/ or in src/NAME/",
    .claims = claims,
    .build = build,
};
