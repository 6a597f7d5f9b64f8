#include "cli/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* Make every folder on the way to a file. Those below the first `own_bytes` are this program's own, and no links: a checkout
 * must not lead it elsewhere. */
static bool make_way(const char *path, size_t own_bytes, struct err *err)
{
    char way[PATH_BYTES];
    snprintf(way, sizeof way, "%s", path);
    for (char *slash = strchr(way + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        struct stat info;
        *slash = '\0';
        if (mkdir(way, 0755) != 0 && errno != EEXIST) {
            return err_set_os(err, errno, "make folder %s", way);
        }
        if ((size_t)(slash - way) >= own_bytes &&
            (lstat(way, &info) != 0 || !S_ISDIR(info.st_mode))) {
            return err_set_os(err, ENOTDIR, "make folder %s", way);
        }
        *slash = '/';
    }
    return true;
}

static bool is_there(const struct embedded *kept, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    unsigned char piece[4096];
    size_t at = 0, got;
    bool same = true;
    while (same && (got = fread(piece, 1, sizeof piece, file)) > 0) {
        same = got <= kept->size_bytes - at && memcmp(piece, kept->data + at, got) == 0;
        at += same ? got : 0;
    }
    fclose(file);
    return same && at == kept->size_bytes;
}

bool kit_put(const char *path, const void *data, size_t size_bytes, struct err *err)
{
    char draft[PATH_BYTES];
    if ((size_t)snprintf(draft, sizeof draft, "%s.new-%ld", path, (long)getpid()) >= sizeof draft) {
        return err_set_os(err, ENAMETOOLONG, "write %s", path);
    }
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool good = file != NULL && fwrite(data, 1, size_bytes, file) == size_bytes;
    if (file != NULL && fclose(file) != 0) {
        good = false;
    } else if (file == NULL && fd >= 0) {
        close(fd);
    }
    good = good && rename(draft, path) == 0;
    int os = errno;
    if (fd >= 0 && !good) {
        (void)unlink(draft);
    }
    return good || err_set_os(err, os, "write %s", path);
}

bool kit_write(const struct embedded *files, const char *folder, struct err *err)
{
    const char *own = strstr(folder, "/.mote");
    size_t own_bytes = own != NULL ? (size_t)(own - folder) + 1 : strlen(folder);
    for (const struct embedded *file = files; file->path != NULL; file++) {
        char path[PATH_BYTES];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file->path) >= sizeof path) {
            return err_set_os(err, ENAMETOOLONG, "write the SDK below %s", folder);
        }
        if (!is_there(file, path) && (!make_way(path, own_bytes, err) ||
                                      !kit_put(path, file->data, file->size_bytes, err))) {
            return false;
        }
    }
    return true;
}
