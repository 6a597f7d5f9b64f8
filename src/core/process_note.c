#include "core/process.h"

#include <string.h>

/* Words, so that readers need no lock. Relaxed: what they hold stands for nothing else. */

void process_set_note(struct process *process, const char *text, size_t size_bytes)
{
    char bytes[PROCESS_NOTE_BYTES] = {0};
    memcpy(bytes, text, size_bytes < sizeof(bytes) ? size_bytes : sizeof(bytes) - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(process->note); i++) {
        uint64_t word;
        memcpy(&word, bytes + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&process->note[i], word, memory_order_relaxed);
    }
}

void process_note(const struct process *process, char ret[PROCESS_NOTE_BYTES])
{
    for (size_t i = 0; i < ARRAY_LENGTH(process->note); i++) {
        uint64_t word = atomic_load_explicit(&process->note[i], memory_order_relaxed);
        memcpy(ret + i * sizeof(word), &word, sizeof(word));
    }
    ret[PROCESS_NOTE_BYTES - 1] = '\0';
}
