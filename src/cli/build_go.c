#include "cli/build_go.h"

#include "base/number.h"
#include "cli/kit.h"
#include "cli/tool.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Packages below this many folders are not looked at for changes. */
enum { FOLDER_DEPTH_MAX = 4 };
/* //go:wasmexport and -buildmode=c-shared for WASI came with Go 1.24. */
enum { GO_MINOR_MIN = 24 };

/* Where the SDK lies in a program that asks for it in its go.mod. */
#define KIT_FOLDER ".mote/go"

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

/* The folder with the program's own package: src/NAME/ or NAME/ with main.go, or the manifest's own. False: it is not Go. */
static bool find_package(const struct build_job *job, char ret[SOURCE_PATH_BYTES])
{
    static const char *const places[] = {"src/", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        int size = snprintf(ret, SOURCE_PATH_BYTES, "%s/%s%s", job->folder, places[i], job->stem);
        if (size > 0 && size < SOURCE_PATH_BYTES && has_file(ret, "main.go")) {
            return true;
        }
    }
    int size = snprintf(ret, SOURCE_PATH_BYTES, "%s", job->folder);
    return size > 0 && size < SOURCE_PATH_BYTES && has_file(ret, "main.go");
}

/* Folders that hold no packages of the program. */
static bool is_foreign(const char *name)
{
    return name[0] == '.' || strcmp(name, "vendor") == 0 || strcmp(name, "wasm") == 0 ||
           strcmp(name, "testdata") == 0 || strcmp(name, "node_modules") == 0;
}

/* What a Go package is made of, with what is often embedded in one. */
static bool add_package(struct sources *inputs, const char *folder, struct err *err)
{
    static const char *const endings[] = {".go", "go.mod", "go.sum", ".html", ".css",
                                          ".js", ".svg",   ".json",  ".txt",  ".tmpl"};
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
    bool good = dir == NULL || add_package(inputs, folder, err);
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

/* The folder with go.mod: the package's own, or the manifest's. */
static const char *module_folder(const struct build_job *job, const char *package)
{
    return has_file(package, "go.mod") ? package : job->folder;
}

static bool claims(const struct build_job *job, struct sources *inputs, struct err *err)
{
    char package[SOURCE_PATH_BYTES];
    return find_package(job, package) && add_tree(inputs, module_folder(job, package), 0, err);
}

/* ---- building ---- */

/* False: none, or too old; `err` says what to install. */
static bool find_go(struct err *err)
{
    char line[64] = "";
    FILE *pipe = popen("go env GOVERSION 2>/dev/null", "re");
    if (pipe != NULL) {
        if (fgets(line, sizeof line, pipe) == NULL) {
            line[0] = '\0';
        }
        (void)pclose(pipe);
    }
    line[strcspn(line, "\n")] = '\0';
    uint64_t minor;
    if (strncmp(line, "go1.", 4) == 0 &&
        number_parse(line + 4, strspn(line + 4, "0123456789"), UINT32_MAX, &minor) &&
        minor >= GO_MINOR_MIN) {
        return true;
    }
    return err_set(
        err, ERR_NOT_FOUND,
        "%s%s%s: install Go 1.%d or newer, from https://go.dev/dl or a package (Debian 13: "
        "apt-get install golang-go; that of Debian 12 is too old)",
        line[0] != '\0' ? "'go' is " : "cannot run 'go'", line,
        line[0] != '\0' ? ", which is too old" : "", GO_MINOR_MIN);
}

/* The SDK goes where go.mod looks for it, with every build: it is always the one of this program. */
static bool write_kit(const char *module, struct err *err)
{
    char path[SOURCE_PATH_BYTES], text[4096];
    if (!joined(path, module, "go.mod")) {
        return true;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_set(err, ERR_INPUT,
                       "%s: there is no go.mod; make one with 'go mod init', and add 'require "
                       "mote.dev/mote v0.0.0' and 'replace mote.dev/mote => ./" KIT_FOLDER "'",
                       module);
    }
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    if (strstr(text, "./" KIT_FOLDER) == NULL || !joined(path, module, KIT_FOLDER)) {
        return true;
    }
    return kit_write(kit_go, path, err);
}

/* The package as `go build` names it, seen from its module. */
static void package_name(const char *package, const char *module, char ret[SOURCE_PATH_BYTES])
{
    size_t size = strlen(module);
    bool below = strncmp(package, module, size) == 0 && package[size] == '/';
    snprintf(ret, SOURCE_PATH_BYTES, ".%s", below ? package + size : "");
}

static bool run_go(const char *package, const char *module, const char *output, struct err *err)
{
    char name[SOURCE_PATH_BYTES];
    package_name(package, module, name);
    struct words words = {0};
    static const char *const first[] = {
        "env",       "GOOS=wasip1",     "GOARCH=wasm",    "go", "build", "-buildmode=c-shared",
        "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"};
    for (size_t i = 0; i < ARRAY_LENGTH(first); i++) {
        words_add(&words, first[i]);
    }
    words_add(&words, output);
    words_add(&words, name);
    int status = tool_run(&words, module, -1, false);
    if (status == TOOL_MISSING) {
        return err_set(err, ERR_NOT_FOUND, "cannot run 'go'");
    }
    return status == 0 || err_set(err, ERR_INPUT, "%s did not compile (see above)", package);
}

static bool build(const struct build_job *job, const struct sources *inputs, struct err *err)
{
    (void)inputs;
    char package[SOURCE_PATH_BYTES], made[SOURCE_PATH_BYTES];
    if (job->stem[0] == '\0') {
        return err_set(err, ERR_INPUT, "a program in Go is built by its folder: mote build FOLDER");
    }
    if (!find_package(job, package)) {
        return err_set(err, ERR_NOT_FOUND, "%s: main.go is gone", job->name);
    }
    const char *module = module_folder(job, package);
    /* The compiler runs in the module's folder. */
    char *here = realpath(".", NULL);
    int size = here == NULL ? -1
               : job->output[0] == '/'
                   ? snprintf(made, sizeof made, "%s.new", job->output)
                   : snprintf(made, sizeof made, "%s/%s.new", here, job->output);
    free(here);
    if (size < 0 || (size_t)size >= sizeof made) {
        return err_set_os(err, ENAMETOOLONG, "write %s", job->output);
    }
    bool good = find_go(err) && write_kit(module, err) && run_go(package, module, made, err);
    if (good && rename(made, job->output) != 0) {
        good = err_set_os(err, errno, "write %s", job->output);
    }
    if (!good) {
        (void)unlink(made);
    }
    return good;
}

const struct build_language build_go = {
    .name = "Go",
    .extension = ".go",
    .looks_for = "main.go beside the manifest, in NAME/ or in src/NAME/",
    .claims = claims,
    .build = build,
};
