/* `detour WAY`: tries one way out of /data, which is all that it was given; /ro, if it is there, is for reading only.
 * Prints what it got hold of; "no" and the error when it was stopped. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

static int report(int result)
{
    if (result < 0) {
        printf("no: %s\n", strerror(errno));
        return 1;
    }
    printf("done\n");
    return 0;
}

static int show(int fd)
{
    char text[256];
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (size < 0) {
        return report(-1);
    }
    text[size] = '\0';
    printf("%s", text);
    return 0;
}

/* Opens the same path again and again while somebody outside swaps what is there, until told to stop. */
static int race(const char *path, const char *stop)
{
    char text[64];
    int opened = 0, refused = 0;
    while (access(stop, F_OK) != 0) {
        int fd = open(path, O_RDONLY);
        ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0) {
            close(fd);
        }
        if (size < 0) {
            refused++;
            continue;
        }
        text[size] = '\0';
        opened++;
        if (strncmp(text, "inside", 6) != 0) {
            printf("escaped: %s\n", text);
            return 2;
        }
    }
    printf("opened %d refused %d\n", opened, refused);
    return 0;
}

/* The same with writes, which must never arrive outside. */
static int race_writes(const char *path, const char *stop)
{
    while (access(stop, F_OK) != 0) {
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        if (fd >= 0) {
            (void)write(fd, "overwritten", 11);
            close(fd);
        }
    }
    return 0;
}

/* A folder that it holds open is moved out of what it was given: from there it still finds no way up. */
static int moved(void)
{
    int folder = open("/data/sub", O_RDONLY | O_DIRECTORY);
    printf("open\n");
    fflush(stdout);
    (void)getchar();
    show(openat(folder, "../outside.txt", O_RDONLY));
    show(openat(folder, "../given/../outside.txt", O_RDONLY));
    return show(openat(folder, "..", O_RDONLY | O_DIRECTORY));
}

/* Every number that could be a descriptor, but for what it was given (3, and perhaps 4). */
static int guess_descriptors(int first)
{
    int found = 0;
    for (int fd = first; fd < 5000; fd++) {
        __wasi_fdstat_t stat;
        __wasi_prestat_t prestat;
        __wasi_fd_t opened;
        found += __wasi_fd_fdstat_get((__wasi_fd_t)fd, &stat) == 0;
        found += __wasi_fd_prestat_get((__wasi_fd_t)fd, &prestat) == 0;
        found += __wasi_path_open((__wasi_fd_t)fd, 0, ".", 0, 0, 0, 0, &opened) == 0;
    }
    /* Standard streams are no folders, nor are wild numbers. */
    static const __wasi_fd_t wild[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        __wasi_fd_t opened;
        found += __wasi_path_open(wild[i], 0, "etc/passwd", 0, 0, 0, 0, &opened) == 0;
        found += __wasi_sock_accept(wild[i], 0, &opened) == 0;
    }
    printf("found %d\n", found);
    return found;
}

/* All that there are. */
#define ALL_RIGHTS (((__wasi_rights_t)1 << 29) - 1)

/* More rights than it has are not to be had by asking. */
static int raise_rights(void)
{
    __wasi_fd_t opened;
    __wasi_errno_t error = __wasi_path_open(4, 0, "file.txt", 0, ALL_RIGHTS, ALL_RIGHTS, 0,
                                            &opened);
    if (error == 0) {
        __wasi_size_t written = 0;
        __wasi_ciovec_t data = {(const uint8_t *)"x", 1};
        error = __wasi_fd_write(opened, &data, 1, &written);
    }
    errno = error;
    return report(error == 0 ? 0 : -1);
}

static int touch_read_only(const char *way)
{
    struct timespec times[2] = {{1, 0}, {1, 0}};
    static const struct {
        const char *way;
        int flags;
    } opens[] = {{"append", O_WRONLY | O_APPEND},
                 {"truncate", O_WRONLY | O_TRUNC},
                 {"both", O_RDWR},
                 {"create", O_WRONLY | O_CREAT | O_EXCL},
                 {"quiet-truncate", O_RDONLY | O_TRUNC},
                 {"quiet-create", O_RDONLY | O_CREAT | O_EXCL}};
    for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
        if (strcmp(way, opens[i].way) == 0) {
            bool fresh = (opens[i].flags & O_CREAT) != 0;
            return report(open(fresh ? "/ro/new.txt" : "/ro/file.txt", opens[i].flags, 0600));
        }
    }
    if (strcmp(way, "size") == 0) {
        return report(ftruncate(open("/ro/file.txt", O_RDONLY), 0));
    } else if (strcmp(way, "write") == 0) {
        return report((int)write(open("/ro/file.txt", O_RDONLY), "x", 1));
    } else if (strcmp(way, "times") == 0) {
        return report(utimensat(AT_FDCWD, "/ro/file.txt", times, 0));
    } else if (strcmp(way, "open-times") == 0) {
        return report(futimens(open("/ro/file.txt", O_RDONLY), times));
    } else if (strcmp(way, "mkdir") == 0) {
        return report(mkdir("/ro/new", 0700));
    } else if (strcmp(way, "rmdir") == 0) {
        return report(rmdir("/ro/sub"));
    } else if (strcmp(way, "unlink") == 0) {
        return report(unlink("/ro/file.txt"));
    } else if (strcmp(way, "symlink") == 0) {
        return report(symlink("file.txt", "/ro/new.txt"));
    } else if (strcmp(way, "rename") == 0) {
        return report(rename("/ro/file.txt", "/ro/new.txt"));
    } else if (strcmp(way, "rename-out") == 0) {
        return report(rename("/ro/file.txt", "/data/taken.txt"));
    } else if (strcmp(way, "rename-in") == 0) {
        return report(rename("/data/file.txt", "/ro/file.txt"));
    } else if (strcmp(way, "link") == 0) {
        return report(link("/ro/file.txt", "/ro/new.txt"));
    } else if (strcmp(way, "link-out") == 0) {
        return report(link("/ro/file.txt", "/data/taken.txt"));
    } else if (strcmp(way, "link-in") == 0) {
        return report(link("/data/file.txt", "/ro/new.txt"));
    } else if (strcmp(way, "rights") == 0) {
        return raise_rights();
    }
    return 3;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";
    if (strncmp(way, "race", 4) == 0) {
        printf("begun\n");
        fflush(stdout);
    }
    if (strcmp(way, "race") == 0) {
        return race(argv[2], "/data/stop");
    } else if (strcmp(way, "race-writes") == 0) {
        return race_writes(argv[2], "/data/stop");
    } else if (strcmp(way, "moved") == 0) {
        return moved();
    } else if (strcmp(way, "descriptors") == 0) {
        return guess_descriptors(argv[2][0] - '0');
    } else if (strcmp(way, "open") == 0) {
        return show(open(argv[2], O_RDONLY));
    } else if (strcmp(way, "rename") == 0) {
        return report(rename(argv[2], argv[3]));
    } else if (strcmp(way, "link") == 0) {
        return report(link(argv[2], argv[3]));
    } else if (strcmp(way, "symlink") == 0) {
        return report(symlink(argv[2], argv[3]));
    } else if (strcmp(way, "readlink") == 0) {
        char text[256] = "";
        int result = (int)readlink(argv[2], text, sizeof text - 1);
        puts(text);
        return report(result);
    }
    return touch_read_only(way);
}
