#include "guest/edition.h"

#include <stdlib.h>

struct edition *edition_create(struct engine_image *image, enum pool_class cls, size_t entry_count)
{
    struct edition *edition = malloc(sizeof *edition);
    uint32_t *entries = malloc((entry_count + 1) * sizeof *entries);
    if (edition == NULL || entries == NULL) {
        engine_image_destroy(image);
        free(edition);
        free(entries);
        return NULL;
    }
    *edition = (struct edition){
        .cls = cls, .image = image, .entries = entries, .entry_count = entry_count};
    atomic_init(&edition->references, 1);
    return edition;
}

void edition_retain(struct edition *edition)
{
    /* Relaxed: whoever retains has a reference, or the lock that keeps one. */
    atomic_fetch_add_explicit(&edition->references, 1, memory_order_relaxed);
}

void edition_release(struct edition *edition)
{
    /* Release: what was done with it comes before the end of it, which the acquire of the last one sees. */
    if (edition == NULL ||
        atomic_fetch_sub_explicit(&edition->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    engine_image_destroy(edition->image);
    free(edition->entries);
    free(edition);
}
