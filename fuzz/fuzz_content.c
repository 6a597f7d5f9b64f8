/* What a client says of the content that it wants: whatever it writes in Accept-Encoding, Range, conditional headers and
 * dates, the answer is one that may be given. Input: a line each, the first byte tells which. */
#include "serve/conditional.h"
#include "serve/encoding.h"
#include "serve/http_date.h"
#include "serve/range.h"
#include "serve/static_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

enum { LINES_MAX = 16 };

static const char *const NAMES[] = {
    "accept-encoding",     "if-match", "if-none-match", "if-modified-since",
    "if-unmodified-since", "if-range", "range"};

static void check_encoding(const struct request *request)
{
    static const enum encoding offered[] = {ENCODING_BROTLI, ENCODING_GZIP};
    enum encoding both = encoding_choose(request->headers, request->header_count, offered, 2);
    enum encoding one = encoding_choose(request->headers, request->header_count, offered, 1);
    INVARIANT(one == ENCODING_IDENTITY || one == ENCODING_BROTLI);
    INVARIANT(one == ENCODING_IDENTITY || both != ENCODING_IDENTITY);
}

static void check_range(struct text value)
{
    static const uint64_t sizes[] = {0, 1, 1000, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct range range = {0, 0};
        if (range_parse(value, sizes[i], &range) == RANGE_PART) {
            INVARIANT(range.length > 0 && range.offset < sizes[i] &&
                      range.length <= sizes[i] - range.offset);
        }
    }
}

static void check_date(struct text value)
{
    char text[HTTP_DATE_BYTES + 1];
    int64_t seconds = http_date_parse(value, 1000000000);
    INVARIANT(seconds >= -1);
    if (seconds >= 0) {
        http_date_format(seconds, text);
        INVARIANT(http_date_parse((struct text){text, HTTP_DATE_BYTES}, 0) == seconds);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const struct validators validators = {
        .etag = "\"a\"", .modified_s = 784111777, .now_s = 1000000000};
    struct header headers[LINES_MAX];
    size_t count = 0;
    const char *at = (const char *)data, *end = at + size_bytes;
    while (at < end && count < LINES_MAX) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;
        if (stop > at) {
            const char *name = NAMES[(unsigned char)*at % ARRAY_LENGTH(NAMES)];
            struct text value = {at + 1, (size_t)(stop - at - 1)};
            headers[count++] = (struct header){{name, strlen(name)}, value};
            check_range(value);
            check_date(value);
            (void)static_path_is_valid(value.data, value.size, false);
        }
        at = stop + 1;
    }
    struct request request = {.headers = headers, .header_count = count};
    check_encoding(&request);
    (void)conditional_check(&request, &validators);
    (void)conditional_range_counts(&request, &validators);
    return 0;
}
