#include "manifest/suggest.h"

#include <string.h>

/* Longer names are not compared: no key is nearly so long, and the work grows with the square. */
enum { NAME_MAX_BYTES = 64 };

static char folded(char character)
{
    if (character >= 'A' && character <= 'Z') {
        return (char)(character - 'A' + 'a');
    }
    return character == '_' ? '-' : character;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance_between(const char *a, size_t a_size, const char *b, size_t b_size)
{
    /* Three rows of the usual table: the swap looks two rows back. */
    size_t rows[3][NAME_MAX_BYTES + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_size; j++) {
        before[j] = above[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            char x = folded(a[i - 1]), y = folded(b[j - 1]);
            row[j] = smaller(above[j] + 1, row[j - 1] + 1);
            row[j] = smaller(row[j], above[j - 1] + (x == y ? 0 : 1));
            if (i > 1 && j > 1 && x == folded(b[j - 2]) && y == folded(a[i - 2])) {
                row[j] = smaller(row[j], before[j - 2] + 1);
            }
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_size];
}

struct suggestion suggestion_begin(const char *wrong)
{
    size_t size = strlen(wrong);

    /* One slip is forgiven in every name that has more than one character. */
    return (struct suggestion){
        .wrong = wrong,
        .distance = size < 2 ? 1 : (size < 6 ? 2 : size / 3 + 1),
    };
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
    size_t wrong_size = strlen(suggestion->wrong), size = strlen(candidate);

    if (wrong_size > NAME_MAX_BYTES || size > NAME_MAX_BYTES || suggestion->distance == 0) {
        return;
    }
    size_t distance = distance_between(suggestion->wrong, wrong_size, candidate, size);
    /* A name that has nothing in common with the other is no suggestion, however short both are. */
    if (distance < suggestion->distance && distance < size) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
