#include "guest/handle.h"

#include "guest/abi.h"
#include "guest/guest_internal.h"

#include <stdlib.h>

/* A number is generation << INDEX_BITS | index: above 0, because generations are from 1 to GENERATION_MAX. */
enum { INDEX_BITS = 16, GENERATION_MAX = INT32_MAX >> INDEX_BITS, SLOTS_FIRST = 4 };

/* A place for an end; in use when there is one. */
struct slot {
    struct cargo *cargo;
    uint32_t generation; /* of the number that it has or had */
    uint32_t next_free;  /* index + 1; 0: the last */
};

struct handle_table {
    uint32_t count;      /* in use */
    uint32_t capacity;   /* slots */
    uint32_t first_free; /* index + 1; 0: none */
    struct slot *slots;
    size_t progress; /* see handle_progress() */
};

static struct slot *slot_of(struct guest *guest, int32_t handle)
{
    struct handle_table *table = guest->handles;
    uint32_t index = (uint32_t)handle & ((1U << INDEX_BITS) - 1);
    if (table == NULL || handle <= 0 || index >= table->capacity) {
        return NULL;
    }
    struct slot *slot = &table->slots[index];
    bool same = slot->generation == (uint32_t)handle >> INDEX_BITS;
    return same && slot->cargo != NULL ? slot : NULL;
}

static void slot_free(struct handle_table *table, struct slot *slot)
{
    slot->cargo = NULL;
    slot->next_free = table->first_free;
    table->first_free = (uint32_t)(slot - table->slots) + 1;
    table->count--;
}

static bool table_grow(struct handle_table *table)
{
    uint32_t capacity = table->capacity == 0 ? SLOTS_FIRST : table->capacity * 2;
    struct slot *slots = realloc(table->slots, capacity * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = capacity; i > table->capacity; i--) {
        slots[i - 1] = (struct slot){.next_free = table->first_free};
        table->first_free = i;
    }
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

bool handle_has_room(const struct guest *guest, uint32_t more)
{
    uint32_t most = guest->grant->streams_max;
    most = most < HANDLES_MAX ? most : HANDLES_MAX;
    return handle_count(guest) <= most && more <= most - handle_count(guest);
}

int32_t handle_accept(struct guest *guest, struct cargo *cargo)
{
    if (!handle_has_room(guest, 1)) {
        return ABI_LIMIT;
    }
    if (guest->handles == NULL) {
        guest->handles = calloc(1, sizeof *guest->handles);
        if (guest->handles == NULL) {
            return ABI_NO_MEMORY;
        }
    }
    struct handle_table *table = guest->handles;
    if (table->first_free == 0 && !table_grow(table)) {
        return ABI_NO_MEMORY;
    }
    uint32_t index = table->first_free - 1;
    struct slot *slot = &table->slots[index];
    table->first_free = slot->next_free;
    table->count++;
    slot->generation = slot->generation == GENERATION_MAX ? 1 : slot->generation + 1;
    slot->cargo = cargo;
    pipe_set_owner(pipe_end_of(cargo), &guest->process);
    return (int32_t)(slot->generation << INDEX_BITS | index);
}

struct pipe_end *handle_find(struct guest *guest, int32_t handle)
{
    struct slot *slot = slot_of(guest, handle);
    return slot != NULL ? pipe_end_of(slot->cargo) : NULL;
}

struct cargo *handle_take(struct guest *guest, int32_t handle)
{
    struct slot *slot = slot_of(guest, handle);
    if (slot == NULL) {
        return NULL;
    }
    struct cargo *cargo = slot->cargo;
    pipe_set_owner(pipe_end_of(cargo), NULL);
    slot_free(guest->handles, slot);
    return cargo;
}

void handle_restore(struct guest *guest, int32_t handle, struct cargo *cargo)
{
    struct handle_table *table = guest->handles;
    uint32_t index = (uint32_t)handle & ((1U << INDEX_BITS) - 1);
    struct slot *slot = &table->slots[index];
    INVARIANT(table->first_free == index + 1 && slot->generation == (uint32_t)handle >> INDEX_BITS);
    table->first_free = slot->next_free;
    table->count++;
    slot->cargo = cargo;
    pipe_set_owner(pipe_end_of(cargo), &guest->process);
}

int32_t handle_ready(struct guest *guest, int32_t handle, uint32_t wanted)
{
    struct pipe_end *end = handle_find(guest, handle);
    if (end == NULL) {
        return ABI_NOT_FOUND;
    }
    if (end->writes) {
        bool look = (wanted & HANDLE_WRITABLE) != 0;
        return look && stream_is_writable(pipe_stream(end)) ? HANDLE_WRITABLE : 0;
    }
    bool look = (wanted & HANDLE_READABLE) != 0;
    return look && stream_is_readable(pipe_stream(end)) ? HANDLE_READABLE : 0;
}

size_t *handle_progress(struct guest *guest)
{
    INVARIANT(guest->handles != NULL);
    return &guest->handles->progress;
}

uint32_t handle_count(const struct guest *guest)
{
    return guest->handles != NULL ? guest->handles->count : 0;
}

void handle_close_all(struct guest *guest)
{
    struct handle_table *table = TAKE(guest->handles);
    if (table == NULL) {
        return;
    }
    for (uint32_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].cargo != NULL) {
            pipe_finish(pipe_end_of(table->slots[i].cargo), false, PIPE_NO_REASON);
        }
    }
    free(table->slots);
    free(table);
}
