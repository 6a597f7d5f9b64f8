/* The process that compiles: see dynamic_compiler.h. It trusts nothing that it reads. */
#include "guest/dynamic_internal.h"

#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SHADOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SHADOW 1
#endif
#endif
#ifndef HAS_SHADOW
#define HAS_SHADOW 0
#endif

/* A sanitizer's shadow memory is larger than any limit. */
enum { LIMITS_MEMORY = !HAS_SHADOW };

/* Address space is for the engine, which reserves what it never touches. */
#define ADDRESS_BYTES_MAX ((UINT64_C(16) << 30) + DYNAMIC_COMPILER_BYTES)

static bool limit(int resource, uint64_t most)
{
    struct rlimit value = {.rlim_cur = most, .rlim_max = most};
    return setrlimit((__rlimit_resource_t)resource, &value) == 0;
}

/* The first to be killed when memory runs out, and the last to run. */
static void stand_back(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored = write(fd, "1000", 4);
        (void)ignored;
        close(fd);
    }
    (void)setpriority(PRIO_PROCESS, 0, 10);
}

static bool confine(pid_t parent)
{
    enum { DESCRIPTORS_MAX = 64 };
    stand_back();
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_CPU, DYNAMIC_COMPILER_S) && limit(RLIMIT_NOFILE, DESCRIPTORS_MAX) &&
           limit(RLIMIT_FSIZE, DYNAMIC_ARTEFACT_BYTES_MAX + sizeof(struct dynamic_header)) &&
           (!LIMITS_MEMORY ||
            (limit(RLIMIT_AS, ADDRESS_BYTES_MAX) && limit(RLIMIT_DATA, DYNAMIC_COMPILER_BYTES)));
}

static bool read_source(struct bytes *ret, struct err *err)
{
    enum { PIECE_BYTES = 1 << 16 };
    while (ret->size <= DYNAMIC_SOURCE_BYTES_MAX) {
        if (!bytes_reserve(ret, PIECE_BYTES)) {
            return err_set_memory(err);
        }
        ssize_t got = read(STDIN_FILENO, ret->data + ret->size, PIECE_BYTES);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set_os(err, errno, "read the source");
        }
        if (got == 0) {
            return true;
        }
        ret->size += (size_t)got;
    }
    return err_set(err, ERR_INPUT, "the source is larger than %d MiB",
                   DYNAMIC_SOURCE_BYTES_MAX >> 20);
}

static bool compile(uint64_t memory_max_bytes, struct dynamic_header *ret, struct bytes *artefact,
                    struct err *err)
{
    AUTO(bytes_finip) struct bytes wasm = {0};
    if (!read_source(&wasm, err) || !engine_inspect(wasm.data, wasm.size, &ret->inspection, err) ||
        !dynamic_compiler_checks(&ret->inspection, err)) {
        return false;
    }
    enum pool_class cls = capacity_class(ret->inspection.memory_min_bytes, memory_max_bytes);
    ret->cls = cls;
    struct engine *engine = pool_compiling_engine(cls, err);
    if (engine == NULL) {
        return false;
    }
    ret->fingerprint = engine_fingerprint(engine);
    return engine_compile(engine, wasm.data, wasm.size, artefact, err);
    /* The engine goes with the process. */
}

int dynamic_compiler_main(int argc, char **argv)
{
    uint64_t memory_max_bytes = 0, parent = 0;
    struct err err = {0};
    struct dynamic_header header = {.cls = 0};
    struct bytes artefact = {0};
    if (argc != 3 || !number_parse(argv[1], strlen(argv[1]), UINT64_MAX, &memory_max_bytes) ||
        !number_parse(argv[2], strlen(argv[2]), INT32_MAX, &parent) || !confine((pid_t)parent)) {
        return 2;
    }
    bool good = compile(memory_max_bytes, &header, &artefact, &err);
    if (!good) {
        (void)dynamic_write(STDOUT_FILENO, (const uint8_t *)err.text, strlen(err.text));
        return 1;
    }
    memcpy(header.mark, dynamic_mark, sizeof header.mark);
    good = dynamic_write(STDOUT_FILENO, (const uint8_t *)&header, sizeof header) &&
           dynamic_write(STDOUT_FILENO, artefact.data, artefact.size);
    return good ? 0 : 2;
}
