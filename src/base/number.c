#include "base/number.h"

#include <string.h>

bool number_parse(const char *text, size_t size_bytes, uint64_t max, uint64_t *ret)
{
    if (size_bytes == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > max || value > (max - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

size_t number_format(uint64_t value, char *ret)
{
    char reversed[20];
    size_t length = 0;
    do {
        reversed[sizeof(reversed) - ++length] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    memcpy(ret, reversed + sizeof(reversed) - length, length);
    return length;
}
