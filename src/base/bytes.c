#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES_FIRST = 64, BYTES_READ = 64 * 1024 };

void bytes_fini(struct bytes *bytes)
{
    if (bytes != NULL) {
        free(bytes->storage);
        *bytes = (struct bytes){0};
    }
}

void bytes_clear(struct bytes *bytes)
{
    bytes->data = bytes->storage;
    bytes->size = 0;
}

/* Put the content into storage of that size. */
static bool move_to(struct bytes *bytes, size_t capacity)
{
    uint8_t *storage = malloc(capacity);
    if (storage == NULL) {
        return false;
    }
    if (bytes->size > 0) {
        memcpy(storage, bytes->data, bytes->size);
    }
    free(bytes->storage);
    bytes->storage = bytes->data = storage;
    bytes->capacity = capacity;
    return true;
}

bool bytes_reserve(struct bytes *bytes, size_t more)
{
    size_t consumed = bytes->storage == NULL ? 0 : (size_t)(bytes->data - bytes->storage);
    if (more <= bytes->capacity - consumed - bytes->size) {
        return true;
    }
    /* Moving down is worth it only while the front is the larger part: else a long-lived buffer
     * whose reader stays a little behind would be copied at every append. */
    if (consumed >= bytes->size && more <= bytes->capacity - bytes->size) {
        memmove(bytes->storage, bytes->data, bytes->size);
        bytes->data = bytes->storage;
        return true;
    }
    if (more > SIZE_MAX / 2 - bytes->size) {
        return false;
    }
    size_t capacity = bytes->capacity < BYTES_FIRST ? BYTES_FIRST : bytes->capacity;
    while (capacity < bytes->size + more) {
        capacity *= 2;
    }
    return move_to(bytes, capacity);
}

bool bytes_reserve_last(struct bytes *bytes, size_t more)
{
    size_t consumed = bytes->storage == NULL ? 0 : (size_t)(bytes->data - bytes->storage);
    if (more <= bytes->capacity - consumed - bytes->size) {
        return true;
    }
    return more <= SIZE_MAX / 2 - bytes->size && move_to(bytes, bytes->size + more);
}

bool bytes_append(struct bytes *bytes, const void *data, size_t size_bytes)
{
    if (!bytes_reserve(bytes, size_bytes)) {
        return false;
    }
    if (size_bytes > 0) {
        memcpy(bytes->data + bytes->size, data, size_bytes);
        bytes->size += size_bytes;
    }
    return true;
}

bool bytes_printf(struct bytes *bytes, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    bool done = length >= 0 && bytes_reserve(bytes, (size_t)length + 1);
    if (done) {
        vsnprintf((char *)bytes->data + bytes->size, (size_t)length + 1, fmt, again);
        bytes->size += (size_t)length;
    }
    va_end(again);
    va_end(args);
    return done;
}

bool bytes_terminate(struct bytes *bytes)
{
    if (!bytes_reserve(bytes, 1)) {
        return false;
    }
    bytes->data[bytes->size] = 0;
    return true;
}

void bytes_consume(struct bytes *bytes, size_t size_bytes)
{
    INVARIANT(size_bytes <= bytes->size);
    bytes->size -= size_bytes;
    if (bytes->size == 0) {
        bytes->data = bytes->storage;
    } else {
        bytes->data += size_bytes;
    }
}

static bool bytes_read_fd(struct bytes *bytes, int fd, const char *path, size_t max_bytes,
                          struct err *err)
{
    for (;;) {
        if (!bytes_reserve(bytes, BYTES_READ)) {
            err_set_memory(err);
            return err_wrap(err, "read %s", path);
        }
        ssize_t got = read(fd, bytes->data + bytes->size, BYTES_READ);
        if (got == 0) {
            return true;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return err_set_os(err, errno, "read %s", path);
        }
        bytes->size += (size_t)got;
        if (bytes->size > max_bytes) {
            return err_set(err, ERR_LIMIT, "read %s: larger than %zu bytes", path, max_bytes);
        }
    }
}

bool bytes_read_file(struct bytes *bytes, const char *path, size_t max_bytes, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int os = errno;
        err_set_os(err, os, "read %s", path);
        if (os == ENOENT || os == ENOTDIR) {
            err->code = ERR_NOT_FOUND;
        }
        return false;
    }
    bool done = bytes_read_fd(bytes, fd, path, max_bytes, err);
    close(fd);
    if (!done) {
        bytes_fini(bytes);
    }
    return done;
}
