#include "cli/build_javascript.h"

#include "cli/javascript_runtime.h"
#include "cli/kit.h"
#include "cli/tool.h"
#include "engine/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void freep(char **text)
{
    free(*text);
}

enum { PATH_BYTES = SOURCE_PATH_BYTES, SCRIPT_BYTES_MAX = 64 << 20 };

/* Scripts below this many folders are not looked at for changes. */
enum { FOLDER_DEPTH_MAX = 4 };

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static const char *const endings[] = {".ts", ".tsx", ".mts", ".js", ".mjs", ".jsx"};

/* NAME.EXT or src/NAME.EXT. */
static bool find_script(const struct build_job *job, char ret[SOURCE_PATH_BYTES])
{
    static const char *const places[] = {"", "src/"};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(endings); j++) {
            int size = snprintf(ret, SOURCE_PATH_BYTES, "%s/%s%s%s", job->folder, places[i],
                                job->stem, endings[j]);
            if (size > 0 && size < SOURCE_PATH_BYTES && is_file(ret)) {
                return true;
            }
        }
    }
    return false;
}

/* Does the text behind a word that imports name a module, and one that is not ours? */
static bool names_another(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '(')) {
        at++;
    }
    if (at == end || (*at != '"' && *at != '\'')) {
        return false;
    }
    return (size_t)(end - at) < 6 || memcmp(at + 1, "mote", 4) != 0 || at[5] != at[0];
}

/* Also when a comment only looks like it: then esbuild has nothing to do, and does it well. */
static bool imports_others(const struct bytes *script)
{
    static const char *const words[] = {"from", "import", "require"};
    const char *text = (const char *)script->data, *end = text + script->size;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        size_t size = strlen(words[i]);
        for (const char *at = text; at < end; at += size) {
            at = memmem(at, (size_t)(end - at), words[i], size);
            if (at == NULL) {
                break;
            }
            if (names_another(at + size, end)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_plain(const char *source)
{
    return ends_with(source, ".js") || ends_with(source, ".mjs");
}

/* Made of that file alone. */
static bool is_alone(const char *source)
{
    struct err unread = {0};
    AUTO(bytes_finip) struct bytes script = {0};
    return is_plain(source) && bytes_read_file(&script, source, SCRIPT_BYTES_MAX, &unread) &&
           !imports_others(&script);
}

/* What it may import; packages change with their list. */
static bool add_tree(struct sources *inputs, const char *folder, unsigned depth, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
        if (!sources_add_folder(inputs, folder, endings[i], err)) {
            return false;
        }
    }
    bool good = sources_add_folder(inputs, folder, ".json", err);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; good && dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[SOURCE_PATH_BYTES];
        struct stat info;
        int size = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "node_modules") != 0 &&
            depth < FOLDER_DEPTH_MAX && size > 0 && (size_t)size < sizeof path &&
            lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
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
    char script[SOURCE_PATH_BYTES];
    if (!find_script(job, script) || !sources_add(inputs, script, err)) {
        return false;
    }
    return is_alone(script) || add_tree(inputs, job->folder, 0, err);
}

/* The bundler to run: a name without a slash is looked for in PATH. */
static void find_bundler(const char *folder, char ret[PATH_BYTES])
{
    const char *chosen = getenv("MOTE_ESBUILD");
    if (chosen != NULL && chosen[0] != '\0' && strlen(chosen) < PATH_BYTES) {
        snprintf(ret, PATH_BYTES, "%s", chosen);
        return;
    }
    AUTO(freep) char *whole = realpath(folder, NULL); /* it runs in that folder */
    int length = snprintf(ret, PATH_BYTES, "%s/node_modules/.bin/esbuild",
                          whole != NULL ? whole : "");
    if (length < 0 || length >= PATH_BYTES || access(ret, X_OK) != 0) {
        snprintf(ret, PATH_BYTES, "esbuild");
    }
}

/* Its status, or TOOL_MISSING. What it makes goes to `output`. */
static int run_bundler(const char *bundler, const char *folder, const char *source, int output)
{
    const char *const options[] = {"--bundle",
                                   "--format=esm",
                                   "--platform=neutral",
                                   "--main-fields=module,main",
                                   "--conditions=worker,import",
                                   "--target=esnext",
                                   "--external:mote",
                                   "--sourcemap=inline",
                                   "--charset=utf8",
                                   "--log-level=warning"};
    struct words words = {.count = 0};
    words_add(&words, bundler);
    words_add(&words, source);
    for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
        words_add(&words, options[i]);
    }
    return tool_run(&words, folder, output, false);
}

static bool read_back(int fd, struct bytes *ret, struct err *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || size > SCRIPT_BYTES_MAX) {
        return err_set(err, ERR_LIMIT, "the bundle has more than %d bytes", SCRIPT_BYTES_MAX);
    }
    if (!bytes_reserve(ret, (size_t)size)) {
        return err_set_memory(err);
    }
    ssize_t got = pread(fd, ret->data, (size_t)size, 0);
    if (got != size) {
        return err_set_os(err, errno, "read what the bundler made");
    }
    ret->size = (size_t)size;
    return true;
}

static bool bundle(const char *folder, const char *source, struct bytes *ret, struct err *err)
{
    AUTO(freep) char *whole = realpath(source, NULL);
    if (whole == NULL) {
        return err_set_os(err, errno, "%s", source);
    }
    char bundler[PATH_BYTES];
    find_bundler(folder, bundler);
    int output = memfd_create("bundle", MFD_CLOEXEC);
    if (output < 0) {
        return err_set_os(err, errno, "make room for the bundle");
    }
    int status = run_bundler(bundler, folder, whole, output);
    bool good = false;
    if (status == TOOL_MISSING) {
        err_set(
            err, ERR_NOT_FOUND,
            "%s needs a bundler, and there is no esbuild: npm install --save-dev esbuild in its "
            "folder (Debian: apt-get install esbuild), or name one with MOTE_ESBUILD",
            source);
    } else if (status != 0) {
        err_set(err, ERR_INPUT, "%s could not be bundled (see above)", source);
    } else {
        good = read_back(output, ret, err);
    }
    close(output);
    return good;
}

static void print_log(const uint8_t *text, size_t size_bytes)
{
    fwrite(text, 1, size_bytes, stderr);
    fputc('\n', stderr);
}

/* What the runtime reads: the sizes of the name, of the script, of nothing more; then these. */
static bool input_of(const char *name, const struct bytes *script, struct bytes *ret,
                     struct err *err)
{
    uint32_t sizes[] = {(uint32_t)strlen(name), (uint32_t)script->size};
    return (bytes_append(ret, sizes, sizeof sizes) && bytes_append(ret, name, sizes[0]) &&
            bytes_append(ret, script->data, script->size)) ||
           err_set_memory(err);
}

static bool write_whole(const char *path, const struct bytes *data, struct err *err)
{
    char draft[PATH_BYTES];
    if ((size_t)snprintf(draft, sizeof draft, "%s.draft-%ld", path, (long)getpid()) >=
        sizeof draft) {
        return err_set(err, ERR_INPUT, "the path of the output is too long");
    }
    FILE *file = fopen(draft, "we");
    bool good = file != NULL && fwrite(data->data, 1, data->size, file) == data->size;
    if (file != NULL && fclose(file) != 0) {
        good = false;
    }
    if (good && rename(draft, path) == 0) {
        return true;
    }
    err_set_os(err, errno, "write %s", path);
    (void)unlink(draft);
    return false;
}

/* As the script's errors name it: beside the manifest. */
static const char *shown_name(const char *folder, const char *source)
{
    size_t size = strlen(folder);
    return strncmp(source, folder, size) == 0 && source[size] == '/' ? source + size + 1 : source;
}

/* For editors: an app that `mote new` made has a folder for types, which jsconfig.json names. */
static void write_for_editors(const char *folder)
{
    const struct embedded files[] = {
        {"mote.d.ts", javascript_types, javascript_types_bytes},
        {NULL, NULL, 0},
    };
    char path[PATH_BYTES];
    struct stat info;
    struct err unwritten = {0};
    if ((size_t)snprintf(path, sizeof path, "%s/.mote", folder) < sizeof path &&
        lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && !kit_write(files, path, &unwritten)) {
        fprintf(stderr, "mote build: types for editors: %s\n", unwritten.text);
    }
}

static bool build(const struct build_job *job, const struct sources *inputs, struct err *err)
{
    const char *folder = job->folder, *source = inputs->items[0];
    AUTO(bytes_finip) struct bytes script = {0};
    AUTO(bytes_finip) struct bytes input = {0};
    AUTO(bytes_finip) struct bytes wasm = {0};
    AUTO(bytes_finip) struct bytes text = {0};
    bool good = is_alone(source) ? bytes_read_file(&script, source, SCRIPT_BYTES_MAX, err)
                                 : bundle(folder, source, &script, err);
    if (!good || !input_of(shown_name(folder, source), &script, &input, err)) {
        return false;
    }
    const struct engine_snapshot options = {
        .wasm = javascript_runtime,
        .wasm_bytes = javascript_runtime_bytes,
        .input = input.data,
        .input_bytes = input.size,
        .log = print_log,
    };
    if (!engine_snapshot(&options, &wasm, &text, err)) {
        if (text.size > 0) {
            print_log(text.data, text.size);
            return err_set(err, ERR_INPUT, "%s could not be loaded (see above)", source);
        }
        return err_wrap(err, "%s", source);
    }
    write_for_editors(folder);
    return write_whole(job->output, &wasm, err);
}

const struct build_language build_javascript = {
    .name = "JavaScript",
    .extension = ".js",
    .looks_for = "NAME.js, src/NAME.js, or either as .ts, .tsx, .mts, .mjs or .jsx",
    .claims = claims,
    .build = build,
};
