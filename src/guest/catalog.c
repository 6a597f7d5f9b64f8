#include "guest/catalog.h"

#include <stdlib.h>
#include <string.h>

struct catalog {
    size_t count;
    struct catalog_line lines[]; /* by name */
};

static int compare_lines(const void *left, const void *right)
{
    const struct catalog_line *a = left;
    const struct catalog_line *b = right;
    return strcmp(a->name, b->name);
}

struct catalog *catalog_create(const struct catalog_line *lines, size_t count, struct err *err)
{
    struct catalog *catalog = calloc(1, sizeof *catalog + count * sizeof catalog->lines[0]);
    if (catalog == NULL) {
        (void)err_set_memory(err);
        return NULL;
    }
    catalog->count = count;
    if (count > 0) {
        memcpy(catalog->lines, lines, count * sizeof catalog->lines[0]);
        qsort(catalog->lines, count, sizeof catalog->lines[0], compare_lines);
    }
    for (size_t i = 1; i < count; i++) {
        if (strcmp(catalog->lines[i - 1].name, catalog->lines[i].name) == 0) {
            (void)err_set(err, ERR_EXISTS, "two components are called '%s'",
                          catalog->lines[i].name);
            free(catalog);
            return NULL;
        }
    }
    return catalog;
}

void catalog_destroy(struct catalog *catalog)
{
    free(catalog);
}

/* Names from guests may hold anything, zero bytes too, and are not terminated. */
static int compare_name(const char *name, size_t name_bytes, const char *with)
{
    size_t with_bytes = strlen(with);
    size_t common = name_bytes < with_bytes ? name_bytes : with_bytes;
    int order = common > 0 ? memcmp(name, with, common) : 0;
    return order != 0 ? order : (name_bytes > with_bytes) - (name_bytes < with_bytes);
}

const struct catalog_line *catalog_find(const struct catalog *catalog, const char *name,
                                        size_t name_bytes)
{
    size_t low = 0;
    size_t high = catalog->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_name(name, name_bytes, catalog->lines[middle].name);
        if (order == 0) {
            return &catalog->lines[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}
