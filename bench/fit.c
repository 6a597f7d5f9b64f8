/* Gives a guest of this folder the memory that `mote build` would give it:
 *
 *     bench-fit FROM.wasm TO.wasm
 */
#include "cli/footprint.h"

#include <stdio.h>

int main(int count, char **arguments)
{
    enum { GUEST_BYTES_MAX = 1 << 20 };
    AUTO(bytes_finip) struct bytes wasm = {0};
    struct err err = {0};
    uint32_t end_bytes = 0;
    if (count != 3) {
        fprintf(stderr, "usage: bench-fit FROM.wasm TO.wasm\n");
        return 2;
    }
    if (!bytes_read_file(&wasm, arguments[1], GUEST_BYTES_MAX, &err)) {
        fprintf(stderr, "bench-fit: %s\n", err.text);
        return 1;
    }
    if (!footprint_take(&wasm, &end_bytes) || !footprint_fit(&wasm, end_bytes)) {
        fprintf(stderr, "bench-fit: the memory of %s cannot be made smaller\n", arguments[1]);
        return 1;
    }
    FILE *to = fopen(arguments[2], "wb");
    if (to == NULL) {
        perror(arguments[2]);
        return 1;
    }
    bool written = fwrite(wasm.data, 1, wasm.size, to) == wasm.size;
    return fclose(to) == 0 && written ? 0 : 1;
}
