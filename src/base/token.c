#include "base/token.h"

#define LETTERS(from) [from] = true, [from + 1] = true, [from + 2] = true, [from + 3] = true
#define DIGITS8(from) LETTERS(from), LETTERS(from + 4)

const bool token_bytes[256] = {
    DIGITS8('a'),  DIGITS8('i'), DIGITS8('q'), ['y'] = true, ['z'] = true, DIGITS8('A'),
    DIGITS8('I'),  DIGITS8('Q'), ['Y'] = true, ['Z'] = true, DIGITS8('0'), ['8'] = true,
    ['9'] = true,  ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
    ['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true,
    ['_'] = true,  ['`'] = true, ['|'] = true, ['~'] = true,
};

bool token_is_valid(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (!token_is_byte(text[i])) {
            return false;
        }
    }
    return size_bytes > 0;
}

bool token_is_value(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}
