#include "cli/kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096 };

/* Make every folder on the way to a file. */
static bool make_way(const char *path, struct err *err)
{
    char way[PATH_BYTES];
    snprintf(way, sizeof way, "%s", path);
    for (char *slash = strchr(way + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(way, 0755) != 0 && errno != EEXIST) {
            return err_set_os(err, errno, "make folder %s", way);
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

static bool write_one(const struct embedded *kept, const char *path, struct err *err)
{
    if (!make_way(path, err)) {
        return false;
    }
    FILE *file = fopen(path, "we");
    bool good = file != NULL && fwrite(kept->data, 1, kept->size_bytes, file) == kept->size_bytes;
    if (file != NULL && fclose(file) != 0) {
        good = false;
    }
    return good || err_set_os(err, errno, "write %s", path);
}

bool kit_write(const struct embedded *files, const char *folder, struct err *err)
{
    for (const struct embedded *file = files; file->path != NULL; file++) {
        char path[PATH_BYTES];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, file->path) >= sizeof path) {
            return err_set_os(err, ENAMETOOLONG, "write the SDK below %s", folder);
        }
        if (!is_there(file, path) && !write_one(file, path, err)) {
            return false;
        }
    }
    return true;
}
