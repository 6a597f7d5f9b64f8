#include "guest/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cache {
    char folder[CACHE_PATH_BYTES - 96]; /* leaves room for a file name of ours */
};

void cache_default_folder(char ret[CACHE_PATH_BYTES])
{
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (xdg != NULL && xdg[0] == '/') {
        snprintf(ret, CACHE_PATH_BYTES, "%s/mote", xdg);
    } else if (home != NULL && home[0] == '/') {
        snprintf(ret, CACHE_PATH_BYTES, "%s/.cache/mote", home);
    } else {
        snprintf(ret, CACHE_PATH_BYTES, "/var/cache/mote");
    }
}

static bool make_folders(const char *folder, struct err *err)
{
    char path[CACHE_PATH_BYTES];
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            return err_set_os(err, errno, "make folder %s", path);
        }
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_set_os(err, errno, "make folder %s", path);
    }
    return true;
}

#define DRAFT_NAME ".draft-"

enum { DRAFT_AGE_MAX_S = 60 * 60 };

/* What nodes that were killed while they wrote have left. Their time is the file system's, so that is
 * what it is compared with: a file made here and now. */
static void remove_old_drafts(const char *folder)
{
    char own[CACHE_PATH_BYTES];
    snprintf(own, sizeof own, "%s/" DRAFT_NAME "XXXXXX", folder);
    int fd = mkostemp(own, O_CLOEXEC);
    struct stat now, info;
    DIR *dir = fd < 0 ? NULL : opendir(folder);
    bool known = fd >= 0 && fstat(fd, &now) == 0;
    for (struct dirent *entry; known && dir != NULL && (entry = readdir(dir)) != NULL;) {
        bool draft = strncmp(entry->d_name, DRAFT_NAME, strlen(DRAFT_NAME)) == 0 &&
                     strlen(entry->d_name) == strlen(DRAFT_NAME) + 6;
        if (draft && fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && info.st_mtim.tv_sec < now.st_mtim.tv_sec - DRAFT_AGE_MAX_S) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (fd >= 0) {
        close(fd);
        (void)unlink(own);
    }
}

struct cache *cache_open(const char *folder, struct err *err)
{
    AUTO(cache_destroyp) struct cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        err_set_memory(err);
        return NULL;
    }
    if (folder[0] == '\0') {
        err_set(err, ERR_INPUT, "cache folder: the path is empty");
        return NULL;
    }
    if ((size_t)snprintf(cache->folder, sizeof cache->folder, "%s", folder) >=
        sizeof cache->folder) {
        err_set(err, ERR_INPUT, "cache folder: path longer than %zu bytes",
                sizeof cache->folder - 1);
        return NULL;
    }
    if (!make_folders(folder, err)) {
        err_wrap(err, "cache");
        return NULL;
    }
    struct stat info;
    if (lstat(folder, &info) != 0) {
        err_set_os(err, errno, "cache folder %s", folder);
        return NULL;
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
        err_set(
            err, ERR_DENIED,
            "cache folder %s holds native code: it must be a folder of this user with mode 0700 "
            "(chmod 700, or choose another with --cache)",
            folder);
        return NULL;
    }
    remove_old_drafts(folder);
    return TAKE(cache);
}

void cache_destroy(struct cache *cache)
{
    free(cache);
}

enum { DIGEST_BYTES = 32 };

void cache_digest(const uint8_t *wasm, size_t size_bytes, unsigned char ret[DIGEST_BYTES])
{
    unsigned digest_bytes = 0;
    int done = EVP_Digest(wasm, size_bytes, ret, &digest_bytes, EVP_sha256(), NULL);
    INVARIANT(done == 1 && digest_bytes == DIGEST_BYTES);
}

void cache_path(const struct cache *cache, const uint8_t *wasm, size_t size_bytes,
                uint64_t fingerprint, char ret[CACHE_PATH_BYTES])
{
    unsigned char digest[DIGEST_BYTES];
    cache_digest(wasm, size_bytes, digest);
    char hex[65];
    for (unsigned i = 0; i < DIGEST_BYTES; i++) {
        snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
    }
    snprintf(ret, CACHE_PATH_BYTES, "%s/%s-%016llx", cache->folder, hex,
             (unsigned long long)fingerprint);
}

bool cache_has(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
        (info.st_mode & 077) != 0) {
        return false;
    }
    /* Its time of change is its time of use: the least recently used goes first. */
    (void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
    return true;
}

static bool write_all(int fd, const uint8_t *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t written = write(fd, data, size_bytes);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        data += written;
        size_bytes -= (size_t)written;
    }
    return true;
}

enum { HASH_DIGITS = 64, FINGERPRINT_DIGITS = 16 };

/* Whether a name is one that cache_path() makes: nothing else in the folder is ours to remove. */
static bool is_artefact(const char *name)
{
    return strlen(name) == HASH_DIGITS + 1 + FINGERPRINT_DIGITS &&
           strspn(name, "0123456789abcdef") == HASH_DIGITS && name[HASH_DIGITS] == '-' &&
           strspn(name + HASH_DIGITS + 1, "0123456789abcdef") == FINGERPRINT_DIGITS;
}

/* Remove the least recently used file. False: none is left but `keep`. */
static bool remove_oldest(const char *folder, const char *keep, uint64_t *ret_total)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return false;
    }
    char oldest[CACHE_PATH_BYTES] = "";
    struct timespec oldest_time = {0};
    uint64_t oldest_size = 0;
    *ret_total = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat info;
        char path[CACHE_PATH_BYTES];
        if (!is_artefact(entry->d_name) ||
            (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= sizeof path ||
            lstat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
            continue;
        }
        *ret_total += (uint64_t)info.st_size;
        bool older = oldest[0] == '\0' || info.st_mtim.tv_sec < oldest_time.tv_sec ||
                     (info.st_mtim.tv_sec == oldest_time.tv_sec &&
                      info.st_mtim.tv_nsec < oldest_time.tv_nsec);
        if (older && strcmp(path, keep) != 0) {
            memcpy(oldest, path, sizeof oldest);
            oldest_time = info.st_mtim;
            oldest_size = (uint64_t)info.st_size;
        }
    }
    closedir(dir);
    if (*ret_total <= CACHE_BYTES_MAX || oldest[0] == '\0' || unlink(oldest) != 0) {
        return false;
    }
    *ret_total -= oldest_size;
    return true;
}

bool cache_store(struct cache *cache, const char *path, const struct bytes *artefact,
                 struct err *err)
{
    char draft[CACHE_PATH_BYTES];
    snprintf(draft, sizeof draft, "%s/" DRAFT_NAME "XXXXXX", cache->folder);
    int fd = mkostemp(draft, O_CLOEXEC);
    if (fd < 0) {
        return err_set_os(err, errno, "write %s", draft);
    }
    bool good = write_all(fd, artefact->data, artefact->size) && fsync(fd) == 0;
    int reason = errno;
    close(fd);
    if (good && rename(draft, path) != 0) {
        good = false;
        reason = errno;
    }
    if (!good) {
        (void)unlink(draft);
        return err_set_os(err, reason, "write %s", path);
    }
    uint64_t total = 0;
    while (remove_oldest(cache->folder, path, &total) && total > CACHE_BYTES_MAX) {
    }
    return true;
}

void cache_remove(const char *path)
{
    (void)unlink(path);
}
