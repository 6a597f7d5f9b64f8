#include "cli/toolchain.h"

#include "base/bytes.h"
#include "cli/footprint.h"
#include "cli/kit.h"
#include "cli/sdk_header.h"
#include "cli/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096,
    OBJECT_PATH_BYTES = TOOLCHAIN_FOLDER_BYTES + 32,
    WORDS_MAX = TOOL_WORDS_MAX
};

/* What is larger is not looked into: its memory stays as the linker made it. */
enum { LOOKED_INTO_BYTES_MAX = 64 << 20 };

static const char *compiler(void)
{
    const char *chosen = getenv("MOTE_CLANG");
    return chosen != NULL && chosen[0] != '\0' ? chosen : "clang";
}

static const struct {
    const char *name;
    const unsigned char *data;
    const size_t *size_bytes;
} headers[] = {
    {"mote.h", sdk_header, &sdk_header_bytes},
    {"mote_app.h", sdk_app_header, &sdk_app_header_bytes},
    {"mote_cbor.h", sdk_cbor_header, &sdk_cbor_header_bytes},
};

bool toolchain_write_headers(const char *folder, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", folder, headers[i].name);
        if (!kit_put(path, headers[i].data, *headers[i].size_bytes, err)) {
            return false;
        }
    }
    return true;
}

bool toolchain_open(struct toolchain *toolchain, struct err *err)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(toolchain->folder, sizeof toolchain->folder, "%s/mote-build-XXXXXX",
             temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
    if (mkdtemp(toolchain->folder) == NULL) {
        toolchain->folder[0] = '\0';
        return err_set_os(err, errno, "make a temporary folder");
    }
    return toolchain_write_headers(toolchain->folder, err);
}

void toolchain_close(struct toolchain *toolchain)
{
    if (toolchain->folder[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", toolchain->folder, headers[i].name);
        (void)unlink(path);
    }
    (void)rmdir(toolchain->folder);
}

static void object_path(const struct toolchain *toolchain, size_t index,
                        char ret[OBJECT_PATH_BYTES])
{
    snprintf(ret, OBJECT_PATH_BYTES, "%s/%zu.o", toolchain->folder, index);
}

static bool compile(const struct toolchain *toolchain, const char *source, const char *object,
                    struct err *err)
{
    struct words words = {0};
    words_add(&words, compiler());
    words_add(&words, "--target=wasm32-wasi");
    words_add(&words, "-O2");
    words_add(&words, "-mbulk-memory");
    words_add(&words, "-Wall");
    words_add(&words, "-Wextra");
    words_add(&words, "-I");
    words_add(&words, toolchain->folder);
    words_add(&words, "-c");
    words_add(&words, source);
    words_add(&words, "-o");
    words_add(&words, object);
    int status = tool_run(&words, NULL, -1, false);
    if (status == TOOL_MISSING) {
        return err_set(
            err, ERR_NOT_FOUND,
            "cannot run '%s': install a C compiler for WebAssembly (Debian: apt-get install "
            "clang lld wasi-libc libclang-rt-dev-wasm32), or name one with MOTE_CLANG",
            compiler());
    }
    return status == 0 || err_set(err, ERR_INPUT, "%s did not compile (see above)", source);
}

/* How the objects are put together. */
struct linking {
    const char *output;
    bool libc;
    bool footprint; /* export where static data ends */
};

/* One page: a small stack, first, so that its overflow traps instead of overwriting data. Its size is
 * no multiple of 4 KiB, so that its upper end and the data behind it share a page of the machine: a
 * parked guest of few words then keeps one page, not two. */
static int run_linker(const struct toolchain *toolchain, size_t count,
                      const struct linking *linking)
{
    char objects[WORDS_MAX / 2][OBJECT_PATH_BYTES];
    struct words words = {0};
    words_add(&words, compiler());
    words_add(&words, "--target=wasm32-wasi");
    words_add(&words, linking->libc ? "-nostartfiles" : "-nostdlib");
    words_add(&words, "-Wl,--no-entry");
    words_add(&words, "-Wl,-z,stack-size=10240");
    words_add(&words, "-Wl,--stack-first");
    /* Without -O: with it the compiler runs an optimiser that drops the names backtraces need. */
    words_add(&words, "-Wl,--strip-debug");
    if (linking->footprint) {
        words_add(&words, "-Wl,--export=" FOOTPRINT_EXPORT);
    }
    for (size_t i = 0; i < count; i++) {
        object_path(toolchain, i, objects[i]);
        words_add(&words, objects[i]);
    }
    words_add(&words, "-o");
    words_add(&words, linking->output);
    return tool_run(&words, NULL, -1, !linking->libc);
}

/* Does it name an end of its memory? Then what lies behind its static data may be in use. */
static bool names_an_end(const struct bytes *object)
{
    static const char *const names[] = {FOOTPRINT_EXPORT, "__heap_end", "__data_end"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (memmem(object->data, object->size, names[i], strlen(names[i])) != NULL) {
            return true;
        }
    }
    return false;
}

static bool ends_with_its_data(const struct toolchain *toolchain, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char path[OBJECT_PATH_BYTES];
        struct err unread = {0};
        AUTO(bytes_finip) struct bytes object = {0};
        object_path(toolchain, i, path);
        if (!bytes_read_file(&object, path, LOOKED_INTO_BYTES_MAX, &unread) ||
            names_an_end(&object)) {
            return false;
        }
    }
    return true;
}

/* Reads where static data ends; 0: that was not told. */
static bool take_footprint(const char *output, uint32_t *ret_end_bytes, struct err *err)
{
    struct err unread = {0};
    AUTO(bytes_finip) struct bytes wasm = {0};
    if (!bytes_read_file(&wasm, output, LOOKED_INTO_BYTES_MAX, &unread) ||
        !footprint_take(&wasm, ret_end_bytes)) {
        *ret_end_bytes = 0;
        return true;
    }
    return kit_put(output, wasm.data, wasm.size, err);
}

/* A guest that needs no libc is better off without: its exit hooks bring a table and a wrapper around
 * every export. So that is tried first. */
static bool link_objects(const struct toolchain *toolchain, size_t count, const char *output,
                         uint32_t *ret_end_bytes, struct err *err)
{
    *ret_end_bytes = 0;
    struct linking linking = {.output = output, .footprint = ends_with_its_data(toolchain, count)};
    if (run_linker(toolchain, count, &linking) == 0) {
        return !linking.footprint || take_footprint(output, ret_end_bytes, err);
    }
    linking = (struct linking){.output = output, .libc = true};
    if (run_linker(toolchain, count, &linking) == 0) {
        return true;
    }
    return err_set(err, ERR_INPUT,
                   "%s did not link (see above); the linker for WebAssembly is in the package lld, "
                   "its libraries in wasi-libc and libclang-rt-dev-wasm32",
                   output);
}

/* Drops what the linker puts in without need, such as an empty table, which every spawn would pay for.
 * Where the tool is missing or does not know the code, the output stays as it is. */
static void optimise(const char *output)
{
    struct words words = {0};
    words_add(&words, "wasm-opt");
    words_add(&words, "-O2");
    words_add(&words, "-g");
    words_add(&words, "--enable-bulk-memory");
    words_add(&words, output);
    words_add(&words, "-o");
    words_add(&words, output);
    (void)tool_run(&words, NULL, -1, true);
}

/* After the optimiser, which does not know such memories. */
static bool fit_memory(const char *output, uint32_t end_bytes, struct err *err)
{
    struct err unread = {0};
    AUTO(bytes_finip) struct bytes wasm = {0};
    if (end_bytes == 0 || !bytes_read_file(&wasm, output, LOOKED_INTO_BYTES_MAX, &unread) ||
        !footprint_fit(&wasm, end_bytes)) {
        return true;
    }
    return kit_put(output, wasm.data, wasm.size, err);
}

bool toolchain_build(struct toolchain *toolchain, const char *const *sources, size_t count,
                     const char *output, struct err *err)
{
    if (count == 0 || count > WORDS_MAX / 2) {
        return err_set(err, ERR_LIMIT, "%zu source files; 1 to %d are possible", count,
                       WORDS_MAX / 2);
    }
    char draft[PATH_BYTES];
    if ((size_t)snprintf(draft, sizeof draft, "%s.draft-%ld", output, (long)getpid()) >=
        sizeof draft) {
        return err_set(err, ERR_INPUT, "the path of the output is too long");
    }
    bool good = true;
    size_t compiled = 0;
    for (; good && compiled < count; compiled++) {
        char object[OBJECT_PATH_BYTES];
        object_path(toolchain, compiled, object);
        good = compile(toolchain, sources[compiled], object, err);
    }
    uint32_t end_bytes = 0;
    good = good && link_objects(toolchain, count, draft, &end_bytes, err);
    if (good) {
        optimise(draft);
        good = fit_memory(draft, end_bytes, err);
    }
    if (good && rename(draft, output) != 0) {
        good = err_set_os(err, errno, "write %s", output);
    }
    if (!good) {
        (void)unlink(draft);
    }
    for (size_t i = 0; i < compiled; i++) {
        char object[OBJECT_PATH_BYTES];
        object_path(toolchain, i, object);
        (void)unlink(object);
    }
    return good;
}
