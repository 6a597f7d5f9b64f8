/* Standard input to standard output; the number of bytes to standard error. */
#include <stdio.h>

static char buffer[65536];

int main(void)
{
    unsigned long total = 0;
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, stdin)) > 0; total += got) {
        if (fwrite(buffer, 1, got, stdout) != got) {
            perror("write");
            return 1;
        }
    }
    fprintf(stderr, "%lu bytes\n", total);
    return ferror(stdin) != 0;
}
