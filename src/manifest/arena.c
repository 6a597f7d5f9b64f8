#include "manifest/arena.h"

#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    max_align_t data[];
};

void arena_fini(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

void *arena_alloc(struct arena *arena, size_t count, size_t size_bytes)
{
    size_t total;

    if (__builtin_mul_overflow(count, size_bytes, &total) ||
        __builtin_add_overflow(total, sizeof(struct arena_block), &total)) {
        return NULL;
    }
    struct arena_block *block = calloc(1, total);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

char *arena_copy(struct arena *arena, const char *text, size_t size_bytes)
{
    char *copy = arena_alloc(arena, size_bytes + 1, 1);

    if (copy != NULL && size_bytes > 0) {
        memcpy(copy, text, size_bytes);
    }
    return copy;
}
