/* `wasi_files CASE`: what WASI preview 1 says of files, by its own calls, in the folder that is descriptor 3. Prints what is
 * not as it should be, and ends with the number of such things. */
#include "wasi_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

enum { FOLDER = 3 };

#define READ_WRITE (__WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_SEEK)
#define FOLDER_RIGHTS (ALL_RIGHTS & ~(__wasi_rights_t)__WASI_RIGHTS_FD_WRITE)
#define ALL_RIGHTS (((__wasi_rights_t)1 << 29) - 1)

static __wasi_errno_t open_as(const char *path, int oflags, __wasi_rights_t rights, int fdflags,
                              __wasi_fd_t *ret)
{
    return __wasi_path_open(FOLDER, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path,
                            (__wasi_oflags_t)oflags, rights, ALL_RIGHTS, (__wasi_fdflags_t)fdflags,
                            ret);
}

/* A new file, open for both. */
static __wasi_fd_t create(const char *path)
{
    __wasi_fd_t fd = 0;
    OK(open_as(path, __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, ALL_RIGHTS, 0, &fd));
    return fd;
}

static void put(__wasi_fd_t fd, const char *text)
{
    __wasi_ciovec_t data = {(const uint8_t *)text, strlen(text)};
    __wasi_size_t written = 0;
    OK(__wasi_fd_write(fd, &data, 1, &written));
    CHECK(written == strlen(text));
}

/* What there is from where it stands. */
static bool holds(__wasi_fd_t fd, const char *text)
{
    static char seen[256];
    size_t used = 0;
    for (;;) {
        __wasi_iovec_t data = {(uint8_t *)seen + used, sizeof seen - used};
        __wasi_size_t size = 0;
        if (__wasi_fd_read(fd, &data, 1, &size) != 0 || size == 0) {
            break;
        }
        used += size;
    }
    return used == strlen(text) && memcmp(seen, text, used) == 0;
}

static bool file_holds(const char *path, const char *text)
{
    __wasi_fd_t fd = 0;
    bool good = open_as(path, 0, READ_WRITE, 0, &fd) == 0 && holds(fd, text);
    return __wasi_fd_close(fd) == 0 && good;
}

static void make(const char *path, const char *text)
{
    __wasi_fd_t fd = create(path);
    put(fd, text);
    OK(__wasi_fd_close(fd));
}

static __wasi_filesize_t seek(__wasi_fd_t fd, int64_t offset, __wasi_whence_t whence)
{
    __wasi_filesize_t at = UINT64_MAX;
    OK(__wasi_fd_seek(fd, offset, whence, &at));
    return at;
}

static __wasi_filestat_t stat_of(const char *path)
{
    __wasi_filestat_t stat;
    memset(&stat, 0xff, sizeof stat);
    OK(__wasi_path_filestat_get(FOLDER, 0, path, &stat));
    return stat;
}

/* ---- cases ---- */

static void open_flags(void)
{
    __wasi_fd_t fd = 0;
    ERRNO(__WASI_ERRNO_NOENT, open_as("file", 0, READ_WRITE, 0, &fd));
    make("file", "content");
    ERRNO(__WASI_ERRNO_EXIST,
          open_as("file", __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, READ_WRITE, 0, &fd));
    OK(open_as("file", __WASI_OFLAGS_CREAT, READ_WRITE, 0, &fd));
    CHECK(holds(fd, "content"));
    OK(__wasi_fd_close(fd));
    ERRNO(__WASI_ERRNO_NOTDIR,
          open_as("file", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READ, 0, &fd));
    OK(open_as("file", __WASI_OFLAGS_TRUNC, READ_WRITE, 0, &fd));
    CHECK(holds(fd, ""));
    OK(__wasi_fd_close(fd));
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_close(fd));
    ERRNO(__WASI_ERRNO_NOENT, open_as("", 0, READ_WRITE, 0, &fd));
    ERRNO(__WASI_ERRNO_NOTDIR, open_as("file/below", 0, READ_WRITE, 0, &fd));
}

static void read_and_write(void)
{
    __wasi_fd_t fd = create("file");
    static const __wasi_ciovec_t parts[] = {
        {(const uint8_t *)"one ", 4}, {NULL, 0}, {(const uint8_t *)"two", 3}};
    __wasi_size_t size = 0;
    OK(__wasi_fd_write(fd, parts, 3, &size));
    CHECK(size > 0 && size <= 7);
    if (size < 7) {
        put(fd, &"one two"[size]);
    }
    CHECK(seek(fd, 0, __WASI_WHENCE_SET) == 0);
    char first[3], second[16];
    __wasi_iovec_t into[] = {{(uint8_t *)first, sizeof first}, {(uint8_t *)second, sizeof second}};
    OK(__wasi_fd_read(fd, into, 2, &size));
    CHECK(size >= 3 && size <= 7 && memcmp(first, "one", 3) == 0);
    seek(fd, 0, __WASI_WHENCE_SET);
    CHECK(holds(fd, "one two"));
    OK(__wasi_fd_read(fd, into, 2, &size));
    CHECK(size == 0);
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_read(99, into, 2, &size));
    OK(__wasi_fd_close(fd));
}

static void positions(void)
{
    __wasi_fd_t fd = create("file");
    __wasi_filesize_t at = 0;
    put(fd, "0123456789");
    OK(__wasi_fd_tell(fd, &at));
    CHECK(at == 10);
    CHECK(seek(fd, -4, __WASI_WHENCE_CUR) == 6);
    CHECK(holds(fd, "6789"));
    CHECK(seek(fd, -3, __WASI_WHENCE_END) == 7);
    CHECK(seek(fd, 20, __WASI_WHENCE_SET) == 20);
    put(fd, "x");
    seek(fd, 0, __WASI_WHENCE_SET);
    CHECK(stat_of("file").size == 21);
    ERRNO(__WASI_ERRNO_INVAL, __wasi_fd_seek(fd, -1, __WASI_WHENCE_SET, &at));
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_seek(FOLDER, 0, __WASI_WHENCE_SET, &at));
    OK(__wasi_fd_close(fd));
}

static void at_positions(void)
{
    __wasi_fd_t fd = create("file");
    char data[4];
    __wasi_size_t size = 0;
    __wasi_iovec_t into = {(uint8_t *)data, sizeof data};
    __wasi_ciovec_t from = {(const uint8_t *)"xy", 2};
    put(fd, "0123456789");
    OK(__wasi_fd_pread(fd, &into, 1, 3, &size));
    CHECK(size == 4 && memcmp(data, "3456", 4) == 0);
    OK(__wasi_fd_pwrite(fd, &from, 1, 4, &size));
    CHECK(size == 2);
    CHECK(seek(fd, 0, __WASI_WHENCE_CUR) == 10);
    OK(__wasi_fd_pread(fd, &into, 1, 100, &size));
    CHECK(size == 0);
    seek(fd, 0, __WASI_WHENCE_SET);
    CHECK(holds(fd, "0123xy6789"));
    OK(__wasi_fd_close(fd));
}

static void append(void)
{
    __wasi_fd_t fd = 0;
    __wasi_fdstat_t stat;
    make("file", "begin ");
    OK(open_as("file", 0, READ_WRITE, __WASI_FDFLAGS_APPEND, &fd));
    OK(__wasi_fd_fdstat_get(fd, &stat));
    CHECK((stat.fs_flags & __WASI_FDFLAGS_APPEND) != 0);
    seek(fd, 0, __WASI_WHENCE_SET);
    put(fd, "middle ");
    seek(fd, 0, __WASI_WHENCE_SET);
    put(fd, "end");
    CHECK(file_holds("file", "begin middle end"));
    OK(__wasi_fd_fdstat_set_flags(fd, 0));
    seek(fd, 0, __WASI_WHENCE_SET);
    put(fd, "BEGIN");
    CHECK(file_holds("file", "BEGIN middle end"));
    OK(__wasi_fd_close(fd));
}

static void folders(void)
{
    __wasi_fd_t fd = 0;
    OK(__wasi_path_create_directory(FOLDER, "folder"));
    ERRNO(__WASI_ERRNO_EXIST, __wasi_path_create_directory(FOLDER, "folder"));
    ERRNO(__WASI_ERRNO_NOENT, __wasi_path_create_directory(FOLDER, "none/folder"));
    CHECK(stat_of("folder").filetype == __WASI_FILETYPE_DIRECTORY);
    make("folder/file", "x");
    ERRNO(__WASI_ERRNO_NOTEMPTY, __wasi_path_remove_directory(FOLDER, "folder"));
    ERRNO(__WASI_ERRNO_NOTDIR, __wasi_path_remove_directory(FOLDER, "folder/file"));
    __wasi_errno_t error = __wasi_path_unlink_file(FOLDER, "folder");
    CHECK(error == __WASI_ERRNO_ISDIR || error == __WASI_ERRNO_PERM);
    OK(open_as("folder", __WASI_OFLAGS_DIRECTORY, FOLDER_RIGHTS, 0, &fd));
    OK(__wasi_path_unlink_file(fd, "file"));
    ERRNO(__WASI_ERRNO_NOENT, __wasi_path_unlink_file(fd, "file"));
    OK(__wasi_fd_close(fd));
    OK(__wasi_path_remove_directory(FOLDER, "folder"));
    ERRNO(__WASI_ERRNO_NOENT, __wasi_path_remove_directory(FOLDER, "folder"));
}

enum { ENTRIES = 100 };

/* Through a buffer that holds but a few: each entry comes once, and the cookie says where to go on. */
static void read_folder(void)
{
    __wasi_fd_t fd = 0;
    char name[16];
    static uint8_t seen[ENTRIES], buffer[128];
    unsigned dots = 0, strange = 0;
    __wasi_dircookie_t cookie = __WASI_DIRCOOKIE_START;
    OK(__wasi_path_create_directory(FOLDER, "folder"));
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "folder/%d", i);
        make(name, "");
    }
    OK(open_as("folder", __WASI_OFLAGS_DIRECTORY, FOLDER_RIGHTS, 0, &fd));
    for (bool more = true; more;) {
        __wasi_size_t used = 0, at = 0;
        OK(__wasi_fd_readdir(fd, buffer, sizeof buffer, cookie, &used));
        more = used == sizeof buffer;
        while (used - at >= sizeof(__wasi_dirent_t)) {
            __wasi_dirent_t entry;
            memcpy(&entry, buffer + at, sizeof entry);
            at += sizeof entry;
            if (entry.d_namlen > used - at) {
                break;
            }
            int number = 0;
            bool dot = buffer[at] == '.';
            for (__wasi_size_t i = 0; i < entry.d_namlen && !dot; i++) {
                number = number * 10 + (buffer[at + i] - '0');
            }
            dots += dot;
            strange += !dot && (number >= ENTRIES || entry.d_type != __WASI_FILETYPE_REGULAR_FILE);
            seen[dot || number >= ENTRIES ? 0 : number] += !dot;
            at += entry.d_namlen;
            cookie = entry.d_next;
        }
        if (wrong > 0) {
            break;
        }
    }
    CHECK(dots == 2 && strange == 0);
    for (int i = 0; i < ENTRIES; i++) {
        CHECK(seen[i] == 1);
    }
    __wasi_size_t used = 0;
    OK(__wasi_fd_close(fd));
    OK(open_as("folder/0", 0, READ_WRITE, 0, &fd));
    __wasi_errno_t error = __wasi_fd_readdir(fd, buffer, sizeof buffer, 0, &used);
    CHECK(error == __WASI_ERRNO_NOTDIR || error == __WASI_ERRNO_BADF);
    OK(__wasi_fd_close(fd));
}

static void rename_files(void)
{
    __wasi_filestat_t stat;
    make("one", "1");
    OK(__wasi_path_rename(FOLDER, "one", FOLDER, "two"));
    ERRNO(__WASI_ERRNO_NOENT, __wasi_path_filestat_get(FOLDER, 0, "one", &stat));
    ERRNO(__WASI_ERRNO_NOENT, __wasi_path_rename(FOLDER, "one", FOLDER, "three"));
    make("three", "3");
    OK(__wasi_path_rename(FOLDER, "two", FOLDER, "three"));
    CHECK(file_holds("three", "1"));
    OK(__wasi_path_create_directory(FOLDER, "folder"));
    OK(__wasi_path_rename(FOLDER, "three", FOLDER, "folder/four"));
    CHECK(file_holds("folder/four", "1"));
    OK(__wasi_path_create_directory(FOLDER, "empty"));
    ERRNO(__WASI_ERRNO_NOTEMPTY, __wasi_path_rename(FOLDER, "empty", FOLDER, "folder"));
    OK(__wasi_path_rename(FOLDER, "folder", FOLDER, "empty"));
    CHECK(file_holds("empty/four", "1"));
    ERRNO(__WASI_ERRNO_INVAL, __wasi_path_rename(FOLDER, "empty", FOLDER, "empty/itself"));
    OK(__wasi_path_create_directory(FOLDER, "fresh"));
    ERRNO(__WASI_ERRNO_ISDIR, __wasi_path_rename(FOLDER, "empty/four", FOLDER, "fresh"));
}

static void hard_links(void)
{
    make("one", "content");
    OK(__wasi_path_link(FOLDER, 0, "one", FOLDER, "two"));
    CHECK(stat_of("one").nlink == 2 && stat_of("one").ino == stat_of("two").ino);
    ERRNO(__WASI_ERRNO_EXIST, __wasi_path_link(FOLDER, 0, "one", FOLDER, "two"));
    ERRNO(__WASI_ERRNO_NOENT, __wasi_path_link(FOLDER, 0, "none", FOLDER, "three"));
    OK(__wasi_path_unlink_file(FOLDER, "one"));
    CHECK(file_holds("two", "content") && stat_of("two").nlink == 1);
    OK(__wasi_path_create_directory(FOLDER, "folder"));
    CHECK(__wasi_path_link(FOLDER, 0, "folder", FOLDER, "other") != 0);
}

static void symbolic_links(void)
{
    uint8_t text[64];
    __wasi_size_t size = 0;
    __wasi_fd_t fd = 0;
    make("file", "content");
    OK(__wasi_path_symlink("file", FOLDER, "link"));
    ERRNO(__WASI_ERRNO_EXIST, __wasi_path_symlink("file", FOLDER, "link"));
    OK(__wasi_path_readlink(FOLDER, "link", text, sizeof text, &size));
    CHECK(size == 4 && memcmp(text, "file", 4) == 0);
    OK(__wasi_path_readlink(FOLDER, "link", text, 2, &size));
    CHECK(size == 2);
    ERRNO(__WASI_ERRNO_INVAL, __wasi_path_readlink(FOLDER, "file", text, sizeof text, &size));
    CHECK(file_holds("link", "content"));
    CHECK(stat_of("link").filetype == __WASI_FILETYPE_SYMBOLIC_LINK);
    __wasi_filestat_t stat;
    OK(__wasi_path_filestat_get(FOLDER, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, "link", &stat));
    CHECK(stat.filetype == __WASI_FILETYPE_REGULAR_FILE && stat.size == 7);
    ERRNO(__WASI_ERRNO_LOOP, __wasi_path_open(FOLDER, 0, "link", 0, READ_WRITE, 0, 0, &fd));
    OK(__wasi_path_symlink("nowhere", FOLDER, "dangling"));
    ERRNO(__WASI_ERRNO_NOENT, open_as("dangling", 0, READ_WRITE, 0, &fd));
    OK(__wasi_path_symlink("circle", FOLDER, "circle"));
    ERRNO(__WASI_ERRNO_LOOP, open_as("circle", 0, READ_WRITE, 0, &fd));
    ERRNO(__WASI_ERRNO_PERM, open_as("../file", 0, READ_WRITE, 0, &fd));
    ERRNO(__WASI_ERRNO_PERM, open_as("/file", 0, READ_WRITE, 0, &fd));
    OK(__wasi_path_unlink_file(FOLDER, "link"));
    CHECK(file_holds("file", "content"));
}

static void sizes(void)
{
    __wasi_fd_t fd = create("file");
    put(fd, "0123456789");
    OK(__wasi_fd_filestat_set_size(fd, 4));
    CHECK(file_holds("file", "0123"));
    OK(__wasi_fd_filestat_set_size(fd, 6));
    CHECK(stat_of("file").size == 6);
    CHECK(__wasi_fd_filestat_set_size(FOLDER, 0) != 0);
    OK(__wasi_fd_sync(fd));
    OK(__wasi_fd_datasync(fd));
    OK(__wasi_fd_advise(fd, 0, 6, __WASI_ADVICE_SEQUENTIAL));
    OK(__wasi_fd_close(fd));
}

static void times(void)
{
    enum { SECOND = 1000000000 };
    const __wasi_timestamp_t then = UINT64_C(1000000000) * SECOND;
    const __wasi_fstflags_t both = __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM;
    __wasi_fd_t fd = create("file");
    __wasi_filestat_t stat;
    OK(__wasi_fd_filestat_set_times(fd, then, then + 1, both));
    OK(__wasi_fd_filestat_get(fd, &stat));
    CHECK(stat.atim == then && stat.mtim == then + 1);
    OK(__wasi_path_filestat_set_times(FOLDER, 0, "file", 0, then + 7, __WASI_FSTFLAGS_MTIM));
    CHECK(stat_of("file").mtim == then + 7 && stat_of("file").atim == then);
    OK(__wasi_path_filestat_set_times(FOLDER, 0, "file", 0, 0,
                                      __WASI_FSTFLAGS_ATIM_NOW | __WASI_FSTFLAGS_MTIM_NOW));
    CHECK(stat_of("file").mtim > then + 1000 * (uint64_t)SECOND);
    ERRNO(__WASI_ERRNO_INVAL, __wasi_fd_filestat_set_times(
                                  fd, then, then, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW));
    OK(__wasi_fd_close(fd));
}

static void descriptors(void)
{
    __wasi_prestat_t prestat;
    __wasi_fdstat_t stat;
    uint8_t name[16];
    OK(__wasi_fd_prestat_get(FOLDER, &prestat));
    CHECK(prestat.tag == __WASI_PREOPENTYPE_DIR && prestat.u.dir.pr_name_len == 5);
    OK(__wasi_fd_prestat_dir_name(FOLDER, name, 5));
    CHECK(memcmp(name, "/data", 5) == 0);
    ERRNO(__WASI_ERRNO_NAMETOOLONG, __wasi_fd_prestat_dir_name(FOLDER, name, 2));
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_prestat_get(FOLDER + 1, &prestat));
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_fdstat_get(FOLDER + 1, &stat));
    OK(__wasi_fd_fdstat_get(FOLDER, &stat));
    CHECK(stat.fs_filetype == __WASI_FILETYPE_DIRECTORY);
    __wasi_fd_t one = create("one"), two = create("two");
    put(one, "1");
    OK(__wasi_fd_renumber(one, two));
    ERRNO(__WASI_ERRNO_BADF, __wasi_fd_fdstat_get(one, &stat));
    put(two, "2");
    CHECK(file_holds("one", "12") && file_holds("two", ""));
    OK(__wasi_fd_fdstat_get(two, &stat));
    CHECK(stat.fs_filetype == __WASI_FILETYPE_REGULAR_FILE);
    OK(__wasi_fd_close(two));
}

/* What was not asked for at the opening is not there later. */
static void rights(void)
{
    __wasi_fd_t fd = 0;
    __wasi_size_t size = 0;
    uint8_t data[8];
    __wasi_iovec_t into = {data, sizeof data};
    __wasi_ciovec_t from = {(const uint8_t *)"x", 1};
    make("file", "content");
    OK(open_as("file", 0, __WASI_RIGHTS_FD_READ, 0, &fd));
    CHECK(__wasi_fd_write(fd, &from, 1, &size) != 0);
    OK(__wasi_fd_read(fd, &into, 1, &size));
    OK(__wasi_fd_close(fd));
    OK(open_as("file", 0, __WASI_RIGHTS_FD_WRITE, 0, &fd));
    CHECK(__wasi_fd_read(fd, &into, 1, &size) != 0);
    OK(__wasi_fd_close(fd));
    CHECK(file_holds("file", "content"));
}

/* More than there may be open is the end of this guest, told by its name. */
static void too_many(void)
{
    __wasi_fd_t fd = 0;
    make("file", "");
    for (int i = 0; i < 300; i++) {
        OK(open_as("file", 0, READ_WRITE, 0, &fd));
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"open_flags", open_flags},
    {"read_and_write", read_and_write},
    {"positions", positions},
    {"at_positions", at_positions},
    {"append", append},
    {"folders", folders},
    {"read_folder", read_folder},
    {"rename_files", rename_files},
    {"hard_links", hard_links},
    {"symbolic_links", symbolic_links},
    {"sizes", sizes},
    {"times", times},
    {"descriptors", descriptors},
    {"rights", rights},
    {"too_many", too_many},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return wrong;
        }
    }
    return 99;
}
