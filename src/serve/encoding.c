#include "serve/encoding.h"

#include "serve/field.h"

#include <string.h>

/* Weights in thousandths. */
enum { NOT_NAMED = -1, WEIGHT_FULL = 1000 };

struct wishes {
    int weights[ENCODING_COUNT];
    int others; /* "*" */
};

static const char *const NAMES[ENCODING_COUNT] = {
    [ENCODING_IDENTITY] = "identity",
    [ENCODING_GZIP] = "gzip",
    [ENCODING_BROTLI] = "br",
};

const char *encoding_name(enum encoding encoding)
{
    return NAMES[encoding];
}

enum encoding encoding_of_name(const char *name)
{
    for (int i = 0; i < ENCODING_COUNT; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            return (enum encoding)i;
        }
    }
    return ENCODING_IDENTITY;
}

/* "0", "0.5", "1.000"; -1: malformed (RFC 9110, 12.4.2). */
static int weight_parse(struct text text)
{
    if (text.size == 0 || text.size > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.size > 1 && text.data[1] != '.')) {
        return -1;
    }
    int weight = (text.data[0] - '0') * WEIGHT_FULL;
    int place = WEIGHT_FULL / 10;
    for (size_t i = 2; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }
        weight += (text.data[i] - '0') * place;
        place /= 10;
    }
    return weight <= WEIGHT_FULL ? weight : -1;
}

/* The piece before the next ";", without white space around it. */
static struct text take_part(struct text *rest)
{
    const char *semicolon = memchr(rest->data, ';', rest->size);
    size_t size = semicolon == NULL ? rest->size : (size_t)(semicolon - rest->data);
    struct text part = field_trim((struct text){rest->data, size});
    size_t taken = semicolon == NULL ? size : size + 1;
    *rest = (struct text){rest->data + taken, rest->size - taken};
    return part;
}

static void take_wish(struct wishes *wishes, struct text element)
{
    struct text name = take_part(&element);
    int weight = WEIGHT_FULL;
    while (element.size > 0) {
        struct text parameter = take_part(&element);
        if (parameter.size < 2 || (parameter.data[0] | 0x20) != 'q' || parameter.data[1] != '=') {
            return;
        }
        weight = weight_parse((struct text){parameter.data + 2, parameter.size - 2});
        if (weight < 0) {
            return;
        }
    }
    if (text_equal(name, "*")) {
        wishes->others = weight;
    } else if (text_equal_nocase(name, "x-gzip", 6)) {
        wishes->weights[ENCODING_GZIP] = weight;
    }
    for (int i = 0; i < ENCODING_COUNT; i++) {
        if (text_equal_nocase(name, NAMES[i], strlen(NAMES[i]))) {
            wishes->weights[i] = weight;
        }
    }
}

enum encoding encoding_choose(const struct header *headers, size_t header_count,
                              const enum encoding *offered, size_t offered_count)
{
    struct wishes wishes = {.weights = {NOT_NAMED, NOT_NAMED, NOT_NAMED}, .others = NOT_NAMED};
    for (size_t i = 0; i < header_count; i++) {
        if (!text_equal_nocase(headers[i].name, "accept-encoding", 15)) {
            continue;
        }
        struct text rest = headers[i].value, element;
        while (field_list_next(&rest, &element)) {
            take_wish(&wishes, element);
        }
    }
    enum encoding best = ENCODING_IDENTITY;
    int best_weight = wishes.weights[ENCODING_IDENTITY] > 0 ? wishes.weights[ENCODING_IDENTITY] - 1
                                                            : 0;
    for (size_t i = 0; i < offered_count; i++) {
        int named = wishes.weights[offered[i]];
        int weight = named != NOT_NAMED ? named : wishes.others;
        if (weight > best_weight) {
            best_weight = weight;
            best = offered[i];
        }
    }
    return best;
}
