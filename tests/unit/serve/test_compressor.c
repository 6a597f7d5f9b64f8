#include "../base/cmocka_all.h"

#include "serve/compressor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SIZE = 200000 };

static const enum encoding BOTH[] = {ENCODING_GZIP, ENCODING_BROTLI};

/* Bytes that cannot be compressed. */
static void fill(uint8_t *data, size_t size)
{
    uint32_t state = 7;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (uint8_t)(state >> 24);
    }
}

static void no_piece_becomes_more_than_its_bound(void **state)
{
    (void)state;
    uint8_t *data = malloc(SIZE);
    assert_non_null(data);
    fill(data, SIZE);
    static const size_t pieces[] = {1, 2, 10, 100, 1000, COMPRESSOR_BITE};
    for (size_t i = 0; i < ARRAY_LENGTH(BOTH) * ARRAY_LENGTH(pieces); i++) {
        size_t piece = pieces[i / 2];
        struct compressor *compressor = compressor_create(BOTH[i % 2], UINT64_MAX);
        assert_non_null(compressor);
        for (size_t at = 0, count = 0; at + piece <= SIZE && count < 500; at += piece, count++) {
            struct bytes out = {0};
            assert_true(compressor_feed(compressor, data + at, piece, false, &out));
            assert_in_range(out.size, 1, compressor_bound(piece));
            bytes_fini(&out);
        }
        struct bytes tail = {0};
        assert_true(compressor_feed(compressor, NULL, 0, true, &tail));
        assert_in_range(tail.size, 1, COMPRESSOR_TAIL_BYTES);
        bytes_fini(&tail);
        compressor_destroy(compressor);
    }
    free(data);
}

static void after_each_piece_all_of_it_can_be_read(void **state)
{
    (void)state;
    struct compressor *compressor = compressor_create(ENCODING_GZIP, UINT64_MAX);
    z_stream inflater = {0};
    assert_int_equal(inflateInit2(&inflater, 31), Z_OK);
    for (int i = 0; i < 100; i++) {
        struct bytes out = {0};
        char text[40], back[40];
        int size = snprintf(text, sizeof(text), "data: %d\n\n", i);
        assert_true(compressor_feed(compressor, text, (size_t)size, false, &out));
        inflater.next_in = out.data;
        inflater.avail_in = (unsigned)out.size;
        inflater.next_out = (Bytef *)back;
        inflater.avail_out = sizeof(back);
        assert_int_equal(inflate(&inflater, Z_SYNC_FLUSH), Z_OK);
        assert_int_equal(sizeof(back) - inflater.avail_out, size);
        assert_memory_equal(back, text, (size_t)size);
        bytes_fini(&out);
    }
    inflateEnd(&inflater);
    compressor_destroy(compressor);
}

static void what_begins_a_body_is_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(BOTH); i++) {
        struct compressor *compressor = compressor_create(BOTH[i], UINT64_MAX);
        struct bytes out = {0};
        assert_true(compressor_begin(compressor, &out));
        assert_in_range(out.size, 1, COMPRESSOR_TAIL_BYTES);
        bytes_fini(&out);
        compressor_destroy(compressor);
    }
}

static void what_it_holds_is_known(void **state)
{
    (void)state;
    uint8_t data[COMPRESSOR_BITE];
    fill(data, sizeof(data));
    for (size_t i = 0; i < ARRAY_LENGTH(BOTH); i++) {
        struct compressor *compressor = compressor_create(BOTH[i], UINT64_MAX);
        struct bytes out = {0};
        for (int piece = 0; piece < 20; piece++) {
            assert_true(compressor_feed(compressor, data, sizeof(data), false, &out));
        }
        size_t cost = compressor_cost_bytes(BOTH[i]);
        assert_in_range(compressor_held_bytes(compressor), cost / 2, cost + cost / 4);
        bytes_fini(&out);
        compressor_destroy(compressor); /* BUG if something was left */

        struct compressor *small = compressor_create(BOTH[i], 100);
        assert_true(compressor_feed(small, data, 100, true, &out));
        assert_true(i == 1 || compressor_held_bytes(small) < cost / 4);
        bytes_fini(&out);
        compressor_destroy(small);
    }
}

static void it_may_be_given_up_at_any_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(BOTH); i++) {
        compressor_destroy(compressor_create(BOTH[i], 0));
        struct compressor *compressor = compressor_create(BOTH[i], 1 << 20);
        struct bytes out = {0};
        assert_true(compressor_feed(compressor, "a", 0, false, &out));
        assert_int_equal(out.size, 0);
        assert_true(compressor_feed(compressor, "a", 1, false, &out));
        compressor_destroy(compressor);
        bytes_fini(&out);
    }
    compressor_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_piece_becomes_more_than_its_bound),
        cmocka_unit_test(after_each_piece_all_of_it_can_be_read),
        cmocka_unit_test(what_begins_a_body_is_small),
        cmocka_unit_test(what_it_holds_is_known),
        cmocka_unit_test(it_may_be_given_up_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
