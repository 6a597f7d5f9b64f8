/* What libc needs of a system, on the host's functions: so the module imports nothing of WASI. */
#include "runtime.h"

#include <sys/time.h>
#include <time.h>
#include <wasi/api.h>

static void split(uint64_t ns, time_t *ret_s, long *ret_ns)
{
    *ret_s = (time_t)(ns / 1000000000);
    *ret_ns = (long)(ns % 1000000000);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    uint64_t now = clock == CLOCK_REALTIME ? mote_wall_clock_ns() : mote_clock_ns();
    split(now, &ret->tv_sec, &ret->tv_nsec);
    return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    (void)zone;
    long ns;
    split(mote_wall_clock_ns(), &ret->tv_sec, &ns);
    ret->tv_usec = ns / 1000;
    return 0;
}

/* What is printed are QuickJS's and libc's last words: they are for the log. */
__wasi_errno_t __wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t *parts, size_t count,
                               __wasi_size_t *ret)
{
    (void)fd;
    *ret = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].buf_len > 0) {
            mote_abi_log(MOTE_ERROR, (const char *)parts[i].buf, parts[i].buf_len);
        }
        *ret += parts[i].buf_len;
    }
    return __WASI_ERRNO_SUCCESS;
}

__wasi_errno_t __wasi_fd_close(__wasi_fd_t fd)
{
    (void)fd;
    return __WASI_ERRNO_BADF;
}

__wasi_errno_t __wasi_fd_seek(__wasi_fd_t fd, __wasi_filedelta_t offset, __wasi_whence_t whence,
                              __wasi_filesize_t *ret)
{
    (void)fd;
    (void)offset;
    (void)whence;
    *ret = 0;
    return __WASI_ERRNO_SPIPE;
}

__wasi_errno_t __wasi_fd_fdstat_get(__wasi_fd_t fd, __wasi_fdstat_t *ret)
{
    (void)fd;
    *ret = (__wasi_fdstat_t){.fs_filetype = __WASI_FILETYPE_CHARACTER_DEVICE};
    return __WASI_ERRNO_SUCCESS;
}
