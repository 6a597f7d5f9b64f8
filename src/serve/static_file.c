#include "serve/static_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* NONBLOCK: neither a FIFO nor a device is waited for. */
enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, RACES_MAX = 8 };

static enum static_found found_of_errno(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == EAGAIN ? STATIC_EXHAUSTED
                                                                                : STATIC_NOTHING;
}

/* What was opened, if anything: only regular files stay open. */
static enum static_found look_at(int fd, struct static_file *ret)
{
    if (fd < 0) {
        return found_of_errno(errno);
    }
    if (fstat(fd, &ret->stat) == 0 && S_ISREG(ret->stat.st_mode)) {
        ret->fd = fd;
        return STATIC_FILE;
    }
    bool folder = S_ISDIR(ret->stat.st_mode);
    close(fd);
    return folder ? STATIC_FOLDER : STATIC_NOTHING;
}

enum static_found static_file_open_plainly(int folder, const char *path, struct static_file *ret)
{
    *ret = (struct static_file){.fd = -1};
    int at = folder;
    char name[NAME_MAX + 1];
    for (;;) {
        size_t size = strcspn(path, "/");
        bool last = path[size] == '\0' || path[size + 1] == '\0';
        bool valid = size > 0 && size <= NAME_MAX && !(size == 1 && path[0] == '.') &&
                     !(size == 2 && path[0] == '.' && path[1] == '.');
        int next = -1;
        if (valid) {
            memcpy(name, path, size);
            name[size] = '\0';
            next = openat(at, name,
                          O_NOFOLLOW | (last ? OPEN_FLAGS : O_PATH | O_DIRECTORY | O_CLOEXEC));
        } else {
            errno = ENOENT;
        }
        int code = errno;
        if (at != folder) {
            close(at);
        }
        errno = code;
        if (last || next < 0) {
            return look_at(next, ret);
        }
        at = next;
        path += size + 1;
    }
}

enum static_found static_file_open(int folder, const char *path, struct static_file *ret)
{
    static atomic_bool missing; /* Relaxed: whoever does not know it yet finds out. */
    *ret = (struct static_file){.fd = -1};
    if (!atomic_load_explicit(&missing, memory_order_relaxed)) {
        struct open_how how = {.flags = OPEN_FLAGS,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
        long fd = -1;
        /* EAGAIN: something was renamed meanwhile, and the kernel cannot vouch for "..". */
        for (int i = 0; i < RACES_MAX; i++) {
            fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));
            if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
                break;
            }
        }
        /* Some sandboxes answer EPERM to what they do not know. */
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return look_at((int)fd, ret);
        }
        atomic_store_explicit(&missing, errno == ENOSYS, memory_order_relaxed);
    }
    return static_file_open_plainly(folder, path, ret);
}

bool static_path_is_valid(const char *path, size_t size_bytes, bool dotfiles)
{
    if (size_bytes == 0 || size_bytes >= PATH_MAX || memchr(path, '\0', size_bytes) != NULL) {
        return false;
    }
    size_t begin = 0;
    for (size_t i = 0; i <= size_bytes; i++) {
        if (i < size_bytes && path[i] != '/') {
            continue;
        }
        size_t size = i - begin;
        if (size == 0 && i < size_bytes) {
            return false;
        }
        bool dots = (size == 1 && path[begin] == '.') ||
                    (size == 2 && path[begin] == '.' && path[begin + 1] == '.');
        if (size > 0 && (dots || (path[begin] == '.' && !dotfiles))) {
            return false;
        }
        begin = i + 1;
    }
    return true;
}
