#include "admin/processes.h"

#include "base/utf8.h"
#include "core/registry.h"
#include "guest/guest.h"

#include <stdlib.h>
#include <string.h>

struct process_name {
    uint64_t pid;
    size_t size_bytes;
    char text[REGISTRY_NAME_BYTES_MAX];
};

static int compare_names(const void *left, const void *right)
{
    const struct process_name *a = left, *b = right;

    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static void add_name(void *argument, const struct registry_key *key, struct pid pid)
{
    struct processes *processes = argument;

    if (processes->name_count == processes->name_capacity) {
        size_t capacity = processes->name_capacity == 0 ? 64 : processes->name_capacity * 2;
        struct process_name *names = reallocarray(processes->names, capacity, sizeof *names);
        if (names == NULL) {
            processes->failed = true;
            return;
        }
        processes->names = names;
        processes->name_capacity = capacity;
    }
    struct process_name *name = &processes->names[processes->name_count++];
    name->pid = pid.raw;
    name->size_bytes = key->name_bytes;
    memcpy(name->text, key->name, key->name_bytes);
}

bool processes_read(struct processes *processes, struct node *node)
{
    enum { SPARE = 256 }; /* spawned between counting and copying */
    size_t max = (size_t)node_counts(node).processes + SPARE;

    max = max < PROCESSES_MAX ? max : PROCESSES_MAX;
    processes->lines = calloc(max, sizeof *processes->lines);
    processes->memory_bytes = calloc(max, sizeof *processes->memory_bytes);
    if (processes->lines == NULL || processes->memory_bytes == NULL) {
        return false;
    }
    processes->count = node_list(node, processes->lines, max);
    for (size_t i = 0; i < processes->count; i++) {
        struct process *process = node_find(node, processes->lines[i].pid);
        if (process != NULL) {
            processes->memory_bytes[i] = guest_memory_bytes(process);
            process_release(process);
        }
    }
    registry_visit(node_registry(node), REGISTRY_NAME, add_name, processes);
    if (processes->name_count > 0) {
        qsort(processes->names, processes->name_count, sizeof *processes->names, compare_names);
    }
    return !processes->failed;
}

void processes_fini(struct processes *processes)
{
    free(processes->lines);
    free(processes->memory_bytes);
    free(processes->names);
    *processes = (struct processes){0};
}

const char *processes_name(const struct processes *processes, size_t line, size_t index,
                           size_t *ret_size_bytes)
{
    uint64_t pid = processes->lines[line].pid.raw;
    size_t low = 0, high = processes->name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (processes->names[middle].pid < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low + index >= processes->name_count || processes->names[low + index].pid != pid) {
        return NULL;
    }
    *ret_size_bytes = processes->names[low + index].size_bytes;
    return processes->names[low + index].text;
}

const char *process_phase_name(enum process_phase phase)
{
    switch (phase) {
    case PHASE_PARKED:
        return "parked";
    case PHASE_QUEUED:
        return "queued";
    case PHASE_RUNNING:
    case PHASE_WOKEN:
        return "running";
    case PHASE_EXITED:
        return "exited";
    }
    BUG("phase %d", (int)phase);
}

bool processes_show(struct bytes *ret, const char *text, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes;) {
        uint32_t point = 0;
        size_t size = utf8_decode(text + at, size_bytes - at, &point);
        bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        if (size > 0 && !control) {
            if (!bytes_append(ret, text + at, size)) {
                return false;
            }
            at += size;
        } else if (!bytes_printf(ret, "\\x%02x", (unsigned char)text[at++])) {
            return false;
        }
    }
    return true;
}
