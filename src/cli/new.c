#include "base/bytes.h"
#include "cli/command.h"
#include "cli/templates.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK "__NAME__"
#define COMMON "common"
#define SUMMARY "template.txt"

enum { NAME_BYTES_MAX = 64, PATH_BYTES = 4096 };

/* What is wanted. */
struct order {
    const char *folder; /* where it goes */
    const char *name;   /* of the app: the last part of that */
    const char *language, *template;
};

/* ---- what there is ---- */

/* Whether a file is that template's: then `ret` is its path within. */
static bool belongs(const struct embedded *file, const char *language, const char *template,
                    const char **ret)
{
    size_t first = strlen(language), second = strlen(template);
    if (strncmp(file->path, language, first) != 0 || file->path[first] != '/' ||
        strncmp(file->path + first + 1, template, second) != 0 ||
        file->path[first + 1 + second] != '/') {
        return false;
    }
    *ret = file->path + first + second + 2;
    return true;
}

static const struct embedded *find_template(const char *language, const char *template)
{
    const char *inside;
    for (const struct embedded *file = templates; file->path != NULL; file++) {
        if (belongs(file, language, template, &inside) && strcmp(inside, SUMMARY) == 0) {
            return file;
        }
    }
    return NULL;
}

/* A line for each, such as "  c       hello   one route". */
static void print_templates(FILE *to)
{
    for (const struct embedded *file = templates; file->path != NULL; file++) {
        const char *slash = strchr(file->path, '/');
        const char *next = slash == NULL ? NULL : strchr(slash + 1, '/');
        if (next != NULL && strcmp(next + 1, SUMMARY) == 0) {
            fprintf(to, "  %-12.*s %-8.*s %.*s\n", (int)(slash - file->path), file->path,
                    (int)(next - slash - 1), slash + 1,
                    (int)strcspn((const char *)file->data, "\n"), (const char *)file->data);
        }
    }
}

static void print_help(void)
{
    puts("usage: mote new NAME [--lang LANGUAGE] [--template TEMPLATE]\n\n"
         "Makes a small complete app in the new folder NAME: manifest, sources, tests, README. A\n"
         "folder that has something in it is left as it is. The app is called like the last part "
         "of\n"
         "NAME: 1 to 64 letters, digits, '-' and '_', a letter first.\n\n"
         "  --lang LANGUAGE      c when not given\n"
         "  --template TEMPLATE  hello when not given\n");
    print_templates(stdout);
}

/* ---- making it ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > NAME_BYTES_MAX || !is_letter(name[0])) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9') && name[i] != '-' &&
            name[i] != '_') {
            return false;
        }
    }
    return true;
}

static bool append_named(struct bytes *to, const char *text, size_t size, const char *name)
{
    bool good = true;
    while (good && size > 0) {
        const char *mark = memmem(text, size, MARK, strlen(MARK));
        size_t before = mark == NULL ? size : (size_t)(mark - text);
        good = bytes_append(to, text, before) &&
               (mark == NULL || bytes_append(to, name, strlen(name)));
        size_t taken = mark == NULL ? size : before + strlen(MARK);
        text += taken;
        size -= taken;
    }
    return good;
}

/* Where a template's file goes, terminated. */
static bool append_path(struct bytes *to, const char *inside, const struct order *order)
{
    bool good = bytes_printf(to, "%s", order->folder);
    while (good && *inside != '\0') {
        size_t size = strcspn(inside, "/");
        bool dotted = strncmp(inside, "dot-", 4) == 0;
        size_t skipped = dotted ? 4 : 0;
        good = bytes_printf(to, dotted ? "/." : "/") &&
               append_named(to, inside + skipped, size - skipped, order->name);
        inside += size + (inside[size] == '/' ? 1 : 0);
    }
    return good && bytes_terminate(to);
}

static bool make_folders(char *path, struct err *err)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        int os = errno;
        if (!made) {
            return err_set_os(err, os, "make folder %s", path);
        }
        *slash = '/';
    }
    return true;
}

/* Never over one that is there. */
static bool write_new(const char *path, const struct bytes *content, struct err *err)
{
    bool program = content->size > 2 && memcmp(content->data, "#!", 2) == 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  program ? 0777 : 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool good = file != NULL && fwrite(content->data, 1, content->size, file) == content->size;
    int os = errno;
    if (file != NULL && fclose(file) != 0 && good) {
        good = false;
        os = errno;
    } else if (file == NULL && fd >= 0) {
        close(fd);
    }
    return good || err_set_os(err, os, "write %s", path);
}

static bool copy_file(const struct embedded *file, const char *inside, const struct order *order,
                      struct err *err)
{
    AUTO(bytes_finip) struct bytes path = {0}, content = {0};
    if (!append_path(&path, inside, order) ||
        !append_named(&content, (const char *)file->data, file->size_bytes, order->name)) {
        return err_set_memory(err);
    }
    return make_folders((char *)path.data, err) && write_new((char *)path.data, &content, err);
}

/* Not there, or a folder without anything in it. */
static bool check_empty(const char *folder, struct err *err)
{
    struct stat info;
    if (lstat(folder, &info) != 0) {
        return errno == ENOENT || err_set_os(err, errno, "%s", folder);
    }
    DIR *dir = S_ISDIR(info.st_mode) ? opendir(folder) : NULL;
    if (dir == NULL) {
        return err_set(err, ERR_EXISTS, "%s is there already, and no folder that can be read",
                       folder);
    }
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(dir)) != NULL;) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(dir);
    return empty ||
           err_set(err, ERR_EXISTS, "%s is there already, and has something in it", folder);
}

static bool make(const struct order *order, struct err *err)
{
    const char *inside;
    if (!check_empty(order->folder, err)) {
        return false;
    }
    for (const struct embedded *file = templates; file->path != NULL; file++) {
        bool its = belongs(file, order->language, order->template, &inside) ||
                   belongs(file, order->language, COMMON, &inside);
        if (its && strcmp(inside, SUMMARY) != 0 && !copy_file(file, inside, order, err)) {
            return false;
        }
    }
    return true;
}

static int complain_of(const struct order *order)
{
    fprintf(stderr, "mote new: there is no template '%s' for '%s'; there are\n", order->template,
            order->language);
    print_templates(stderr);
    return STATUS_USAGE;
}

/* The name without slashes at its end. */
static bool read_name(const char *word, char folder[PATH_BYTES], struct order *order)
{
    size_t size = strlen(word);
    while (size > 1 && word[size - 1] == '/') {
        size--;
    }
    if (size >= PATH_BYTES / 2) {
        return false;
    }
    memcpy(folder, word, size);
    folder[size] = '\0';
    const char *slash = strrchr(folder, '/');
    order->folder = folder;
    order->name = slash == NULL ? folder : slash + 1;
    return is_name(order->name);
}

int command_new(int argc, char **argv)
{
    static const struct option longs[] = {{"lang", required_argument, NULL, 'l'},
                                          {"template", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct order order = {.language = "c", .template = "hello"};
    char folder[PATH_BYTES];
    struct err err = {0};
    for (int option; (option = getopt_long(argc, argv, "l:t:h", longs, NULL)) != -1;) {
        switch (option) {
        case 'l':
            order.language = optarg;
            break;
        case 't':
            order.template = optarg;
            break;
        case 'h':
            print_help();
            return STATUS_OK;
        default: /* getopt has said what is wrong */
            return STATUS_USAGE;
        }
    }
    if (argc - optind != 1) {
        return usage_error("new", "one NAME");
    }
    if (!read_name(argv[optind], folder, &order)) {
        return usage_error("new",
                           "'%s' is no name for an app: 1 to 64 letters, digits, '-' and "
                           "'_', a letter first",
                           argv[optind]);
    }
    if (find_template(order.language, order.template) == NULL) {
        return complain_of(&order);
    }
    if (!make(&order, &err)) {
        fprintf(stderr, "mote new: %s\n", err.text);
        return STATUS_FAILED;
    }
    printf("%s: made of the template %s in %s. Next:\n\n"
           "  cd %s\n"
           "  mote dev     # builds, serves, and takes every change\n"
           "  mote test    # runs its tests\n",
           order.folder, order.template, order.language, order.folder);
    return STATUS_OK;
}
