#include "cmocka_all.h"

#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void what_is_appended_comes_out_in_order(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes bytes = {0};
    assert_true(bytes_append(&bytes, "hello", 5));
    assert_true(bytes_append(&bytes, " world", 6));
    bytes_consume(&bytes, 6);
    assert_int_equal(bytes.size, 5);
    assert_memory_equal(bytes.data, "world", 5);
}

static void a_long_lived_buffer_reuses_the_room_of_what_was_consumed(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes bytes = {0};
    unsigned char next_in = 0;
    unsigned char next_out = 0;
    for (int round = 0; round < 100000; round++) {
        unsigned char chunk[7];
        for (size_t i = 0; i < sizeof(chunk); i++) {
            chunk[i] = next_in++;
        }
        assert_true(bytes_append(&bytes, chunk, sizeof(chunk)));
        while (bytes.size > 20) {
            assert_int_equal(bytes.data[0], next_out);
            next_out++;
            bytes_consume(&bytes, 1);
        }
    }
    assert_true(bytes.capacity <= 256);
}

static void reserving_keeps_the_content(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes bytes = {0};
    assert_true(bytes_append(&bytes, "0123456789", 10));
    bytes_consume(&bytes, 4);
    assert_true(bytes_reserve(&bytes, 100000));
    assert_int_equal(bytes.size, 6);
    assert_memory_equal(bytes.data, "456789", 6);
    assert_true((size_t)(bytes.storage + bytes.capacity - bytes.data) >= 100006);
}

static void more_memory_than_there_can_be_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes bytes = {0};
    assert_true(bytes_append(&bytes, "abc", 3));
    assert_false(bytes_reserve(&bytes, SIZE_MAX - 1));
    assert_false(bytes_reserve(&bytes, SIZE_MAX / 2));
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "abc", 3);
}

static void clearing_keeps_the_storage(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes bytes = {0};
    assert_true(bytes_append(&bytes, "abc", 3));
    const uint8_t *storage = bytes.storage;
    bytes_consume(&bytes, 1);
    bytes_clear(&bytes);
    assert_int_equal(bytes.size, 0);
    assert_ptr_equal(bytes.data, storage);
}

static void formatted_text_and_its_terminator(void **state)
{
    (void)state;
    AUTO(bytes_finip) struct bytes bytes = {0};
    assert_true(bytes_printf(&bytes, "%s=%d", "a", 1));
    assert_true(bytes_printf(&bytes, "%s", ""));
    assert_true(bytes_printf(&bytes, ",%0100d", 7));
    assert_int_equal(bytes.size, 3 + 1 + 100);
    assert_true(bytes_terminate(&bytes));
    assert_int_equal(bytes.size, 104);
    assert_int_equal(strlen((const char *)bytes.data), 104);
    assert_memory_equal(bytes.data, "a=1,000", 7);
}

static void an_empty_buffer_can_be_used_in_every_way(void **state)
{
    (void)state;
    struct bytes bytes = {0};
    bytes_clear(&bytes);
    bytes_consume(&bytes, 0);
    assert_true(bytes_append(&bytes, NULL, 0));
    bytes_fini(&bytes);
    bytes_fini(&bytes);
    bytes_fini(NULL);
    assert_null(bytes.data);
}

struct folder {
    char path[64];
    char file[80];
};

static int folder_create(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    snprintf(folder->path, sizeof(folder->path), "/tmp/mote-test-XXXXXX");
    if (mkdtemp(folder->path) == NULL) {
        return -1;
    }
    snprintf(folder->file, sizeof(folder->file), "%s/file", folder->path);
    *state = folder;
    return 0;
}

static int folder_destroy(void **state)
{
    struct folder *folder = *state;
    unlink(folder->file);
    rmdir(folder->path);
    free(folder);
    return 0;
}

static void a_file_is_read_whole(void **state)
{
    struct folder *folder = *state;
    FILE *file = fopen(folder->file, "wb");
    assert_non_null(file);
    for (int i = 0; i < 200000; i++) {
        fputc(i % 251, file);
    }
    fclose(file);
    AUTO(bytes_finip) struct bytes bytes = {0};
    struct err err;
    assert_true(bytes_read_file(&bytes, folder->file, 200000, &err));
    assert_int_equal(bytes.size, 200000);
    assert_int_equal(bytes.data[199999], 199999 % 251);
}

static void a_file_over_the_limit_is_refused_with_its_name(void **state)
{
    struct folder *folder = *state;
    FILE *file = fopen(folder->file, "wb");
    assert_non_null(file);
    fputs("eleven bytes", file);
    fclose(file);
    struct bytes bytes = {0};
    struct err err;
    assert_false(bytes_read_file(&bytes, folder->file, 11, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, folder->file));
    assert_null(bytes.data);
}

static void a_missing_file_is_told_apart_from_an_unreadable_one(void **state)
{
    struct folder *folder = *state;
    struct bytes bytes = {0};
    struct err err;
    char missing[96];
    snprintf(missing, sizeof(missing), "%s/missing", folder->path);
    assert_false(bytes_read_file(&bytes, missing, 100, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_memory_equal(err.text, "read /", 6);
    assert_false(bytes_read_file(&bytes, folder->path, 100, &err));
    assert_int_equal(err.code, ERR_OS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_comes_out_in_order),
        cmocka_unit_test(a_long_lived_buffer_reuses_the_room_of_what_was_consumed),
        cmocka_unit_test(reserving_keeps_the_content),
        cmocka_unit_test(more_memory_than_there_can_be_is_refused_and_changes_nothing),
        cmocka_unit_test(clearing_keeps_the_storage),
        cmocka_unit_test(formatted_text_and_its_terminator),
        cmocka_unit_test(an_empty_buffer_can_be_used_in_every_way),
        cmocka_unit_test_setup_teardown(a_file_is_read_whole, folder_create, folder_destroy),
        cmocka_unit_test_setup_teardown(a_file_over_the_limit_is_refused_with_its_name,
                                        folder_create, folder_destroy),
        cmocka_unit_test_setup_teardown(a_missing_file_is_told_apart_from_an_unreadable_one,
                                        folder_create, folder_destroy),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
