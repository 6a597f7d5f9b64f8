#include "core/process.h"

#include <stdlib.h>
#include <string.h>

/* Of the few processes that say something of themselves. Words, so that readers need no lock. Relaxed: what they hold stands
 * for nothing else. Freed with the process. */
struct process_note {
    atomic_uint_least64_t words[PROCESS_NOTE_BYTES / 8];
};

bool process_set_note(struct process *process, const char *text, size_t size_bytes)
{
    struct process_note *note = atomic_load_explicit(&process->note, memory_order_relaxed);
    bool is_new = note == NULL;
    if (is_new) {
        note = malloc(sizeof(*note));
        if (note == NULL) {
            return false;
        }
    }
    char bytes[PROCESS_NOTE_BYTES] = {0};
    memcpy(bytes, text, size_bytes < sizeof(bytes) ? size_bytes : sizeof(bytes) - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(note->words); i++) {
        uint64_t word;
        memcpy(&word, bytes + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&note->words[i], word, memory_order_relaxed);
    }
    if (is_new) {
        /* Release: the words pair with the acquire in process_note(). */
        atomic_store_explicit(&process->note, note, memory_order_release);
    }
    return true;
}

void process_note(const struct process *process, char ret[PROCESS_NOTE_BYTES])
{
    const struct process_note *note = atomic_load_explicit(&process->note, memory_order_acquire);
    memset(ret, 0, PROCESS_NOTE_BYTES);
    if (note == NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(note->words); i++) {
        uint64_t word = atomic_load_explicit(&note->words[i], memory_order_relaxed);
        memcpy(ret + i * sizeof(word), &word, sizeof(word));
    }
    ret[PROCESS_NOTE_BYTES - 1] = '\0';
}
