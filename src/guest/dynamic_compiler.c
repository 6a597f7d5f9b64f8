#include "guest/dynamic_compiler.h"

#include "guest/dynamic_internal.h"

#include "core/env.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECOND_NS = 1000000000, MILLISECOND_NS = 1000000 };

const char dynamic_mark[8] = {'m', 'o', 't', 'e', '\0', 'd', 'y', 'n'};

/* ---- the child's descriptors ---- */

struct files {
    int source, result;
};

static void files_close(struct files *files)
{
    if (files->source >= 0) {
        close(files->source);
    }
    if (files->result >= 0) {
        close(files->result);
    }
}

bool dynamic_write(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        data += done;
        size -= (size_t)done;
    }
    return true;
}

/* Files without a name, which nobody else can have open. Above the standard descriptors: dup2 onto itself would keep the flag that
 * closes it. */
static bool files_open(struct files *ret, const struct bytes *wasm, struct err *err)
{
    *ret = (struct files){.source = memfd_create("mote-source", MFD_CLOEXEC),
                          .result = memfd_create("mote-compiled", MFD_CLOEXEC)};
    if (ret->source <= STDERR_FILENO || ret->result <= STDERR_FILENO ||
        !dynamic_write(ret->source, wasm->data, wasm->size) ||
        lseek(ret->source, 0, SEEK_SET) != 0) {
        (void)err_set_os(err, errno, "files for the compiler");
        files_close(ret);
        return false;
    }
    return true;
}

/* ---- its start ---- */

static int set_actions(posix_spawn_file_actions_t *actions, const struct files *files)
{
    int failed = posix_spawn_file_actions_adddup2(actions, files->source, STDIN_FILENO);
    failed = failed != 0 ? failed
                         : posix_spawn_file_actions_adddup2(actions, files->result, STDOUT_FILENO);
    failed = failed != 0 ? failed
                         : posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null",
                                                            O_WRONLY, 0);
    return failed != 0 ? failed
                       : posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/* A group of its own: keys of a terminal are the node's affair. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawnattr_setsigmask(attributes, &none);
    failed = failed != 0 ? failed : posix_spawnattr_setsigdefault(attributes, &all);
    failed = failed != 0 ? failed : posix_spawnattr_setpgroup(attributes, 0);
    return failed != 0 ? failed
                       : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                                  POSIX_SPAWN_SETSIGDEF |
                                                                  POSIX_SPAWN_SETPGROUP);
}

static bool start_child(const struct dynamic_compiler_options *options, const struct files *files,
                        pid_t *ret, struct err *err)
{
    char memory[24], parent[24], name[] = "mote", command[] = DYNAMIC_COMPILER_COMMAND;
    char threads[] = "RAYON_NUM_THREADS=1";
    snprintf(memory, sizeof memory, "%llu", (unsigned long long)options->memory_max_bytes);
    snprintf(parent, sizeof parent, "%ld", (long)getpid());
    char *arguments[] = {name, command, memory, parent, NULL};
    char *variables[] = {threads, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int failed = set_actions(&actions, files);
    failed = failed != 0 ? failed : set_attributes(&attributes);
    const char *program = options->program != NULL ? options->program : "/proc/self/exe";
    failed = failed != 0 ? failed
                         : posix_spawn(ret, program, &actions, &attributes, arguments, variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed == 0 || err_set_os(err, failed, "start the compiler");
}

/* ---- its end ---- */

enum watch { WATCH_ENDED, WATCH_CANCELLED, WATCH_TIMEOUT };

/* Wait for its end, for so long. Without a descriptor for it there is nothing to wait with: cancelled. */
static enum watch watch_child(pid_t child, int cancel)
{
    struct env *env = env_system();
    uint64_t end_ns = env->monotonic_ns(env) + UINT64_C(2) * DYNAMIC_COMPILER_S * SECOND_NS;
    int fd = pidfd_open(child, 0);
    enum watch watch = WATCH_CANCELLED;
    while (fd >= 0) {
        uint64_t now_ns = env->monotonic_ns(env);
        if (now_ns >= end_ns) {
            watch = WATCH_TIMEOUT;
            break;
        }
        struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = cancel, .events = POLLIN}};
        int wait_ms = (int)((end_ns - now_ns) / MILLISECOND_NS) + 1;
        if (poll(polled, ARRAY_LENGTH(polled), wait_ms) <= 0) {
            continue;
        }
        if (polled[0].revents != 0) {
            watch = WATCH_ENDED;
        }
        break;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (watch != WATCH_ENDED) {
        kill(child, SIGKILL);
    }
    return watch;
}

static int reap(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* ---- its result ---- */

static bool read_result(int fd, struct bytes *ret, struct err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || info.st_size < 0 ||
        info.st_size > DYNAMIC_ARTEFACT_BYTES_MAX + (off_t)sizeof(struct dynamic_header)) {
        return err_set(err, ERR_INPUT, "the compiler wrote too much");
    }
    size_t size = (size_t)info.st_size;
    if (!bytes_reserve(ret, size + 1)) {
        return err_set_memory(err);
    }
    while (ret->size < size) {
        ssize_t got = pread(fd, ret->data + ret->size, size - ret->size, (off_t)ret->size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return err_set_os(err, errno, "read what the compiler wrote");
        }
        ret->size += (size_t)got;
    }
    return true;
}

static bool take_result(struct bytes *result, struct dynamic_compiled *ret, struct err *err)
{
    struct dynamic_header header;
    if (result->size <= sizeof header ||
        memcmp(result->data, dynamic_mark, sizeof dynamic_mark) != 0) {
        return err_set(err, ERR_INPUT, "the compiler ended without a result");
    }
    memcpy(&header, result->data, sizeof header);
    if (header.cls >= POOL_CLASSES) {
        return err_set(err, ERR_INPUT, "the compiler's result is none");
    }
    bytes_consume(result, sizeof header);
    *ret = (struct dynamic_compiled){.inspection = header.inspection,
                                     .cls = (enum pool_class)header.cls,
                                     .fingerprint = header.fingerprint,
                                     .artefact = *result};
    *result = (struct bytes){0};
    return true;
}

static enum dynamic_compiler_end refuse(int status, const struct bytes *result, struct err *err)
{
    enum { TEXT_BYTES_MAX = 300 };
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (number == SIGXCPU || number == SIGKILL) {
        (void)err_set(err, ERR_LIMIT,
                      "it takes more than %d s, or the memory that there is, to compile",
                      DYNAMIC_COMPILER_S);
    } else if (number != 0) {
        (void)err_set(
            err, ERR_LIMIT,
            "the compiler has ended by signal %d: it takes more than %d MiB, or is made to "
            "break compilers",
            number, DYNAMIC_COMPILER_BYTES >> 20);
    } else {
        size_t size = result->size < TEXT_BYTES_MAX ? result->size : TEXT_BYTES_MAX;
        (void)err_set(err, ERR_INPUT, "%.*s", (int)size,
                      size > 0 ? (const char *)result->data : "");
    }
    return DYNAMIC_REFUSED;
}

enum dynamic_compiler_end dynamic_compiler_run(const struct dynamic_compiler_options *options,
                                               const struct bytes *wasm,
                                               struct dynamic_compiled *ret, struct err *err)
{
    struct files files;
    pid_t child = 0;
    if (!files_open(&files, wasm, err)) {
        return DYNAMIC_UNABLE;
    }
    if (!start_child(options, &files, &child, err)) {
        files_close(&files);
        return DYNAMIC_UNABLE;
    }
    enum watch watch = watch_child(child, options->cancel);
    int status = reap(child);
    AUTO(bytes_finip) struct bytes result = {0};
    bool read = watch == WATCH_ENDED && read_result(files.result, &result, err);
    files_close(&files);
    switch (watch) {
    case WATCH_CANCELLED:
        (void)err_set(err, ERR_DENIED, "nobody waits for it any more");
        return DYNAMIC_CANCELLED;
    case WATCH_TIMEOUT:
        (void)err_set(err, ERR_LIMIT, "it takes more than %d s to compile", 2 * DYNAMIC_COMPILER_S);
        return DYNAMIC_REFUSED;
    case WATCH_ENDED:
        break;
    }
    if (!read) {
        return err->code == ERR_INPUT ? DYNAMIC_REFUSED : DYNAMIC_UNABLE;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return refuse(status, &result, err);
    }
    return take_result(&result, ret, err) ? DYNAMIC_COMPILED : DYNAMIC_REFUSED;
}

bool dynamic_compiler_checks(const struct engine_inspection *inspection, struct err *err)
{
    bool module = inspection->kind == ENGINE_MODULE;
    uint32_t most = module ? CAPACITY_MODULE_PARTS_MAX : CAPACITY_PARTS_MAX;
    if (inspection->imports_wasi_p3) {
        return err_set(err, ERR_INPUT,
                       "it is a WASI 0.3 component, which this version does not run");
    }
    if (inspection->memories > most || inspection->tables > most ||
        inspection->core_instances > most) {
        return err_set(err, ERR_INPUT,
                       "one instance takes %u memories, %u tables and %u core instances; it may "
                       "have %u of each",
                       (unsigned)inspection->memories, (unsigned)inspection->tables,
                       (unsigned)inspection->core_instances, (unsigned)most);
    }
    return true;
}
