/* `file read PATH`, `file write PATH TEXT`, `file list PATH`, `file remove PATH`, `file link TARGET PATH`:
 * one operation on the file system. Status 1 and the reason when it fails. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *path)
{
    perror(path);
    return 1;
}

static int read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return fail(path);
    }
    for (int c; (c = fgetc(file)) != EOF;) {
        putchar(c);
    }
    fclose(file);
    return 0;
}

static int write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        return fail(path);
    }
    return 0;
}

static int list_folder(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return fail(path);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        puts(entry->d_name);
    }
    closedir(dir);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    if (strcmp(argv[1], "read") == 0) {
        return read_file(argv[2]);
    }
    if (strcmp(argv[1], "write") == 0 && argc > 3) {
        return write_file(argv[2], argv[3]);
    }
    if (strcmp(argv[1], "list") == 0) {
        return list_folder(argv[2]);
    }
    if (strcmp(argv[1], "remove") == 0) {
        return remove(argv[2]) == 0 ? 0 : fail(argv[2]);
    }
    if (strcmp(argv[1], "link") == 0 && argc > 3) {
        return symlink(argv[2], argv[3]) == 0 ? 0 : fail(argv[3]);
    }
    return 2;
}
