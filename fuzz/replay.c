/* Runs a fuzz target over the files of its corpus, without libFuzzer: so every build, whatever its
 * compiler, replays as a unit test what the fuzzer once found. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* Give the target one file, in a block of exactly its size so that a sanitizer sees the edge. */
static int replay_file(const char *path, size_t size_bytes)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size_bytes > 0 ? size_bytes : 1);
    int failed = file == NULL || data == NULL || fread(data, 1, size_bytes, file) != size_bytes;
    if (failed) {
        fprintf(stderr, "cannot read %s\n", path);
    } else {
        failed = LLVMFuzzerTestOneInput(data, size_bytes);
    }
    free(data);
    if (file != NULL) {
        fclose(file);
    }
    return failed;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "usage: %s FOLDER, which must be readable\n", argv[0]);
        return 2;
    }
    unsigned long files = 0;
    int failed = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[PATH_MAX];
        struct stat status;
        int length = snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (length < 0 || (size_t)length >= sizeof(path) || stat(path, &status) != 0) {
            fprintf(stderr, "cannot look at %s in %s\n", entry->d_name, argv[1]);
            failed = 1;
        } else if (S_ISREG(status.st_mode)) {
            failed |= replay_file(path, (size_t)status.st_size);
            files++;
        }
    }
    closedir(folder);
    printf("%lu inputs\n", files);
    if (files == 0) {
        fprintf(stderr, "%s holds no input\n", argv[1]);
    }
    return failed || files == 0;
}
