#include "serve/percent.h"

#include <string.h>

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

int percent_next(struct percent_reader *reader)
{
    struct text *rest = &reader->rest;
    if (rest->size == 0) {
        return PERCENT_END;
    }
    int byte = (unsigned char)rest->data[0];
    size_t step = 1;
    if (byte == '%') {
        int high = rest->size < 3 ? -1 : digit_value(rest->data[1]);
        int low = rest->size < 3 ? -1 : digit_value(rest->data[2]);
        if (high < 0 || low < 0) {
            return PERCENT_BAD;
        }
        byte = high << 4 | low;
        step = 3;
    } else if (byte == '+' && reader->plus_is_space) {
        byte = ' ';
    }
    rest->data += step;
    rest->size -= step;
    return byte;
}

int64_t percent_decode_path(struct text text, char *ret)
{
    if (text.size == 0) {
        return 0;
    }
    if (memchr(text.data, '%', text.size) == NULL) {
        memcpy(ret, text.data, text.size);
        return (int64_t)text.size;
    }
    struct percent_reader reader = percent_begin(text, false);
    int64_t size = 0;
    int byte;
    while ((byte = percent_next(&reader)) > 0) {
        ret[size++] = (char)byte;
    }
    return byte == PERCENT_END ? size : -1;
}
