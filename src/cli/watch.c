#include "cli/watch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, DEPTH_MAX = 32 };

static const uint32_t wanted = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                               IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK;

static bool is_ignored(const char *name)
{
    static const char *const made[] = {"wasm", "target", "node_modules", "build", "__pycache__"};
    for (size_t i = 0; i < ARRAY_LENGTH(made); i++) {
        if (strcmp(name, made[i]) == 0) {
            return true;
        }
    }
    size_t size = strlen(name);
    return (name[0] == '.' && strcmp(name, ".env") != 0) || (size > 0 && name[size - 1] == '~');
}

/* A folder, and those in it. A symbolic link is not followed. */
static void add(struct watch *watch, const char *folder, unsigned depth)
{
    int number = inotify_add_watch(watch->fd, folder, wanted | IN_DONT_FOLLOW);
    if (number <= 0 || number >= WATCHES_MAX || depth > DEPTH_MAX) {
        watch->crowded = watch->crowded || number >= WATCHES_MAX ||
                         (number < 0 && errno == ENOSPC) || depth > DEPTH_MAX;
        return;
    }
    char *copy = strdup(folder);
    free(watch->folders[number]);
    watch->folders[number] = copy;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[PATH_BYTES];
        struct stat info;
        if (!is_ignored(entry->d_name) &&
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < sizeof path &&
            lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            add(watch, path, depth + 1);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

bool watch_open(struct watch *watch, const char *folder, struct err *err)
{
    *watch = (struct watch){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (watch->fd < 0) {
        return err_set_os(err, errno, "watch files");
    }
    add(watch, folder, 0);
    return watch->folders[1] != NULL || err_set_os(err, errno, "watch folder %s", folder);
}

void watch_close(struct watch *watch)
{
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        free(watch->folders[i]);
    }
    if (watch->fd >= 0) {
        close(watch->fd);
    }
}

static void take(struct watch *watch, const struct inotify_event *event, struct changes *ret)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        ret->any = ret->manifest = true;
        return;
    }
    if (event->wd <= 0 || event->wd >= WATCHES_MAX || watch->folders[event->wd] == NULL) {
        return;
    }
    if ((event->mask & IN_IGNORED) != 0) {
        free(TAKE(watch->folders[event->wd]));
        return;
    }
    if (event->len == 0 || is_ignored(event->name)) {
        return;
    }
    if ((event->mask & IN_ISDIR) != 0) {
        char path[PATH_BYTES];
        ret->any = true; /* it may have come with files in it */
        if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0 &&
            (size_t)snprintf(path, sizeof path, "%s/%s", watch->folders[event->wd], event->name) <
                sizeof path) {
            add(watch, path, 0);
        }
        return;
    }
    if ((event->mask & IN_CREATE) != 0) {
        return; /* the end of its writing comes too */
    }
    ret->any = true;
    if (event->wd == 1 &&
        (strcmp(event->name, "mote.toml") == 0 || strcmp(event->name, ".env") == 0)) {
        ret->manifest = true;
    }
}

void watch_take(struct watch *watch, struct changes *ret)
{
    _Alignas(struct inotify_event) char events[8192];
    ssize_t size;
    while ((size = read(watch->fd, events, sizeof events)) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const void *)(events + at);
            take(watch, event, ret);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}
