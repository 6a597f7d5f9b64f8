/* `say BYTES`: that many bytes of output, in lines of 64. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    unsigned long bytes = argc > 1 ? strtod(argv[1], NULL) : 0;
    for (unsigned long i = 0; i < bytes; i++) {
        if (putchar(i % 64 == 63 ? '\n' : 'a' + (char)(i % 26)) == EOF) {
            return 1;
        }
    }
    return fflush(stdout) != 0;
}
