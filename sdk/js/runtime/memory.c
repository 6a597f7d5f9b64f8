#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* A block is 8 bytes of header (its usable size) and what the caller gets, aligned to 8. Up to SMALL_MAX it belongs to a
 * class of its total size; above, libc has it. */
enum { HEADER = 8, GRAIN = 16, SMALL_MAX = 2048, CLASSES = SMALL_MAX / GRAIN + 1 };
enum { CHUNK = 64 << 10, PAGE = 4096 };
/* Room that is there when an instance starts: what more it takes makes its memory grow, which costs some microseconds. */
enum { ROOM_SMALL = 384 << 10, ROOM_LARGE = 512 << 10 };

struct free_block {
    struct free_block *next;
};

static struct free_block *free_blocks[CLASSES];
static uint8_t *chunk, *chunk_end;

static size_t *header_of(void *block)
{
    return (size_t *)(void *)((uint8_t *)block - HEADER);
}

static void *small_new(size_t total)
{
    if ((size_t)(chunk_end - chunk) < total) {
        uint8_t *fresh = malloc(CHUNK);
        if (fresh == NULL) {
            return NULL;
        }
        chunk = fresh;
        chunk_end = fresh + CHUNK;
    }
    uint8_t *block = chunk + HEADER;
    chunk += total;
    *header_of(block) = total - HEADER;
    return block;
}

static void *memory_malloc(void *opaque, size_t size)
{
    (void)opaque;
    if (size > SMALL_MAX - HEADER) {
        if (size > SIZE_MAX - HEADER) {
            return NULL;
        }
        uint8_t *base = malloc(size + HEADER);
        if (base == NULL) {
            return NULL;
        }
        *header_of(base + HEADER) = size;
        return base + HEADER;
    }
    size_t index = (size + HEADER + GRAIN - 1) / GRAIN;
    struct free_block *block = free_blocks[index];
    if (block != NULL) {
        free_blocks[index] = block->next;
        return block;
    }
    return small_new(index * GRAIN);
}

static void memory_free(void *opaque, void *block)
{
    (void)opaque;
    if (block == NULL) {
        return;
    }
    size_t usable = *header_of(block);
    if (!runtime_is_live) {
        memset(block, 0, usable); /* what is all zero need not be in the image */
    }
    if (usable > SMALL_MAX - HEADER) {
        free((uint8_t *)block - HEADER);
        return;
    }
    size_t index = (usable + HEADER) / GRAIN;
    struct free_block *freed = block;
    freed->next = free_blocks[index];
    free_blocks[index] = freed;
}

static void *memory_calloc(void *opaque, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    void *block = memory_malloc(opaque, total);
    if (block != NULL) {
        memset(block, 0, total);
    }
    return block;
}

static void *memory_realloc(void *opaque, void *block, size_t size)
{
    if (block == NULL) {
        return memory_malloc(opaque, size);
    }
    if (size == 0) {
        memory_free(opaque, block);
        return NULL;
    }
    size_t usable = *header_of(block);
    if (usable > SMALL_MAX - HEADER && size > SMALL_MAX - HEADER) {
        if (size > SIZE_MAX - HEADER) {
            return NULL;
        }
        uint8_t *base = realloc((uint8_t *)block - HEADER, size + HEADER);
        if (base == NULL) {
            return NULL;
        }
        *header_of(base + HEADER) = size;
        return base + HEADER;
    }
    if (usable <= SMALL_MAX - HEADER && size <= usable) {
        return block;
    }
    void *moved = memory_malloc(opaque, size);
    if (moved != NULL) {
        memcpy(moved, block, size < usable ? size : usable);
        memory_free(opaque, block);
    }
    return moved;
}

static size_t memory_usable(const void *block)
{
    return block == NULL ? 0 : *(const size_t *)(const void *)((const uint8_t *)block - HEADER);
}

const JSMallocFunctions memory_functions = {
    .js_calloc = memory_calloc,
    .js_malloc = memory_malloc,
    .js_free = memory_free,
    .js_realloc = memory_realloc,
    .js_malloc_usable_size = memory_usable,
};

void memory_settle(void)
{
    memset(free_blocks, 0, sizeof free_blocks);
    uint8_t *room = malloc(ROOM_SMALL + PAGE);
    if (room != NULL) {
        chunk = room + (PAGE - (uintptr_t)room % PAGE) % PAGE;
        chunk_end = room + ROOM_SMALL + PAGE;
        memset(chunk, 0, (size_t)(chunk_end - chunk));
    }
    void *large = malloc(ROOM_LARGE);
    if (large != NULL) {
        memset(large, 0, ROOM_LARGE);
    }
    free(large);
}
