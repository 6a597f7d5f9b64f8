#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* A block is a header and what QuickJS gets, aligned to 8; its own header, with the count of references, comes first in
 * that (quickjs_settle.h). Up to SMALL_MAX it belongs to a class of its total size; above, libc has it. */
enum { GRAIN = 16, SMALL_MAX = 2048, CLASSES = SMALL_MAX / GRAIN + 1 };
enum { CHUNK = 64 << 10, PAGE = 4096 };
/* Room that is there when an instance starts: what more it takes makes its memory grow, which costs some microseconds. */
enum { ROOM_SMALL = 384 << 10, ROOM_LARGE = 512 << 10 };

struct header {
    size_t usable; /* behind it */
    uint32_t is_free;
};

struct large {
    struct large *previous, *next; /* of those that were made while loading */
    struct header header;
};

struct free_block {
    struct free_block *next;
};

struct chunk {
    struct chunk *next;
    uint8_t *begin, *used; /* `used` of the current one is `fill` */
};

enum { HEADER = sizeof(struct header), LARGE_HEADER = sizeof(struct large) };
_Static_assert(HEADER == 8 && LARGE_HEADER == 16, "what is behind a header is aligned");

static struct free_block *free_blocks[CLASSES];
static uint8_t *fill, *fill_end;
static struct chunk *chunks; /* made while loading */
static struct large *large_blocks;

static struct header *header_of(const void *block)
{
    return (struct header *)((uintptr_t)block - HEADER);
}

static bool is_large(const void *block)
{
    return header_of(block)->usable > SMALL_MAX - HEADER;
}

static bool chunk_new(void)
{
    uint8_t *memory = malloc(CHUNK);
    if (memory == NULL) {
        return false;
    }
    if (!runtime_is_live) {
        if (chunks != NULL) {
            chunks->used = fill;
        }
        struct chunk *chunk = (struct chunk *)(void *)memory;
        *chunk = (struct chunk){chunks, memory + 2 * GRAIN, NULL};
        chunks = chunk;
    }
    fill = memory + 2 * GRAIN;
    fill_end = memory + CHUNK;
    return true;
}

static void *small_new(size_t total)
{
    if ((size_t)(fill_end - fill) < total && !chunk_new()) {
        return NULL;
    }
    uint8_t *block = fill + HEADER;
    fill += total;
    *header_of(block) = (struct header){total - HEADER, false};
    return block;
}

static void large_link(struct large *large)
{
    if (runtime_is_live) {
        large->previous = large->next = NULL;
        return;
    }
    large->previous = NULL;
    large->next = large_blocks;
    if (large_blocks != NULL) {
        large_blocks->previous = large;
    }
    large_blocks = large;
}

static void large_unlink(struct large *large)
{
    if (runtime_is_live) {
        return;
    }
    if (large->previous != NULL) {
        large->previous->next = large->next;
    } else {
        large_blocks = large->next;
    }
    if (large->next != NULL) {
        large->next->previous = large->previous;
    }
}

/* `old`: NULL, or what is to get another size; it is linked nowhere. */
static void *large_new(struct large *old, size_t size)
{
    if (size > SIZE_MAX - LARGE_HEADER) {
        return NULL;
    }
    struct large *large = realloc(old, size + LARGE_HEADER);
    if (large == NULL) {
        return NULL;
    }
    large->header = (struct header){size, false};
    large_link(large);
    return large + 1;
}

static void *memory_malloc(void *opaque, size_t size)
{
    (void)opaque;
    if (size > SMALL_MAX - HEADER) {
        return large_new(NULL, size);
    }
    size_t index = (size + HEADER + GRAIN - 1) / GRAIN;
    struct free_block *block = free_blocks[index];
    if (block != NULL) {
        free_blocks[index] = block->next;
        header_of(block)->is_free = false;
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
    struct header *header = header_of(block);
    if (!runtime_is_live) {
        memset(block, 0, header->usable); /* what is all zero need not be in the image */
    }
    if (is_large(block)) {
        large_unlink((struct large *)block - 1);
        free((struct large *)block - 1);
        return;
    }
    struct free_block *freed = block;
    size_t index = (header->usable + HEADER) / GRAIN;
    header->is_free = true;
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

static void *large_realloc(void *opaque, void *block, size_t size)
{
    struct large *old = (struct large *)block - 1;
    if (runtime_is_live) {
        return large_new(old, size);
    }
    size_t usable = old->header.usable;
    void *moved = large_new(NULL, size);
    if (moved != NULL) {
        memcpy(moved, block, size < usable ? size : usable);
        memory_free(opaque, block); /* which leaves nothing of it for the image */
    }
    return moved;
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
    size_t usable = header_of(block)->usable;
    if (is_large(block) && size > SMALL_MAX - HEADER) {
        return large_realloc(opaque, block, size);
    }
    if (!is_large(block) && size <= usable) {
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
    return block == NULL ? 0 : header_of(block)->usable;
}

const JSMallocFunctions memory_functions = {
    .js_calloc = memory_calloc,
    .js_malloc = memory_malloc,
    .js_free = memory_free,
    .js_realloc = memory_realloc,
    .js_malloc_usable_size = memory_usable,
};

void memory_each(void (*visit)(void *block))
{
    if (chunks != NULL) {
        chunks->used = fill;
    }
    for (struct chunk *chunk = chunks; chunk != NULL; chunk = chunk->next) {
        for (uint8_t *at = chunk->begin; at < chunk->used;
             at += HEADER + header_of(at + HEADER)->usable) {
            if (!header_of(at + HEADER)->is_free) {
                visit(at + HEADER);
            }
        }
    }
    for (struct large *large = large_blocks; large != NULL; large = large->next) {
        visit(large + 1);
    }
}

void memory_settle(void)
{
    memset(free_blocks, 0, sizeof free_blocks);
    uint8_t *room = malloc(ROOM_SMALL + PAGE);
    if (room != NULL) {
        fill = room + (PAGE - (uintptr_t)room % PAGE) % PAGE;
        fill_end = room + ROOM_SMALL + PAGE;
        memset(fill, 0, (size_t)(fill_end - fill));
    }
    void *large = malloc(ROOM_LARGE);
    if (large != NULL) {
        memset(large, 0, ROOM_LARGE);
    }
    free(large);
}
